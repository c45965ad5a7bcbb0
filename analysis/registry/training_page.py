"""What the pages of a training and of a comparison show: reads only, and no networks."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.background import UNDER_WAY, WorkState
from analysis.labels.models import TimbreTag, VoiceClip
from analysis.registry import serving, snapshots
from analysis.registry.models import ModelComparison, ModelName, TrainingRun
from analysis.registry.training_charts import Curve, ReliabilityDots, curve, reliability_dots
from analysis.registry.training_runs import cache_folder
from analysis.registry.training_schedule import newly_labelled
from analysis.training.timbre.clip_cache import path_of
from analysis.training.timbre.labelled import (
    LEAST_OF_EACH,
    LabelledClip,
    LabelsUnusable,
    TagCount,
    counts,
    learnable,
)

# Measured on one core of a server (docs/models.md): making a clip's versions, one pass over a
# clip, and how many passes a training makes.
_SECONDS_PER_NEW_CLIP = 0.25
_SECONDS_PER_PASS = 0.02
_EPOCHS = 10
_LEAST_PASSES_PER_EPOCH = 192


@dataclass(frozen=True)
class TagRow:
    """A tag with its clips: what people said, and whether it can be learned."""

    tag: str
    count: TagCount
    is_new: bool


@dataclass(frozen=True)
class Preview:
    """What a training would learn from now. ``refusal`` says why it cannot, in words."""

    sha256: str
    clips: int
    singers: int
    held_out_clips: int
    held_out_singers: int
    tags: list[TagRow]
    new_clips: int
    minutes: int
    refusal: str
    least_of_each: int = LEAST_OF_EACH

    @property
    def learned(self) -> list[TagRow]:
        return [row for row in self.tags if row.count.is_enough]


def preview() -> Preview:
    """Look at the labels as they are now."""
    rows = snapshots.current_rows()
    clips = LabelledClip.from_rows(rows)
    to_learn = [clip for clip in clips if not clip.held_out]
    held_out = [clip for clip in clips if clip.held_out]
    refusal = ""
    try:
        learnable(to_learn)
    except LabelsUnusable as error:
        refusal = error.message
    served = serving.serving_version(ModelName.TIMBRE)
    known = served.manifest["settings"]["tags"] if served else []
    live = TimbreTag.objects.filter(retired_at__isnull=True).values_list("slug", flat=True)
    of_tags = counts(to_learn)
    return Preview(
        sha256=snapshots.sha256_of(rows),
        clips=len(to_learn),
        singers=len({clip.singer for clip in to_learn}),
        held_out_clips=len(held_out),
        held_out_singers=len({clip.singer for clip in held_out}),
        tags=[
            TagRow(tag, of_tags.get(tag, TagCount(0, 0, 0)), is_new=tag not in known)
            for tag in live
        ],
        new_clips=newly_labelled(),
        minutes=estimated_minutes(to_learn),
        refusal=refusal,
    )


def estimated_minutes(clips: Sequence[LabelledClip]) -> int:
    """About how long a training takes on one free core, at least one minute."""
    cache = cache_folder()
    new = sum(1 for clip in clips if not path_of(cache, clip.clip, changed=True).exists())
    passes = _EPOCHS * max(_LEAST_PASSES_PER_EPOCH, len(clips))
    return max(1, math.ceil((new * _SECONDS_PER_NEW_CLIP + passes * _SECONDS_PER_PASS) / 60))


def run_page(run: TrainingRun) -> dict[str, Any]:
    """The context of a run's page, and of the part of it that is asked for again and again."""
    rows = run.snapshot.rows if run.snapshot else []
    to_learn = [row for row in rows if not row["held_out"]]
    made = getattr(run, "made", None)
    return {
        "run": run,
        "label": ModelName(run.model).label,
        "is_at_work": run.state in UNDER_WAY,
        "is_resumable": run.state in (WorkState.FAILED, WorkState.CANCELLED),
        "clips": len(to_learn),
        "singers": len({row["singer"] for row in to_learn}),
        "made": made,
        "comparison": made.comparisons.first() if made else None,
        "curves": _curves(run.curves),
        "recipe": sorted(run.recipe.items()),
    }


def _curves(lines: Sequence[dict[str, float]]) -> list[Curve]:
    wanted = (
        ("stopping_loss", "Cross entropy", "on singers kept for stopping: less is better"),
        ("stopping_ap", "Average precision", "on the same singers: more is better"),
        ("right_direction", "Known changes heard rightly", "share, on the same singers"),
        ("loss", "Loss", "on the clips that it learns from"),
    )
    found = (
        curve(name, [line.get(key) for line in lines], note=note, shares=key != "loss")
        for key, name, note in wanted
    )
    return [one for one in found if one is not None]


@dataclass(frozen=True)
class Mistake:
    """A clip about which the candidate and people differ; ``clip_id`` is None once the clip has
    been withdrawn."""

    clip_id: uuid.UUID | None
    name: str
    tag: str
    label: float
    candidate: float
    baseline: float | None

    @property
    def people_say(self) -> str:
        return "yes" if self.label >= 0.5 else "no"


def comparison_page(comparison: ModelComparison) -> dict[str, Any]:
    """The context of a comparison's page."""
    figures = comparison.figures
    candidate = comparison.candidate
    overall = figures.get("overall") or {}
    refusal = serving.why_not(candidate)
    return {
        "comparison": comparison,
        "candidate": candidate,
        "baseline": comparison.baseline,
        "label": ModelName(candidate.model).label,
        "figures": figures,
        "overall": overall,
        "tags": list((figures.get("tags") or {}).items()),
        "apart": [
            (title, list(figures.get(key, {}).items()))
            for key, title in (
                ("only_candidate", f"Known to {candidate.version} only"),
                ("only_baseline", f"Known to {comparison.baseline.version} only"),
            )
            if figures.get(key)
        ],
        "reliability": _reliability(overall.get("reliability") or {}),
        "mistakes": _mistakes(comparison.mistakes),
        "refusal": refusal,
        "may_promote": comparison.verdict in serving.GOOD_ENOUGH and refusal is None,
        "serving": serving.serving_version(candidate.model),
    }


def _reliability(parts: dict[str, Any]) -> dict[str, ReliabilityDots]:
    return {name: reliability_dots(parts[name]) for name in parts}


def _mistakes(rows: Sequence[dict[str, Any]]) -> list[Mistake]:
    there = set(
        VoiceClip.objects.filter(pk__in=[row["clip"] for row in rows]).values_list("pk", flat=True)
    )
    return [
        Mistake(
            clip_id=clip if (clip := uuid.UUID(row["clip"])) in there else None,
            name=row["name"],
            tag=row["tag"],
            label=row["label"],
            candidate=row["candidate"],
            baseline=row["baseline"],
        )
        for row in rows
    ]
