"""Training new ears on music of the operator's folder: asking for it, and doing it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from analysis import background, work_folders
from analysis.background import Refused
from analysis.registry import storing, training_data, training_schedule
from analysis.registry.candidate_files import VersionRefused
from analysis.registry.code_version import code_version
from analysis.registry.models import ModelName, ModelVersion, Origin, TrainingRun, Trigger
from analysis.registry.storing import AlreadyThere
from catalog.models import User

if TYPE_CHECKING:
    from analysis.heart import Heart
    from analysis.training.ears_training import EarsPlan

log = logging.getLogger(__name__)

KIND = "training"
_READ, _TRAINED = 0.4, 0.9


class CannotTrain(Exception):
    """Why a training is not started; the message is for people."""


def start(
    *, by: User | None, data: str, version: str, trunk: str = "kept", trigger: str = Trigger.CLICK
) -> TrainingRun:
    """Queue a training on an entry of the operator's folder. Raises CannotTrain."""
    try:
        training_data.path_of(data)
    except LookupError as error:
        raise CannotTrain(str(error)) from error
    with transaction.atomic():
        # Two clicks at once: the second sees the first's run.
        list(ModelVersion.objects.select_for_update().filter(model=ModelName.EARS))
        if training_schedule.is_under_way(ModelName.EARS):
            raise CannotTrain("A training is under way already. Wait for it, or stop it first.")
        run = TrainingRun(
            model=ModelName.EARS,
            trigger=trigger,
            data={"data": data},
            recipe={"version": version, "trunk": trunk},
            code_version=code_version(),
            created_by=by,
        )
        run.full_clean()
        run.save()
        background.start(run)
    return run


def do_training(run: TrainingRun, heart: Heart) -> None:
    """Train, take the candidate in, and compare it; called by a worker.

    What is read and trained is kept in ``WORK_DIR``; a killed or stopped run goes on there. Raises
    Refused where the music teaches nothing, Lost when it was stopped.
    """
    from analysis.registry.ears_comparing import compare_on
    from analysis.training.checkpoints import OtherRun
    from analysis.training.distributed import pick_device
    from analysis.training.ears_training import open_plan, train_ears
    from analysis.training.labelled_files import UnusableCorpus

    folder = Path(settings.WORK_DIR) / KIND / str(run.pk)
    with work_folders.work_folder(KIND, folder.name, waiting=heart.check) as held:
        plan = _plan(run, held)
        try:
            collection = open_plan(
                plan, told=lambda share, message: heart.progress(_READ * share, message)
            )
            version = ModelVersion.objects.filter(trained_by=run).first()
            if version is None:
                train_ears(
                    plan,
                    collection,
                    told=lambda share, message: heart.progress(
                        _READ + (_TRAINED - _READ) * share, message
                    ),
                )
                heart.check()
                version = storing.add_version(
                    ModelName.EARS, plan.out, origin=Origin.TRAINED, by=run.created_by, run=run
                )
        except UnusableCorpus as error:
            raise Refused("music", str(error)) from error
        except FloatingPointError as error:
            raise Refused("diverged", "The training went astray. Nothing was stored.") from error
        except AlreadyThere as same:
            raise Refused(
                "same",
                f"It came out exactly like {same.version.version}: the music and the recipe are "
                "the same. Nothing new was stored.",
            ) from same
        except VersionRefused as error:
            raise Refused(error.code, error.message) from error
        except OtherRun as error:
            raise Refused("changed", f"The music has changed since: {error}") from error
        heart.progress(0.95, "Comparing with the version that serves")
        comparison = compare_on(version, collection.validation)
        heart.check()
        with transaction.atomic():
            TrainingRun.objects.filter(pk=run.pk).update(
                figures={
                    "genres": list(collection.train.names),
                    "tracks": version.manifest["figures"].get("tracks", {}),
                    "accuracy": version.manifest["figures"].get("accuracy"),
                    "verdict": comparison.verdict,
                    "why": comparison.figures["why"],
                    "left_out": collection.left_out[:50],
                    "remarks": collection.remarks,
                },
                device="cpu" if plan.trunk == "kept" else pick_device(plan.device).type,
            )
            background.finish(run)
    work_folders.drop(folder)


def _plan(run: TrainingRun, folder: Path) -> EarsPlan:
    from analysis.training.ears_training import EarsPlan

    try:
        data = training_data.path_of(str(run.data.get("data", "")))
    except LookupError as error:
        raise Refused("music", str(error)) from error
    return EarsPlan(
        data=data,
        run=folder,
        out=folder / "out",
        version=str(run.recipe.get("version", "1.0.0")),
        trunk=str(run.recipe.get("trunk", "kept")),
        seed=run.seed,
        pictures=training_data.pictures_folder(),
    )
