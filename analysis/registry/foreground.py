"""Training and measuring in the foreground, for the command line: the same code as the workers'."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from analysis import background
from analysis.background import Lost, Refused, WorkState
from analysis.heart import Heart
from analysis.registry import comparing, selectors, snapshots, storing
from analysis.registry.candidate_files import VersionRefused
from analysis.registry.models import (
    ModelComparison,
    ModelName,
    ModelVersion,
    Origin,
    TrainingRun,
    Trigger,
)
from analysis.registry.serving import serving_version
from analysis.registry.training_runs import CannotTrain, do_training, start_training


class TrainingFailed(Exception):
    """Why nothing came of it; the message is for people."""


class _Telling(Heart):
    """A heart that says its messages aloud."""

    say: Callable[[str], object]
    said = ""

    def progress(self, fraction: float, message: str) -> None:
        super().progress(fraction, message)
        words = message.partition(" clip ")[0]
        if words != self.said:
            self.said = words
            self.say(f"{100 * fraction:3.0f} % {message}")


def take_in(model: str, folder: Path) -> ModelVersion:
    """Freshly trained files as a candidate; the version that has the very same weights, if any.

    Raises TrainingFailed with the reason for which they are refused.
    """
    try:
        return storing.add_version(model, folder, origin=Origin.TRAINED)
    except storing.AlreadyThere as same:
        return same.version
    except VersionRefused as error:
        raise TrainingFailed(error.message) from error


def train_now(recipe: Mapping[str, Any], *, say: Callable[[str], object]) -> ModelComparison:
    """Train with the site's labels in this process, and compare; a run of the command line that
    was killed is gone on with.

    Raises TrainingFailed with the reason.
    """
    storing.register_shipped()
    run = _killed_run()
    if run is None:
        try:
            run = start_training(trigger=Trigger.COMMAND, recipe=recipe, ticket=uuid.uuid4())
        except CannotTrain as error:
            raise TrainingFailed(str(error)) from error
    else:
        say(f"going on with the training of {run.created_at:%Y-%m-%d %H:%M}")
    assert run.ticket is not None
    work = background.claim(TrainingRun, run.pk, run.ticket)
    if work is None:
        raise TrainingFailed("A worker was quicker.")
    heart = _Telling.of_background(work)
    assert isinstance(heart, _Telling)
    heart.say = say
    try:
        with heart:
            do_training(work, heart)
    except Refused as error:
        background.fail(work, code=error.code, reason=error.message, final=True)
        raise TrainingFailed(error.message) from error
    except Lost as error:
        raise TrainingFailed("It was stopped on the site.") from error
    except KeyboardInterrupt:
        background.cancel(work)
        raise
    made = ModelVersion.objects.get(trained_by=work)
    comparison = made.comparisons.first()
    assert comparison is not None
    return comparison


def _killed_run() -> TrainingRun | None:
    """A run of the command line whose process is gone, waiting again with a ticket of ours."""
    lost_since = timezone.now() - timedelta(seconds=settings.JOB_LOST_AFTER_SECONDS)
    killed = TrainingRun.objects.filter(
        model=ModelName.TIMBRE,
        trigger=Trigger.COMMAND,
        state=WorkState.RUNNING,
        heartbeat_at__lt=lost_since,
    )
    run = killed.first()
    if run is None:
        return None
    ours = uuid.uuid4()
    taken = killed.filter(pk=run.pk, ticket=run.ticket).update(
        state=WorkState.QUEUED, ticket=ours, dispatched_at=timezone.now()
    )
    return TrainingRun.objects.get(pk=run.pk) if taken else None


def agreement_of(version: str = "") -> dict[str, Any]:
    """How well a version (the one that serves, if none is named) agrees with people on the held-out
    singers, tag by tag. Raises TrainingFailed."""
    from analysis.training.timbre.comparison import figures_by_tag

    try:
        found = selectors.find_version(version) if version else serving_version(ModelName.TIMBRE)
    except LookupError as error:
        raise TrainingFailed(str(error)) from error
    if found is None or found.model != ModelName.TIMBRE:
        raise TrainingFailed("There is no such version of the timbre model.")
    rows = snapshots.current_rows()
    clips, stopping = comparing.held_out_and_stopping(found, rows)
    if not clips:
        raise TrainingFailed("No clip of a held-out singer is labelled yet.")
    try:
        with storing.opened(found) as folder:
            answers = comparing.heard(comparing.loaded(folder), clips, stopping)
    except storing.FilesMissing as error:
        raise TrainingFailed(f"The files of {found.identity} are missing.") from error
    return {
        "version": found.identity,
        "clips": len(answers.clips),
        "singers": len({clip.singer for clip in answers.clips}),
        "held_out_sha256": snapshots.sha256_of([row for row in rows if row["held_out"]]),
        "tags": figures_by_tag(answers, answers.tags),
    }


def described(found: Mapping[str, Any]) -> str:
    """The figures of :func:`agreement_of` as a Markdown table."""

    def number(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    lines = [
        f"{found['version']} on {found['clips']} held-out clips by {found['singers']} singers",
        "",
        "| tag | yes | no | average precision (95 %) | F1 | cross entropy | Brier | calibration |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for tag, one in found["tags"].items():
        precision = one["average_precision"]
        lines.append(
            f"| {tag} | {one['yes']} | {one['no']} | {number(precision['value'])} "
            f"({number(precision['low'])} to {number(precision['high'])}) | {number(one['f1'])} | "
            f"{number(one.get('cross_entropy'))} | {number(one.get('brier'))} | "
            f"{number(one.get('calibration_error'))} |"
        )
    return "\n".join(lines)
