"""What is said about a voice: tags with their spread, measured evidence, and where it is so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.sound.voice.measures import VoiceMeasures

SCHEMA = 1


@dataclass(frozen=True)
class Evidence:
    """A measure's value and its percentile among the reference voices (0..100)."""

    value: float | None
    percentile: float | None

    def to_document(self) -> dict[str, float | None]:
        """For JSON."""
        return {"value": _rounded(self.value, 4), "percentile": _rounded(self.percentile, 1)}


@dataclass(frozen=True)
class Tag:
    """A tag of the whole recording.

    ``probability`` is the mean over its clips, ``low`` and ``high`` the 10th and 90th percentile of
    them. ``speaks`` are the measures that belong to it: +1 where a high one speaks for the tag.
    """

    probability: float
    low: float
    high: float
    speaks: Mapping[str, int]

    def to_document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "probability": _rounded(self.probability, 6),
            "spread": {"p10": _rounded(self.low, 6), "p90": _rounded(self.high, 6)},
            "measures": dict(self.speaks),
        }


@dataclass(frozen=True)
class Moment:
    """A stretch in which a tag stands out: the network's answer there is higher than for the
    recording, and its attention lies on it."""

    tag: str
    start_s: float
    end_s: float
    probability: float

    def to_document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "tag": self.tag,
            "start_s": round(self.start_s, 2),
            "end_s": round(self.end_s, 2),
            "probability": _rounded(self.probability, 4),
        }


@dataclass(frozen=True)
class Segment:
    """One clip: its times, tags, measures with percentiles, and moments."""

    start_s: float
    end_s: float
    tags: Mapping[str, float]
    evidence: Mapping[str, Evidence]
    moments: tuple[Moment, ...]
    voiced_share: float
    over_accompaniment_db: float | None

    def to_document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "tags": {tag: _rounded(value, 6) for tag, value in self.tags.items()},
            "evidence": {name: one.to_document() for name, one in self.evidence.items()},
            "moments": [moment.to_document() for moment in self.moments],
            "voiced_share": _rounded(self.voiced_share, 3),
            "over_accompaniment_db": _rounded(self.over_accompaniment_db, 1),
        }


@dataclass(frozen=True)
class VoiceReport:
    """All of it. Without singing, ``tags``, ``evidence`` and ``segments`` are empty and ``reason``
    says why nothing was found."""

    model: str
    duration_s: float
    tags: Mapping[str, Tag]
    evidence: Mapping[str, Evidence]
    segments: tuple[Segment, ...]
    reason: str | None
    faint_clips: int
    clips_left_out: int
    reference_clips: int
    reference_singers: int

    @property
    def singing(self) -> bool:
        """Whether there is a voice to speak of."""
        return bool(self.segments)

    def to_document(self) -> dict[str, Any]:
        """The document that ``manage.py analyze_vocal --json`` prints (docs/voice.md)."""
        return {
            "schema": SCHEMA,
            "engine": "timbre",
            "model": self.model,
            "duration_s": round(self.duration_s, 3),
            "singing": self.singing,
            "reason": self.reason,
            "tags": {name: tag.to_document() for name, tag in self.tags.items()},
            "evidence": {name: one.to_document() for name, one in self.evidence.items()},
            "segments": [segment.to_document() for segment in self.segments],
            "clips": {
                "used": len(self.segments),
                "faint": self.faint_clips,
                "left_out": self.clips_left_out,
            },
            "reference": {"clips": self.reference_clips, "singers": self.reference_singers},
        }


def evidence_of(
    measures: VoiceMeasures | Mapping[str, float | None], percentile: Any
) -> dict[str, Evidence]:
    """Every measure with ``percentile(name, value)``."""
    values = measures.as_dict() if isinstance(measures, VoiceMeasures) else measures
    return {name: Evidence(value, percentile(name, value)) for name, value in values.items()}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)
