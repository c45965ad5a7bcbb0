"""How far raters agree: Krippendorff's alpha of every tag and over all tags.

Krippendorff, K. (2011), "Computing Krippendorff's Alpha-Reliability", University of Pennsylvania:
nominal data, any number of raters, missing answers allowed. 1 is full agreement, 0 is what chance
gives, below 0 is worse than chance. He asks for 0.8, and for 0.667 where tentative conclusions
will do; words for voices rarely reach that, which is why labels here stay soft.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db.models import Count, F, Q

from analysis.labels.models import Answer, TimbreTag, Vote

Array = npt.NDArray[np.float64]

DRAWS = 1_000
LEAST_DRAWS = 200
# Memory and time of the bootstrap: clips × draws.
_MOST_RESAMPLED = 40_000_000
_DRAWS_AT_ONCE = 50
_SEED = 2011


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one tag, or over all. ``alpha`` is None where it says nothing: nobody answered twice, or
    all answers are the same. ``low`` and ``high`` are the bootstrap's 95 % interval over clips."""

    alpha: float | None
    low: float | None
    high: float | None
    clips: int
    answers: int
    votes: int
    unsure: int

    @property
    def unsure_share(self) -> float | None:
        """ "Can't tell" among all votes."""
        return self.unsure / self.votes if self.votes else None


@dataclass(frozen=True, slots=True)
class TagAgreement:
    """A tag and how far raters agree about it."""

    tag: TimbreTag
    figures: Agreement


def alphas(counts: npt.ArrayLike, weights: Array | None = None) -> Array:
    """Krippendorff's alpha of each tag and, last, over all tags.

    ``counts`` (units, tags, categories): how many raters chose each category; units that fewer than
    two raters judged do not count. ``weights`` (draws, units): how often a bootstrap's draw took
    each unit. Returns (draws, tags + 1), NaN where there is no answer; draws is 1 without weights.

    Over all tags, observed and expected disagreements are added up, chance being each tag's own:
    otherwise knowing that one tag is frequent and another rare would pass for agreement.
    """
    table = np.asarray(counts, dtype=np.float64)
    judged = table.sum(axis=2)
    table = np.where((judged >= 2)[..., None], table, 0.0)
    judged = np.where(judged >= 2, judged, 0.0)
    differing = (judged**2 - (table**2).sum(axis=2)) / np.maximum(judged - 1.0, 1.0)
    taken = np.ones((1, len(table))) if weights is None else weights
    observed = taken @ differing
    answers = taken @ judged
    of_category = np.einsum("du,utc->dtc", taken, table)
    expected = (answers**2 - (of_category**2).sum(axis=2)) / np.maximum(answers - 1.0, 1.0)
    both = np.stack([observed, expected])
    both = np.concatenate([both, both.sum(axis=2, keepdims=True)], axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(both[1] > 0.0, 1.0 - both[0] / both[1], np.nan)


def interval(counts: npt.ArrayLike, *, seed: int = _SEED) -> tuple[Array, Array]:
    """The 95 % percentile interval of :func:`alphas`, units drawn with replacement (Zapf et al.
    2016, BMC Medical Research Methodology 16:93). Two arrays (tags + 1,), NaN without an answer."""
    table = np.asarray(counts, dtype=np.float64)
    units = len(table)
    nothing = np.full(table.shape[1] + 1, np.nan)
    if units < 2:
        return nothing, nothing.copy()
    rng = np.random.default_rng(seed)
    draws = max(LEAST_DRAWS, min(DRAWS, _MOST_RESAMPLED // units))
    drawn = []
    for first in range(0, draws, _DRAWS_AT_ONCE):
        here = min(_DRAWS_AT_ONCE, draws - first)
        picked = rng.integers(0, units, size=(here, units)) + units * np.arange(here)[:, None]
        weights = np.bincount(picked.ravel(), minlength=here * units).reshape(here, units)
        drawn.append(alphas(table, weights.astype(np.float64)))
    every = np.concatenate(drawn)
    known = np.isfinite(every).any(axis=0)
    low, high = nothing, nothing.copy()
    if known.any():
        low[known], high[known] = np.nanpercentile(every[:, known], [2.5, 97.5], axis=0)
    return low, high


def cohens_kappa(both_yes: float, only_a: float, only_b: float, both_no: float) -> float | None:
    """Cohen's kappa of two raters' yes and no (Cohen 1960); None where chance alone agrees."""
    total = both_yes + only_a + only_b + both_no
    if not total:
        return None
    observed = (both_yes + both_no) / total
    a, b = (both_yes + only_a) / total, (both_yes + only_b) / total
    expected = a * b + (1.0 - a) * (1.0 - b)
    return None if expected >= 1.0 else (observed - expected) / (1.0 - expected)


def agreement() -> tuple[list[TagAgreement], Agreement]:
    """Of every tag in use, in their order, and over all of them."""
    tags = list(TimbreTag.objects.filter(retired_at__isnull=True))
    counts = _counts(tags)
    alpha = alphas(counts)[0]
    low, high = interval(counts)
    judged = counts.sum(axis=2)
    totals = _totals()
    rows = []
    for column, tag in enumerate(tags):
        votes, unsure = totals.get(tag.pk, (0, 0))
        own = judged[:, column]
        figures = Agreement(
            alpha=_number(alpha[column]),
            low=_number(low[column]),
            high=_number(high[column]),
            clips=int((own >= 2).sum()),
            answers=int(own.sum()),
            votes=votes,
            unsure=unsure,
        )
        rows.append(TagAgreement(tag, figures))
    over_all = Agreement(
        alpha=_number(alpha[-1]),
        low=_number(low[-1]),
        high=_number(high[-1]),
        clips=int((judged >= 2).any(axis=1).sum()),
        answers=int(judged.sum()),
        votes=sum(row.figures.votes for row in rows),
        unsure=sum(row.figures.unsure for row in rows),
    )
    return rows, over_all


def _counts(tags: list[TimbreTag]) -> npt.NDArray[np.int64]:
    """(clips, tags, 2): yes and no, where two raters or more answered; zero elsewhere."""
    column = {tag.pk: number for number, tag in enumerate(tags)}
    several = (
        Vote.objects.filter(tag__in=column, answer__in=(Answer.YES, Answer.NO))
        .order_by()
        .values_list("ballot__clip_id", "tag_id")
        .annotate(
            yes=Count("pk", filter=Q(answer=Answer.YES)), no=Count("pk", filter=Q(answer=Answer.NO))
        )
        .annotate(both=F("yes") + F("no"))
        .filter(both__gte=2)
    )
    units: dict[uuid.UUID, int] = {}
    found = [
        (units.setdefault(clip, len(units)), column[tag], yes, no)
        for clip, tag, yes, no, _ in several.iterator(chunk_size=10_000)
    ]
    counts = np.zeros((len(units), len(tags), 2), dtype=np.int64)
    if found:
        unit, of_tag, yes, no = np.array(found).T
        counts[unit, of_tag, 0] = yes
        counts[unit, of_tag, 1] = no
    return counts


def _totals() -> dict[int, tuple[int, int]]:
    """For each tag: all votes, and those that say "can't tell"."""
    counted = (
        Vote.objects.order_by()
        .values_list("tag_id")
        .annotate(votes=Count("pk"), unsure=Count("pk", filter=Q(answer=Answer.UNSURE)))
    )
    return {tag: (votes, unsure) for tag, votes, unsure in counted}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
