"""Two voices side by side: what differs, and what only seems to. No Django here.

Each voice is a handful of clips, and clips of one take differ among themselves. A difference of the
means counts when it is larger than twice its standard error. Neighbouring clips are much alike, so
two of them count as one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.voice_document import Clip, Voice
from analysis.voice_measures import MEASURES, Measure

Change = Literal["more", "less", "same", "unknown"]

LEAST_POINTS = 0.05
"""Probabilities that differ by less are the same, however sure."""

ERRORS = 2.0
CLIPS_AS_ONE = 2.0
FEWEST_CLIPS = 3
"""Of fewer clips on either side nothing can be said of the spread."""


@dataclass(frozen=True)
class Difference:
    """Second minus first; ``error`` is its standard error, None where clips are too few."""

    before: float
    after: float
    error: float | None
    least: float

    @property
    def value(self) -> float:
        return self.after - self.before

    @property
    def change(self) -> Change:
        if self.error is None:
            return "unknown"
        if abs(self.value) < max(self.least, ERRORS * self.error):
            return "same"
        return "more" if self.value > 0 else "less"

    @property
    def range(self) -> float | None:
        """Half of the interval that holds the true difference, mostly (two standard errors)."""
        return None if self.error is None else ERRORS * self.error


@dataclass(frozen=True)
class TagDifference:
    """How a tag differs between two voices."""

    name: str
    difference: Difference

    @property
    def label(self) -> str:
        return self.name.capitalize()

    @property
    def words(self) -> str:
        """``clearly more breathy``, ``a little less bright``, ``no clear difference``."""
        change = self.difference.change
        if change == "unknown":
            return "too few clips to tell"
        if change == "same":
            return "no clear difference"
        size = "clearly" if abs(self.difference.value) >= 0.2 else "a little"
        return f"{size} {change} {self.name}"


@dataclass(frozen=True)
class MeasureDifference:
    """How a measure differs between two voices."""

    measure: Measure
    difference: Difference

    @property
    def words(self) -> str:
        change = self.difference.change
        if change == "unknown":
            return "too few clips to tell"
        if change == "same":
            return "no clear difference"
        return "higher" if change == "more" else "lower"


@dataclass(frozen=True)
class Comparison:
    """Two voices compared, tags and measures that both have."""

    tags: Sequence[TagDifference]
    measures: Sequence[MeasureDifference]

    @property
    def summary(self) -> str:
        """What changed, in one sentence, the second voice against the first."""
        clear = [tag for tag in self.tags if tag.difference.change in ("more", "less")]
        clear.sort(key=lambda tag: -abs(tag.difference.value))
        if not clear:
            return "No clear difference in any tag."
        text = ", ".join(tag.words for tag in clear)
        return f"B is {text}."


def compare(before: Voice, after: Voice) -> Comparison:
    """Compare two voices, the second against the first."""
    shared = [tag.name for tag in before.tags if any(tag.name == one.name for one in after.tags)]
    known = {tag.name: tag.probability for tag in before.tags}
    newer = {tag.name: tag.probability for tag in after.tags}
    tags = [
        TagDifference(
            name,
            Difference(
                before=known[name],
                after=newer[name],
                error=_error(_tag_values(before, name), _tag_values(after, name)),
                least=LEAST_POINTS,
            ),
        )
        for name in shared
    ]
    measures = [
        MeasureDifference(
            measure,
            Difference(
                before=before.evidence[name].value,
                after=after.evidence[name].value,
                error=_error(_measure_values(before, name), _measure_values(after, name)),
                least=measure.clear_beyond,
            ),
        )
        for name, measure in MEASURES.items()
        if name in before.evidence and name in after.evidence
    ]
    return Comparison(tags, measures)


def standard_error(values: Sequence[float]) -> float | None:
    """Standard error of the mean of clips, of which two count as one; None of fewer than three."""
    if len(values) < FEWEST_CLIPS:
        return None
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return math.sqrt(variance * CLIPS_AS_ONE / len(values))


def _error(before: Sequence[float], after: Sequence[float]) -> float | None:
    one, other = standard_error(before), standard_error(after)
    return None if one is None or other is None else math.hypot(one, other)


def _tag_values(voice: Voice, name: str) -> list[float]:
    return _values(voice.clips, lambda clip: clip.tags.get(name))


def _measure_values(voice: Voice, name: str) -> list[float]:
    return _values(voice.clips, lambda clip: clip.measures.get(name))


def _values(clips: Sequence[Clip], of: Callable[[Clip], float | None]) -> list[float]:
    return [value for clip in clips if (value := of(clip)) is not None]
