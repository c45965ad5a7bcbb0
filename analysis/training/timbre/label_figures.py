"""How well answers agree with people's labels, and whether one model's answers do so better.

Average precision and F1 count clips on which people agree (see :mod:`.labelled`); cross entropy,
Brier score and calibration take the soft labels as they are. Clips of one singer are not
independent of each other, so intervals draw whole singers.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.training.timbre.labelled import NO_UPTO, YES_FROM

DRAWS = 2_000
BINS = 10
_MOST_EXACT_SINGERS = 12

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """Candidate minus baseline, with its 95 % interval and the two-sided p of no difference."""

    value: float
    low: float
    high: float
    p: float


def decided(labels: Array) -> npt.NDArray[np.bool_]:
    """Where people agree on yes or no."""
    return (labels >= YES_FROM) | (labels <= NO_UPTO)


def average_precision(labels: Array, scores: Array) -> float | None:
    """Area under precision by recall, step-wise, ties taken together; labels (n,) may be NaN.

    None unless there are both yes and no.
    """
    known = decided(labels)
    yes = labels[known] >= YES_FROM
    if not yes.any() or yes.all():
        return None
    return float(_weighted_precision(yes, scores[known], np.ones((1, int(known.sum()))))[0])


def _weighted_precision(yes: npt.NDArray[np.bool_], scores: Array, weights: Array) -> Array:
    """Average precision (draws,) with every clip counted ``weights`` (draws, n) times; NaN where a
    draw has no yes."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    # Clips with the same score are found together.
    last = np.searchsorted(-ordered, -ordered, side="right") - 1
    counted = weights[:, order]
    found = counted * yes[order]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = (np.cumsum(found, axis=1) / np.cumsum(counted, axis=1))[:, last]
        return np.where(found > 0, found * precision, 0.0).sum(axis=1) / found.sum(axis=1)


def best_threshold(labels: Array, probabilities: Array) -> float:
    """Probability from which on saying yes gives the best F1, in the middle of the gap beneath it;
    0.5 where there are not both yes and no."""
    known = decided(labels)
    yes, said = labels[known] >= YES_FROM, probabilities[known]
    if not yes.any() or yes.all():
        return 0.5
    values = np.unique(said)
    edges = np.concatenate([[values[0] / 2], (values[1:] + values[:-1]) / 2])
    scores = np.array([_f1(yes, said >= edge) for edge in edges])
    # Of equally good ones the one nearest to a half.
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    return float(edges[best[np.argmin(np.abs(edges[best] - 0.5))]])


def f1(labels: Array, probabilities: Array, threshold: float) -> float | None:
    """F1 of saying yes from ``threshold`` on; None unless there are both yes and no."""
    known = decided(labels)
    yes = labels[known] >= YES_FROM
    if not yes.any() or yes.all():
        return None
    return _f1(yes, probabilities[known] >= threshold)


def _f1(yes: npt.NDArray[np.bool_], said: npt.NDArray[np.bool_]) -> float:
    right = int((yes & said).sum())
    return 2 * right / max(1, int(yes.sum()) + int(said.sum()))


def brier(labels: Array, probabilities: Array) -> float:
    """Mean squared distance of probabilities (n,) to labels (n,) without NaN."""
    return float(np.mean((probabilities - labels) ** 2))


def entropies(labels: Array, probabilities: Array) -> Array:
    """Cross entropy of each answer with its label, of any one shape; NaN where there is none."""
    said = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return -(labels * np.log(said) + (1 - labels) * np.log(1 - said))


@dataclass(frozen=True)
class Reliability:
    """A bin of answers: their mean, the mean of the labels, and how many they are."""

    said: float
    label: float
    count: int


def reliability(labels: Array, probabilities: Array, *, bins: int = BINS) -> list[Reliability]:
    """Answers (n,) in bins of equal size by what was said, beside their labels (n,)."""
    parts = np.array_split(np.argsort(probabilities, kind="stable"), min(bins, labels.size))
    return [
        Reliability(float(probabilities[part].mean()), float(labels[part].mean()), part.size)
        for part in parts
        if part.size
    ]


def calibration_error(labels: Array, probabilities: Array) -> float:
    """Expected calibration error over bins of equal size."""
    parts = reliability(labels, probabilities)
    return sum(abs(part.said - part.label) * part.count for part in parts) / max(1, labels.size)


def singer_draws(singers: Sequence[str], *, draws: int = DRAWS, seed: int = 0) -> Array:
    """How often each clip counts (draws, clips) when as many singers are drawn with replacement as
    there are; the first row counts every clip once."""
    names, column = np.unique(np.array(singers), return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(names.size, np.full(names.size, 1 / names.size), size=draws)
    return np.vstack([np.ones(names.size), drawn]).astype(np.float64)[:, column]


def precision_draws(labels: Array, scores: Array, draws: Array) -> Array:
    """Average precision (draws + 1,) of one tag under :func:`singer_draws`; all NaN unless there
    are both yes and no."""
    known = decided(labels)
    yes = labels[known] >= YES_FROM
    if not yes.any() or yes.all():
        return np.full(len(draws), np.nan)
    return _weighted_precision(yes, scores[known], draws[:, known])


def mean_draws(values: Array, draws: Array) -> Array:
    """Mean over tags of the mean over clips of ``values`` (clips, tags, NaN left out), under
    :func:`singer_draws`."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_tag = (draws @ np.nan_to_num(values)) / (draws @ known.astype(np.float64))
    return _mean_of_known(by_tag)


def difference_of(candidate: Array, baseline: Array) -> Difference:
    """From two rows of draws of one figure (the first entry is the figure itself). ``p`` is twice
    the share of draws on the other side of zero."""
    moved = candidate - baseline
    value, drawn = float(moved[0]), moved[1:][np.isfinite(moved[1:])]
    low, high = np.percentile(drawn, [2.5, 97.5])
    below, above = float((drawn <= 0).mean()), float((drawn >= 0).mean())
    # What no draw shows may still be: a p of so many draws is never zero.
    p = float(np.clip(2 * min(below, above), 1 / drawn.size, 1.0))
    return Difference(value, float(low), float(high), p)


def permutation_p(differences: Array, singers: Sequence[str], *, seed: int = 0) -> float:
    """Two-sided p of the paired permutation test: each singer's answers may come from either model.

    ``differences`` (clips,) are candidate minus baseline, without NaN. Exact for up to 12 singers.
    """
    names, column = np.unique(np.array(singers), return_inverse=True)
    sums = np.bincount(column, weights=differences)
    if names.size <= _MOST_EXACT_SINGERS:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=names.size)))
    else:
        rng = np.random.default_rng(seed)
        signs = np.vstack([np.ones(names.size), rng.choice((1.0, -1.0), size=(10_000, names.size))])
    totals = np.abs(signs @ sums)
    return float((totals >= totals[0] - 1e-12).mean())


def interval(draws: Array) -> tuple[float, float]:
    """95 % interval of a figure's draws; NaN for none."""
    drawn = draws[1:][np.isfinite(draws[1:])]
    if not drawn.size:
        return float("nan"), float("nan")
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def mean_precision_draws(by_tag: Sequence[Array]) -> Array:
    """Mean over tags of their draws (draws + 1,)."""
    return _mean_of_known(np.stack(by_tag, axis=1))


def _mean_of_known(values: Array) -> Array:
    known = np.isfinite(values)
    counted = known.sum(axis=1)
    sums = np.where(known, values, 0.0).sum(axis=1)
    return np.where(counted > 0, sums / np.maximum(counted, 1), np.nan)
