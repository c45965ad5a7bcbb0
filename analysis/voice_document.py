"""The document of the voice stage, read into what pages show. No Django here.

A document is what ``manage.py analyze_vocal FILE --json`` prints (``docs/voice.md``): ``tags`` with
a probability and its spread over the clips, ``evidence`` with measured values and their percentiles
among the reference voices, and ``segments`` with both for each sung clip.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.sound.timbre_simulation import TAGS
from analysis.voice_measures import MEASURES, MEASURES_OF_TAG, Measure

UNDECIDED_WITHIN = 0.1
"""A probability this near to one half, or nearer, says nothing."""

CLEARLY_BEYOND = 0.75
MOST_EVIDENCE = 3
"""Measures that are shown beside a tag."""

SPREAD_FROM_CLIPS = 3
"""A spread of fewer clips says nothing."""


@dataclass(frozen=True)
class Moment:
    """A stretch within a clip in which a tag stands out, with its probability there."""

    tag: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True)
class Clip:
    """A sung clip of 3 to 5 s: probabilities (0..1) of its tags, its measures, and the moments in
    which a tag stands out."""

    start_s: float
    end_s: float
    tags: Mapping[str, float]
    measures: Mapping[str, float]
    moments: Sequence[Moment] = ()


@dataclass(frozen=True)
class Evidence:
    """One measure of the whole voice.

    ``percentile``: it is higher than this share (0..100) of the reference voices; None if unknown.
    """

    measure: Measure
    value: float
    percentile: float | None

    @property
    def place(self) -> str:
        """Where it stands among the reference voices, in words."""
        if self.percentile is None:
            return ""
        share = round(self.percentile)
        if 40 <= share <= 60:
            return "about the middle of the reference voices"
        if share > 60:
            return f"higher than {min(share, 99)} % of the reference voices"
        return f"lower than {min(100 - share, 99)} % of the reference voices"


@dataclass(frozen=True)
class Tag:
    """One tag of the whole voice. ``low`` and ``high`` are the 10th and 90th percentile of its
    clips, None where there are too few of them."""

    name: str
    probability: float
    low: float | None
    high: float | None
    evidence: Sequence[Evidence]

    @property
    def label(self) -> str:
        return self.name.capitalize()

    @property
    def is_decided(self) -> bool:
        return abs(self.probability - 0.5) > UNDECIDED_WITHIN

    @property
    def is_heard(self) -> bool:
        """Whether the voice is like that, at least somewhat."""
        return self.is_decided and self.probability > 0.5

    @property
    def verdict(self) -> str:
        """In words: ``clearly``, ``somewhat``, ``can’t tell``, ``hardly`` or ``not``."""
        if not self.is_decided:
            return "can’t tell"
        if self.probability > 0.5:
            return "clearly" if self.probability >= CLEARLY_BEYOND else "somewhat"
        return "not" if self.probability <= 1.0 - CLEARLY_BEYOND else "hardly"


@dataclass(frozen=True)
class Voice:
    """What was heard of one voice. Without ``clips`` nobody sings, and ``reason`` says why not."""

    tags: Sequence[Tag]
    evidence: Mapping[str, Evidence]
    clips: Sequence[Clip]
    duration_s: float
    sung_s: float
    reason: str = ""

    @property
    def is_singing(self) -> bool:
        return bool(self.clips)

    @property
    def outstanding(self) -> list[Tag]:
        """Decided tags that fit, the strongest first."""
        fit = [tag for tag in self.tags if tag.is_heard]
        return sorted(fit, key=lambda tag: -tag.probability)

    @property
    def summary(self) -> str:
        """One sentence: ``Clearly bright, somewhat breathy.``"""
        words = [f"{tag.verdict} {tag.name}" for tag in self.outstanding]
        if not words:
            return "No tag stands out."
        text = ", ".join(words)
        return f"{text[0].upper()}{text[1:]}."

    def moments_of(self, tag: str) -> list[Moment]:
        """Moments of all clips in which a tag stands out, in the order of time."""
        return [moment for clip in self.clips for moment in clip.moments if moment.tag == tag]

    def clips_with(self, tag: str, *, least: float = 0.5 + UNDECIDED_WITHIN) -> list[Clip]:
        """Clips in which a tag is heard, the strongest first."""
        found = [clip for clip in self.clips if clip.tags.get(tag, 0.0) > least]
        return sorted(found, key=lambda clip: -clip.tags[tag])


def voice_of(document: Mapping[str, Any]) -> Voice:
    """Read a document."""
    clips = [_clip(segment) for segment in document.get("segments") or []]
    evidence = {
        name: found
        for name, entry in (document.get("evidence") or {}).items()
        if (found := _evidence(name, entry)) is not None
    }
    tags = document.get("tags") or {}
    return Voice(
        tags=[
            _tag(name, tags[name], evidence, has_spread=len(clips) >= SPREAD_FROM_CLIPS)
            for name in tag_order(tags)
            if clips
        ],
        evidence=evidence,
        clips=clips,
        duration_s=float(document.get("duration_s") or (clips[-1].end_s if clips else 0.0)),
        sung_s=sum(clip.end_s - clip.start_s for clip in clips),
        reason=str(document.get("reason") or ""),
    )


def tag_order(names: Iterable[str]) -> list[str]:
    """The usual tags first, in their order; then a model's own ones."""
    known = set(names)
    return [*(name for name in TAGS if name in known), *sorted(known.difference(TAGS))]


def _tag(
    name: str, entry: Mapping[str, Any], evidence: Mapping[str, Evidence], *, has_spread: bool
) -> Tag:
    spread = entry.get("spread") or {}
    usual = MEASURES_OF_TAG.get(name, ())
    # What the network was taught, in the usual order: databases do not keep that of a document.
    taught = sorted(
        entry.get("measures") or {},
        key=lambda one: (usual.index(one) if one in usual else len(usual), one),
    )
    known = [one for one in dict.fromkeys([*taught, *usual]) if one in evidence]
    return Tag(
        name=name,
        probability=float(entry["probability"]),
        low=_number(spread, "p10") if has_spread else None,
        high=_number(spread, "p90") if has_spread else None,
        evidence=[evidence[one] for one in known[:MOST_EVIDENCE]],
    )


def _evidence(name: str, entry: Any) -> Evidence | None:
    value = _number(entry, "value")
    if name not in MEASURES or value is None:
        return None
    percentile = _number(entry, "percentile") if isinstance(entry, Mapping) else None
    return Evidence(MEASURES[name], value, percentile)


def _clip(segment: Mapping[str, Any]) -> Clip:
    return Clip(
        start_s=float(segment["start_s"]),
        end_s=float(segment["end_s"]),
        tags=_numbers(segment.get("tags"), "probability"),
        measures=_numbers(segment.get("evidence"), "value"),
        moments=[
            Moment(
                str(moment["tag"]),
                float(moment["start_s"]),
                float(moment["end_s"]),
                float(moment["probability"]),
            )
            for moment in segment.get("moments") or []
        ],
    )


def _numbers(entries: Mapping[str, Any] | None, key: str) -> dict[str, float]:
    return {
        name: value
        for name, entry in (entries or {}).items()
        if (value := _number(entry, key)) is not None
    }


def _number(entry: Any, key: str) -> float | None:
    """A finite number, given as it is or under a key; None otherwise."""
    value = entry.get(key) if isinstance(entry, Mapping) else entry
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
