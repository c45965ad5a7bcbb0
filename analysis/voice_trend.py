"""How the tags of a voice move from song to song. No Django here.

A tag has a trend where its probabilities rise or fall with the order of the songs more often than
chance would have it: Kendall's rank correlation with an exact or normal p-value, and the slope by
Theil and Sen (the median of all pairs' slopes), which single songs cannot bend.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

FEWEST_SONGS = 5
"""Of fewer songs no order is unlikely enough: with four, the rarest has a chance of 1 in 12."""

UNLIKELY = 0.05
LEAST_CHANGE = 0.1
"""A trend that moves a tag by less from the first song to the last is not worth the word."""

_TOP, _BOTTOM = 6.0, 94.0


@dataclass(frozen=True)
class Song:
    """One song in the order of time, and what its voice was heard as. ``spreads`` are the ends of
    what its clips spread over, lower and upper; a tag is left out where clips are too few."""

    title: str
    url: str
    on: date
    probabilities: dict[str, float]
    spreads: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Dot:
    """A song in a chart; places in per cent, 0 is left and top. ``low`` and ``high`` are the ends
    of its spread."""

    x: float
    y: float
    low: float
    high: float
    song: Song
    probability: float


@dataclass(frozen=True)
class TagTrend:
    """One tag over all songs. ``change`` is what the trend moves it by from first to last."""

    name: str
    dots: Sequence[Dot]
    change: float | None
    p_value: float | None

    @property
    def label(self) -> str:
        return self.name.capitalize()

    @property
    def direction(self) -> str:
        """``rising``, ``falling`` or empty."""
        if self.change is None or self.p_value is None:
            return ""
        if self.p_value >= UNLIKELY or abs(self.change) < LEAST_CHANGE:
            return ""
        return "rising" if self.change > 0 else "falling"

    @property
    def words(self) -> str:
        """What the chart shows, in words."""
        if self.change is None:
            return f"Too few songs for a trend: it takes {FEWEST_SONGS}."
        if not self.direction:
            return "No clear trend."
        verb = "More" if self.direction == "rising" else "Less"
        return (
            f"{verb} {self.name} from song to song, by {abs(100 * self.change):.0f} points in all."
        )

    @property
    def line(self) -> str:
        """SVG path through all dots, in a box of 1000 by 100."""
        return " ".join(
            f"{'L' if number else 'M'}{10 * dot.x:.1f} {dot.y:.2f}"
            for number, dot in enumerate(self.dots)
        )


def trends(songs: Sequence[Song], tags: Sequence[str]) -> list[TagTrend]:
    """The trend of each tag over songs in the order of time."""
    found = []
    for tag in tags:
        heard = [song for song in songs if tag in song.probabilities]
        values = [song.probabilities[tag] for song in heard]
        enough = len(values) >= FEWEST_SONGS
        found.append(
            TagTrend(
                name=tag,
                dots=[_dot(place, len(heard), song, tag) for place, song in enumerate(heard)],
                change=_slope(values) * (len(values) - 1) if enough else None,
                p_value=_kendall_p(values) if enough else None,
            )
        )
    return found


def _dot(place: int, count: int, song: Song, tag: str) -> Dot:
    probability = song.probabilities[tag]
    low, high = song.spreads.get(tag, (probability, probability))
    return Dot(
        x=100.0 * (place + 0.5) / count,
        y=_y(probability),
        low=_y(low),
        high=_y(high),
        song=song,
        probability=probability,
    )


def _y(probability: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * probability


def level_percent(probability: float) -> float:
    """Place of a probability in the chart, in per cent from the top."""
    return _y(probability)


def _slope(values: Sequence[float]) -> float:
    """Change per song by Theil and Sen."""
    pairs = itertools.combinations(enumerate(values), 2)
    return statistics.median((b - a) / (j - i) for (i, a), (j, b) in pairs)


def _kendall_p(values: Sequence[float]) -> float:
    """Chance of an order at least as orderly, both ways (Mann-Kendall, with its correction for ties
    and continuity; exact for up to ten songs without ties)."""
    n = len(values)
    score = sum((b > a) - (b < a) for a, b in itertools.combinations(values, 2))
    ties = [len(list(group)) for _, group in itertools.groupby(sorted(values))]
    if n <= 10 and max(ties) == 1:
        return _exact_p(n, abs(score))
    variance = n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)
    if variance == 0 or score == 0:
        return 1.0
    z = (abs(score) - 1) / math.sqrt(variance / 18)
    return math.erfc(z / math.sqrt(2))


def _exact_p(n: int, score: int) -> float:
    """Share of all orders of n different values whose score is at least as far from zero."""
    # counts[k]: orders with k pairs the wrong way round (Mahonian numbers).
    counts = [1]
    for size in range(2, n + 1):
        longer = [0] * (len(counts) + size - 1)
        for inversions, count in enumerate(counts):
            for more in range(size):
                longer[inversions + more] += count
        counts = longer
    pairs = n * (n - 1) // 2
    far = sum(
        count for inversions, count in enumerate(counts) if abs(pairs - 2 * inversions) >= score
    )
    return far / math.factorial(n)
