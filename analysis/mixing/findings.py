"""What a finding is, and the registry of the checks that make them.

A check is a declarative class: what it is about, how grave, why it matters. The engine runs all
registered checks over the evidence; a new check needs no other change than its own class.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from analysis.mixing.evidence import Evidence
from analysis.mixing.targets import GenreTarget
from analysis.mixing.tonal_moves import TonalModel

Category = Literal["tonal", "voice", "loudness", "dynamics", "stereo", "technical"]
Severity = Literal["info", "advice", "warning"]

SEVERITY_RANK: dict[str, int] = {"warning": 2, "advice": 1, "info": 0}
LARGEST_MOVE_DB = 3.0
SMALLEST_MOVE_DB = 0.5
_HYPHEN_MINUS = re.compile(r"(?<![\w.])-(?=\d)")


@dataclass(frozen=True)
class Where:
    """Frequencies in Hz and times in seconds that a finding is about; None for everywhere."""

    low_hz: float | None = None
    high_hz: float | None = None
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True)
class Advice:
    """What to do. The equaliser move is set only where one is advised.

    ``type`` is bell, low_shelf or high_shelf; ``gain_db`` never exceeds 3 dB either way.
    """

    text: str
    type: str | None = None
    freq_hz: float | None = None
    q: float | None = None
    gain_db: float | None = None

    def at_gain(self, gain_db: float) -> Advice:
        """The same move, smaller; without a move where hardly anything is left of it."""
        if abs(gain_db) < SMALLEST_MOVE_DB:
            return Advice("The other moves reach here already: make them first, and listen again.")
        text = self.text.replace(f"{abs(self.gain_db or 0.0):.1f} dB", f"{abs(gain_db):.1f} dB", 1)
        return replace(self, text=text, gain_db=gain_db)


@dataclass(frozen=True)
class StemShare:
    """A stem's share (0..1) of the power where a finding lies."""

    name: str
    share: float


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing about a mix.

    ``amount_db`` is how far the measurement lies outside what is usual, None where decibels do
    not apply. ``confidence`` is 0..1. ``importance`` orders findings of the same severity.
    ``stems`` say whose sound it is, the largest first, where stems were at hand.
    """

    id: str
    category: Category
    severity: Severity
    title: str
    explanation: str
    where: Where
    amount_db: float | None
    confidence: float
    advice: Advice
    importance: float
    stems: list[StemShare] = field(default_factory=list)


@dataclass(frozen=True)
class BandVerdict:
    """One band of a mix beside its corridor, all in dB relative to the whole.

    ``level_db`` is aligned to the genre and comparable with the corridor; ``measured_db`` is the
    plain level. ``outside_db`` is 0 inside the corridor, else the signed distance to it.
    """

    name: str
    label: str
    low_hz: float
    high_hz: float
    level_db: float
    measured_db: float
    p10: float
    median: float
    p90: float
    outside_db: float


@dataclass(frozen=True)
class CurveVerdict:
    """A mix's third octaves beside the target's, all in dB relative to the whole, one value for
    each of ``frequencies_hz``.

    ``level_db`` is aligned to the target as the bands are; ``measured_db`` is the plain level.
    Points above ``measured_up_to_hz`` are not judged: the target there is a model.
    """

    frequencies_hz: list[float]
    level_db: list[float]
    measured_db: list[float]
    p10: list[float]
    median: list[float]
    p90: list[float]
    measured_up_to_hz: float


@dataclass(frozen=True)
class VocalVerdict:
    """A voice's balance (see :class:`analysis.sound.vocal_balance.VocalBalance`) beside the range
    of ``n_tracks`` sung tracks, in LU. The range is None where the target has none, and that of
    all genres (``genre`` is ``any``) where in the target's own hardly anybody sings.

    ``outside_db`` is 0 inside the range, else the signed distance to it.
    """

    ratio_lu: float
    sung_share: float
    buried_at_s: float | None
    leading_at_s: float | None
    genre: str | None
    n_tracks: int | None
    p10_lu: float | None
    median_lu: float | None
    p90_lu: float | None
    outside_db: float | None


@dataclass(frozen=True)
class Case:
    """Everything that a check may look at.

    ``curve`` is None where none was measured. ``deviation_db`` (points,) is how it differs from
    the target's middle, on the points of ``tonal``, free of level.
    """

    evidence: Evidence
    bands: list[BandVerdict]
    target: GenreTarget
    tonal: TonalModel
    curve: CurveVerdict | None
    deviation_db: npt.NDArray[np.float64] | None


class Check(ABC):
    """One kind of finding. Subclasses state id and category and implement :meth:`findings`."""

    id: ClassVar[str]
    category: ClassVar[Category]

    @abstractmethod
    def findings(self, case: Case) -> Iterator[Finding]:
        """The findings of this kind; none where all is well."""

    def found(
        self,
        *,
        severity: Severity,
        title: str,
        explanation: str,
        advice: Advice,
        where: Where | None = None,
        amount_db: float | None = None,
        confidence: float = 1.0,
        importance: float = 1.0,
    ) -> Finding:
        """A finding of this check."""
        return Finding(
            id=self.id,
            category=self.category,
            severity=severity,
            title=_with_minus_signs(title),
            explanation=_with_minus_signs(explanation),
            where=where or Where(),
            amount_db=None if amount_db is None else round(amount_db, 2),
            confidence=round(confidence, 2),
            advice=replace(advice, text=_with_minus_signs(advice.text)),
            importance=round(importance, 3),
        )


def _with_minus_signs(text: str) -> str:
    """Negative numbers with a true minus sign, as everywhere on the pages."""
    return _HYPHEN_MINUS.sub("−", text)


CHECKS: list[Check] = []


def register(check: type[Check]) -> type[Check]:
    """Class decorator: run this check on every mix. Refuses a second check of the same id."""
    if any(known.id == check.id for known in CHECKS):
        raise ValueError(f"a check named {check.id!r} is already registered")
    CHECKS.append(check())
    return check
