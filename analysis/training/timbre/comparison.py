"""Two timbre models beside each other on the same labelled clips: figures, and a verdict.

The verdict looks at two figures over the tags that both models know: the mean average precision
(does it put the right clips first?) and the mean cross entropy (are its probabilities right?).
Intervals draw singers, not clips.

A candidate is *not worse* if, with 97.5 % confidence, it loses less than :data:`PRECISION_MARGIN`
and :data:`ENTROPY_MARGIN`: chosen as too little to hear, not measured (docs/models.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from analysis.neural.timbre.model import Timbre
from analysis.training.comparison_verdicts import BETTER, NOT_WORSE, UNDECIDED, WORSE
from analysis.training.timbre import clip_groups
from analysis.training.timbre.clip_groups import Read
from analysis.training.timbre.label_figures import (
    Difference,
    best_threshold,
    brier,
    calibration_error,
    decided,
    difference_of,
    entropies,
    f1,
    interval,
    mean_draws,
    mean_precision_draws,
    permutation_p,
    precision_draws,
    reliability,
    singer_draws,
)
from analysis.training.timbre.label_task import label_matrix
from analysis.training.timbre.labelled import YES_FROM, LabelledClip, is_no, is_yes

PRECISION_MARGIN = 0.03
ENTROPY_MARGIN = 0.03
LEAST_CLIPS = 12
LEAST_SINGERS = 3
LEAST_OF_EACH = 2

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """A model's probabilities (clips, tags) of labelled clips, and the thresholds it says yes
    from. Clips that cannot be read are left out."""

    identity: str
    tags: tuple[str, ...]
    clips: list[LabelledClip]
    probabilities: Array
    thresholds: dict[str, float]

    def of(self, tag: str) -> Array:
        """Probabilities (clips,) of a tag."""
        return self.probabilities[:, self.tags.index(tag)]


def answers_of(
    model: Timbre,
    clips: Sequence[LabelledClip],
    stopping: Sequence[LabelledClip],
    *,
    read: Read,
    cache: Path,
    told: Callable[[int], object],
) -> Answers:
    """Ask a model about clips; its thresholds are those with the best F1 on ``stopping``."""
    there, said = _asked(model, clips, read=read, cache=cache, told=told)
    aside, said_aside = _asked(model, stopping, read=read, cache=cache, told=told)
    labels = label_matrix(aside, model.tags)
    thresholds = {
        tag: best_threshold(labels[:, column], said_aside[:, column])
        for column, tag in enumerate(model.tags)
    }
    return Answers(model.weights.identity, model.tags, there, said, thresholds)


def _asked(
    model: Timbre,
    clips: Sequence[LabelledClip],
    *,
    read: Read,
    cache: Path,
    told: Callable[[int], object],
) -> tuple[list[LabelledClip], Array]:
    versions = clip_groups.build(clips, read=read, cache=cache, told=told, changed=False)
    there = [clip for clip in clips if clip.clip in versions]
    rows = []
    with torch.inference_mode():
        for number, clip in enumerate(there):
            told(number)
            sound = versions[clip.clip].coefficients()[:1].astype(np.float32)
            logits = model.network(torch.from_numpy(sound)).logits[0]
            rows.append(torch.sigmoid(logits.double()).numpy())
    return there, np.array(rows).reshape(len(there), len(model.tags))


def compared(candidate: Answers, baseline: Answers) -> dict[str, Any]:
    """All figures of a comparison, plain numbers for JSON: ``verdict`` and ``why``; ``overall``
    with the differences; ``tags`` that both know; ``only_candidate`` and ``only_baseline``."""
    clips = candidate.clips
    tags = [tag for tag in candidate.tags if tag in baseline.tags]
    labels = label_matrix(clips, tags)
    singers = [clip.singer for clip in clips]
    found: dict[str, Any] = {
        "clips": len(clips),
        "singers": len(set(singers)),
        "tags": {},
        "only_candidate": figures_by_tag(candidate, [t for t in candidate.tags if t not in tags]),
        "only_baseline": figures_by_tag(baseline, [t for t in baseline.tags if t not in tags]),
        "margins": {"average_precision": PRECISION_MARGIN, "cross_entropy": ENTROPY_MARGIN},
        "least": {
            "clips": LEAST_CLIPS,
            "singers": LEAST_SINGERS,
            "of_each": LEAST_OF_EACH,
        },
    }
    draws = singer_draws(singers) if clips else np.ones((1, 0))
    both: list[tuple[Array, Array]] = []
    comparable = []
    for column, tag in enumerate(tags):
        label = labels[:, column]
        sides = [
            _figures(label, one.of(tag), one.thresholds[tag], draws)
            for one in (candidate, baseline)
        ]
        entry: dict[str, Any] = {
            **_counts(label),
            "candidate": sides[0][0],
            "baseline": sides[1][0],
        }
        if min(entry["yes"], entry["no"]) >= LEAST_OF_EACH:
            comparable.append(column)
            both.append((sides[0][1], sides[1][1]))
            entry["difference"] = _plain(difference_of(sides[0][1], sides[1][1]))
        found["tags"][tag] = entry
    found["compared_tags"] = [tags[column] for column in comparable]
    if comparable:
        found["overall"] = _overall(
            candidate, baseline, labels, tags, comparable, both, singers, draws
        )
    found["verdict"], found["why"] = _verdict(found)
    found["summary"] = found["why"]
    return found


def _overall(
    candidate: Answers,
    baseline: Answers,
    labels: Array,
    tags: Sequence[str],
    comparable: Sequence[int],
    both: Sequence[tuple[Array, Array]],
    singers: Sequence[str],
    draws: Array,
) -> dict[str, Any]:
    precision = [mean_precision_draws([pair[side] for pair in both]) for side in (0, 1)]
    kept = labels[:, list(comparable)]
    said = [
        np.stack([one.of(tags[column]) for column in comparable], axis=1)
        for one in (candidate, baseline)
    ]
    each = [entropies(kept, answers) for answers in said]
    entropy = [mean_draws(values, draws) for values in each]
    by_clip = np.nansum(each[0] - each[1], axis=1)
    known = np.isfinite(kept)
    return {
        "average_precision": {
            "candidate": _with_interval(precision[0]),
            "baseline": _with_interval(precision[1]),
            "difference": _plain(difference_of(precision[0], precision[1])),
        },
        "cross_entropy": {
            "candidate": _with_interval(entropy[0]),
            "baseline": _with_interval(entropy[1]),
            "difference": _plain(difference_of(entropy[0], entropy[1])),
            "permutation_p": permutation_p(by_clip, singers),
        },
        "reliability": {
            name: [asdict(part) for part in reliability(kept[known], answers[known])]
            for name, answers in zip(("candidate", "baseline"), said, strict=True)
        },
        "calibration_error": {
            name: calibration_error(kept[known], answers[known])
            for name, answers in zip(("candidate", "baseline"), said, strict=True)
        },
    }


def _figures(
    label: Array, said: Array, threshold: float, draws: Array
) -> tuple[dict[str, Any], Array]:
    """Figures of one tag by one model, and the draws of its average precision."""
    known = np.isfinite(label)
    drawn = precision_draws(label, said, draws)
    figures: dict[str, Any] = {
        "average_precision": _with_interval(drawn),
        "threshold": threshold,
        "f1": f1(label, said, threshold),
    }
    if known.any():
        figures |= {
            "cross_entropy": float(entropies(label[known], said[known]).mean()),
            "brier": brier(label[known], said[known]),
            "calibration_error": calibration_error(label[known], said[known]),
        }
    return figures, drawn


def figures_by_tag(answers: Answers, tags: Sequence[str]) -> dict[str, Any]:
    """Figures of some tags of one model."""
    draws = singer_draws([clip.singer for clip in answers.clips]) if answers.clips else None
    found = {}
    for tag in tags:
        label = label_matrix(answers.clips, [tag])[:, 0]
        figures = (
            _figures(label, answers.of(tag), answers.thresholds[tag], draws)[0]
            if draws is not None
            else {}
        )
        found[tag] = {**_counts(label), **figures}
    return found


def _counts(label: Array) -> dict[str, int]:
    known = decided(label)
    return {
        "labelled": int(np.isfinite(label).sum()),
        "yes": int((label[known] >= YES_FROM).sum()),
        "no": int((label[known] < YES_FROM).sum()),
    }


def _with_interval(draws: Array) -> dict[str, float | None]:
    low, high = interval(draws)
    value = float(draws[0])
    return {
        name: number if math.isfinite(number) else None
        for name, number in (("value", value), ("low", low), ("high", high))
    }


def _plain(difference: Difference) -> dict[str, float]:
    return {name: float(value) for name, value in asdict(difference).items()}


def _verdict(found: dict[str, Any]) -> tuple[str, str]:
    """The verdict, and why in words."""
    if found["clips"] < LEAST_CLIPS or found["singers"] < LEAST_SINGERS:
        return UNDECIDED, (
            f"{found['clips']} held-out clips by {found['singers']} singers are labelled; "
            f"at least {LEAST_CLIPS} clips by {LEAST_SINGERS} singers are needed."
        )
    if "overall" not in found:
        return UNDECIDED, (
            f"No tag that both versions know has {LEAST_OF_EACH} held-out clips with it and "
            f"{LEAST_OF_EACH} without it."
        )
    precision = found["overall"]["average_precision"]["difference"]
    entropy = found["overall"]["cross_entropy"]["difference"]
    ranks_better = precision["low"] > 0
    ranks_as_well = precision["low"] >= -PRECISION_MARGIN
    surer = entropy["high"] < 0
    as_sure = entropy["high"] <= ENTROPY_MARGIN
    if precision["high"] < 0 or entropy["low"] > 0:
        worse = [
            words
            for is_so, words in (
                (precision["high"] < 0, "it puts the right clips first less often"),
                (entropy["low"] > 0, "its probabilities are farther from the labels"),
            )
            if is_so
        ]
        return WORSE, f"On the held-out singers {' and '.join(worse)}, beyond chance."
    if (ranks_better and as_sure) or (surer and ranks_as_well):
        better = [
            words
            for is_so, words in (
                (ranks_better, "puts the right clips first more often"),
                (surer, "gives probabilities closer to the labels"),
            )
            if is_so
        ]
        return BETTER, f"On the held-out singers it {' and '.join(better)}, beyond chance."
    if ranks_as_well and as_sure:
        return NOT_WORSE, (
            "On the held-out singers it loses at most "
            f"{PRECISION_MARGIN:g} of average precision and {ENTROPY_MARGIN:g} of cross entropy."
        )
    return UNDECIDED, (
        "The difference is smaller than what the choice of singers makes: the intervals reach "
        "from better to worse. Label more held-out clips."
    )


def worst(candidate: Answers, baseline: Answers, *, most: int) -> list[dict[str, Any]]:
    """The candidate's answers that are farthest from a label on which people agree; only those on
    the wrong side of its threshold."""
    found: list[dict[str, Any]] = []
    for row, clip in enumerate(candidate.clips):
        for tag, label in clip.labels.items():
            if tag not in candidate.tags or not (is_yes(label) or is_no(label)):
                continue
            said = float(candidate.of(tag)[row])
            if (said >= candidate.thresholds[tag]) == is_yes(label):
                continue
            before = float(baseline.of(tag)[row]) if tag in baseline.tags else None
            found.append(
                {
                    "clip": clip.clip,
                    "name": clip.name,
                    "tag": tag,
                    "label": round(label, 4),
                    "candidate": round(said, 4),
                    "baseline": None if before is None else round(before, 4),
                }
            )
    found.sort(key=lambda one: (-abs(one["candidate"] - one["label"]), one["clip"], one["tag"]))
    return found[:most]
