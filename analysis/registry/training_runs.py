"""Training the timbre model with the site's labels: asking for it, doing it, storing what came out.

A run keeps what it has finished in ``WORK_DIR/training``: checkpoints in a folder of its own, and
the clips as the network sees them in one that all runs share. Killed or stopped, it goes on there.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from analysis import background, services, work_folders
from analysis.background import BackgroundWork, Lost, Refused, WorkState
from analysis.labels.models import TimbreTag, VoiceClip
from analysis.registry import ears_training, selectors, snapshots, storing, training_schedule
from analysis.registry.candidate_files import VersionRefused
from analysis.registry.code_version import code_version
from analysis.registry.models import ModelName, ModelVersion, Origin, TrainingRun, Trigger
from analysis.registry.serving import serving_version
from analysis.registry.storing import AlreadyThere
from analysis.training.timbre.clip_cache import forget
from catalog.models import User

if TYPE_CHECKING:
    from analysis.heart import Heart
    from analysis.training.timbre.clip_groups import Read
    from analysis.training.timbre.label_task import LabelRecipe

log = logging.getLogger(__name__)

KIND = "training"
_CACHE = "timbre_clips"
_SHARE_OF_TRAINING = 0.9


class CannotTrain(Exception):
    """Why a training is not started; the message is for people."""


# --- Asking ---------------------------------------------------------------------------------------


def start_training(
    model: str = ModelName.TIMBRE,
    *,
    by: User | None = None,
    trigger: str = Trigger.CLICK,
    recipe: Mapping[str, Any] | None = None,
    ticket: uuid.UUID | None = None,
) -> TrainingRun:
    """Queue a training on the labels as they are now. ``recipe`` changes fields of
    :class:`~analysis.training.timbre.label_task.LabelRecipe`, and ``device``. Who brings a
    ``ticket`` does the work itself, instead of a worker.

    Raises
    ------
    CannotTrain
        If one waits or runs already, or for a model or a recipe that it does not know.
    """
    if model != ModelName.TIMBRE:
        raise CannotTrain("Only the model of the voice is trained on this site's labels.")
    run = TrainingRun(
        model=model,
        trigger=trigger,
        recipe=dict(recipe or {}),
        seed=int((recipe or {}).get("seed", TrainingRun._meta.get_field("seed").default)),
        code_version=code_version(),
        created_by=by,
        ticket=ticket,
        dispatched_at=timezone.now() if ticket else None,
    )
    with transaction.atomic():
        # Two clicks at once: the second sees the first's run.
        list(ModelVersion.objects.select_for_update().filter(model=model).values_list("pk"))
        if training_schedule.is_under_way():
            raise CannotTrain("A training is under way already. Wait for it, or stop it first.")
        run.snapshot = snapshots.take()
        run.full_clean()
        run.save()
        if ticket is None:
            background.start(run)
    return run


# --- Doing ----------------------------------------------------------------------------------------


def do_training(run: TrainingRun, heart: Heart) -> None:
    """Train, compare, and store candidate and comparison; called by a worker.

    Raises Refused with the reason where the labels teach nothing, Lost when it was stopped.
    """
    # Imported here because it loads the networks' libraries, which the web process never needs.
    from analysis.registry.comparing import compare
    from analysis.training.timbre.labelled import LabelsUnusable

    heart.progress(0.0, "Reading the labels")
    _renew_snapshot(run)
    made = ModelVersion.objects.filter(trained_by=run).first()
    try:
        if made is None:
            made = _made(run, heart)
        heart.progress(0.95, "Comparing with the version that serves")
        heart.check()
        compare(made, check=heart.check)
    except LabelsUnusable as error:
        raise Refused(error.code, error.message) from error
    except FloatingPointError as error:
        raise Refused(
            "diverged",
            "The training went astray: its loss is no longer a number. Nothing was stored.",
        ) from error
    except VersionRefused as error:
        raise Refused(error.code, error.message) from error
    background.finish(run)
    work_folders.drop(run_folder(run))


def _made(run: TrainingRun, heart: Heart) -> ModelVersion:
    """Train in the run's folder, and take the result into the registry."""
    from analysis.neural.weights import read_from
    from analysis.training.checkpoints import OtherRun
    from analysis.training.timbre.label_shipping import ship_retrained
    from analysis.training.timbre.labelled import LabelledClip
    from analysis.training.timbre.retraining import chosen_device, retrain

    recipe = recipe_of(run)
    base = serving_version(run.model)
    if run.snapshot is None or base is None:
        raise Refused("no_base", "There are no labels, or no model that serves to start from.")
    device = chosen_device(str(run.recipe.get("device", "auto")))
    recorded = {"recipe": {**asdict(recipe), "base": base.identity}, "device": device}
    _record(run, code_version=code_version(), **recorded)

    def told(share: float, message: str, history: list[dict[str, float]]) -> None:
        heart.progress(_SHARE_OF_TRAINING * share, message)
        if history:
            _record(run, curves=[dict(line) for line in history])

    clips = LabelledClip.from_rows(run.snapshot.rows)
    retired = TimbreTag.objects.filter(retired_at__isnull=False)
    with (
        work_folders.work_folder(KIND, run_folder(run).name, waiting=heart.check) as folder,
        storing.opened(base) as base_folder,
    ):
        base_weights = read_from(base_folder, run.model)
        attempt = partial(
            retrain,
            clips,
            base=base_weights,
            read=reader(),
            run=folder,
            cache=cache_folder(),
            recipe=recipe,
            retired=set(retired.values_list("slug", flat=True)),
            device=device,
            told=told,
            check=heart.check,
        )
        try:
            trained = attempt()
        except OtherRun:
            # Something it depends on has changed: clips withdrawn, another version promoted.
            (folder / "checkpoint.pt").unlink(missing_ok=True)
            trained = attempt()
        heart.progress(_SHARE_OF_TRAINING, "Storing the candidate")
        ship_retrained(
            trained,
            folder=folder,
            base=base_weights,
            recipe=recipe,
            version=selectors.next_version(
                ModelVersion.objects.filter(model=run.model).values_list("version", flat=True)
            ),
            snapshot=run.snapshot.sha256,
            code_version=code_version(),
        )
        _record(run, figures=trained.figures)
        try:
            return storing.add_version(
                run.model, folder, origin=Origin.TRAINED, by=run.created_by, run=run
            )
        except AlreadyThere as same:
            raise Refused(
                "same",
                f"It came out exactly like {same.version.version}: the labels, the recipe and the "
                "seed are the same. Nothing new was stored.",
            ) from same


