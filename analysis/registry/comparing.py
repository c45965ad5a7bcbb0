"""A candidate beside the version that serves, on singers that no training heard.

The held-out singers were drawn by lot, their clips come to the raters in a random order, and people
labelled them: no model had a say in which ones they are. Thresholds come from the singers by which
the candidate's training stopped, never from these.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.labels.models import VoiceClip
from analysis.registry import snapshots, storing
from analysis.registry.models import ModelComparison, ModelName, ModelVersion, Verdict
from analysis.registry.serving import serving_version

if TYPE_CHECKING:
    from analysis.neural.timbre.model import Timbre
    from analysis.training.timbre.comparison import Answers
    from analysis.training.timbre.labelled import LabelledClip

log = logging.getLogger(__name__)

MOST_MISTAKES = 40


class CannotCompareTimbre(ValueError):
    """There is nothing to compare with; the message is for people."""


def compare(
    candidate: ModelVersion,
    *,
    baseline: ModelVersion | None = None,
    check: Callable[[], object] = lambda: None,
) -> ModelComparison:
    """Ask both versions about the held-out clips of the present labels, and keep what comes of it.

    ``baseline`` is the version that serves, where none is given. ``check`` is called often.

    Raises CannotCompareTimbre for another model or without a baseline, FilesMissing.
    """
    from analysis.training.timbre.comparison import compared

    if candidate.model != ModelName.TIMBRE:
        raise CannotCompareTimbre("Only versions of the timbre model are compared on voices.")
    serving = baseline or serving_version(candidate.model)
    if serving is None:
        raise CannotCompareTimbre("No version serves, so there is nothing to compare with.")
    rows = snapshots.current_rows()
    held_out = [row for row in rows if row["held_out"]]
    clips, stopping = held_out_and_stopping(candidate, rows)
    with storing.opened(candidate) as first, storing.opened(serving) as second:
        answers = [
            heard(model, clips, stopping, check=check) for model in (loaded(first), loaded(second))
        ]
    found = compared(*answers)
    mistakes = _mistakes(answers[0], answers[1])
    comparison = ModelComparison.objects.create(
        candidate=candidate,
        baseline=serving,
        held_out_sha256=snapshots.sha256_of(held_out),
        figures=found,
        mistakes=mistakes,
        verdict=Verdict(found["verdict"]),
    )
    log.info("%s against %s: %s", candidate.identity, serving.identity, comparison.verdict)
    return comparison


def held_out_and_stopping(
    version: ModelVersion, rows: Sequence[dict[str, Any]]
) -> tuple[list[LabelledClip], list[LabelledClip]]:
    """The labelled clips that are held out, and those that thresholds are chosen by: the ones by
    which the version's training stopped, or for a version that was not trained here, as many as a
    training today would stop by."""
    from analysis.training.timbre.label_task import LabelRecipe
    from analysis.training.timbre.labelled import (
        LabelledClip,
        LabelsUnusable,
        divided,
        learnable,
    )

    run = version.trained_by
    of_run = run.snapshot.rows if run is not None and run.snapshot is not None else rows
    seed = run.seed if run is not None else LabelRecipe().seed
    to_learn_from = [
        clip for clip in LabelledClip.from_rows(of_run) if not clip.held_out and clip.labels
    ]
    try:
        tags = learnable(to_learn_from)
        share = LabelRecipe().stopping_share
        if run is not None:
            share = float(run.recipe.get("stopping_share", share))
        _, stopping = divided(to_learn_from, tags, share=share, seed=seed)
    except LabelsUnusable:
        stopping = []
    held_out = [clip for clip in LabelledClip.from_rows(rows) if clip.held_out]
    return held_out, stopping


def heard(
    model: Timbre,
    clips: Sequence[LabelledClip],
    stopping: Sequence[LabelledClip],
    *,
    check: Callable[[], object] = lambda: None,
) -> Answers:
    """What a model says of the held-out clips, and of those that its thresholds come from."""
    from analysis.registry.training_runs import cache_folder, reader
    from analysis.training.timbre.comparison import answers_of

    return answers_of(
        model, clips, stopping, read=reader(), cache=cache_folder(), told=lambda _: check()
    )


def loaded(folder: Path) -> Timbre:
    """The timbre model whose files are in a folder."""
    from analysis.neural.timbre.model import Timbre
    from analysis.neural.weights import read_from

    return Timbre(read_from(folder, ModelName.TIMBRE))


def _mistakes(candidate: Answers, baseline: Answers) -> list[dict[str, Any]]:
    """The candidate's worst answers, the farthest from people's labels first."""
    from analysis.training.timbre.comparison import worst

    ids = dict(
        VoiceClip.objects.filter(
            content_sha256__in=[clip.clip for clip in candidate.clips]
        ).values_list("content_sha256", "pk")
    )
    return [
        {**mistake, "clip": str(ids[mistake["clip"]])}
        for mistake in worst(candidate, baseline, most=MOST_MISTAKES)
        if mistake["clip"] in ids
    ]