def _renew_snapshot(run: TrainingRun) -> None:
    """Clips that were withdrawn since are not learned from: take the labels anew without them."""
    if run.snapshot is None or not snapshots.is_whole(run.snapshot):
        snapshot = snapshots.take()
        _record(run, snapshot=snapshot, curves=[])
        run.snapshot = snapshot


def _record(run: TrainingRun, **changes: Any) -> None:
    """Write into a run that is still this worker's. Raises Lost."""
    ours = TrainingRun.objects.filter(pk=run.pk, ticket=run.ticket, state=WorkState.RUNNING)
    if not ours.update(**changes):
        raise Lost(str(run.pk))


def reader() -> Read:
    """What reads clips of the pool by their checksum."""
    import numpy as np

    from analysis.labels.clip_files import read_clip
    from analysis.sound.voice.measures import RATE_HZ

    def read(clip: Any) -> tuple[np.ndarray, int]:
        row = VoiceClip.objects.filter(content_sha256=clip.clip).first()
        if row is None:
            raise FileNotFoundError(f"{clip.name} has been withdrawn")
        return read_clip(row), RATE_HZ

    return read


def recipe_of(run: TrainingRun) -> LabelRecipe:
    """The recipe of a run: the usual one with what the run changes. Raises Refused."""
    from analysis.training.timbre.label_task import LabelRecipe

    usual = LabelRecipe()
    chosen: dict[str, Any] = {"seed": run.seed}
    for field in fields(LabelRecipe):
        if field.name in run.recipe:
            value = run.recipe[field.name]
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise Refused("recipe", f"The recipe's {field.name} must be a number.")
            chosen[field.name] = type(getattr(usual, field.name))(value)
    return LabelRecipe(**chosen)


# --- Folders --------------------------------------------------------------------------------------


def run_folder(run: TrainingRun) -> Path:
    """Where a run keeps its checkpoints."""
    return Path(settings.WORK_DIR) / KIND / str(run.pk)


def cache_folder() -> Path:
    """Where the clips are kept as the network sees them."""
    return Path(settings.WORK_DIR) / _CACHE


def tidy() -> None:
    """Forget what is kept of clips that were withdrawn, and of runs that nobody resumes."""
    unfinished = TrainingRun.objects.exclude(state=WorkState.DONE)
    wanted = {str(pk) for pk in unfinished.values_list("pk", flat=True)}
    work_folders.tidy(KIND, is_wanted=lambda name: name in wanted)
    forget(cache_folder(), keep=set(VoiceClip.objects.values_list("content_sha256", flat=True)))
    snapshots.strike_out_withdrawn()


def _train(run: BackgroundWork, heart: Heart) -> None:
    assert isinstance(run, TrainingRun)
    if run.model == ModelName.EARS:
        ears_training.do_training(run, heart)
    else:
        do_training(run, heart)


def connect() -> None:
    """Enter training among the kinds of long work; called once when the app is ready."""
    background.register(TrainingRun, _train)
    services.HOUSEKEEPING.append(tidy)
    services.HOUSEKEEPING.append(training_schedule.start_if_due)
