"""The check of the tonal balance: which equaliser moves explain how a mix leaves its target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from analysis.mixing.evidence import Evidence
from analysis.mixing.findings import (
    LARGEST_MOVE_DB,
    Advice,
    Case,
    Category,
    Check,
    CurveVerdict,
    Finding,
    StemShare,
    Where,
    register,
)
from analysis.mixing.targets import GenreTarget
from analysis.mixing.tonal_moves import Deviation, TonalModel
from analysis.mixing.tonal_times import strongest_stretch
from analysis.sound import mel
from analysis.sound.balance import pictured_up_to_hz
from analysis.sound.band_course import BandCourse
from analysis.sound.equaliser import Move
from analysis.sound.spectrum import BANDS

SMALLEST_WORTH_DB = 0.5
"""Nearer than this to the corridor, nothing is said: the corridor's edge is not that sharp."""

ADVICE_DB = 1.5
WARNING_DB = 3.5
INSIDE_DB = 1.0
"""So much further than to its edge a move aims, so that the mix ends inside the corridor."""

NEIGHBOUR_OCTAVES = 1.1
MOST_MONO_LOSS_DB = 10.0
CORE_OCTAVES = 0.4
"""A bell is strongest within so many octaves of its centre."""
LEAST_SHARE = 0.5
"""From this share on a stem is named as the place of a finding."""


@dataclass(frozen=True)
class BandWords:
    """How people call a band, and what too much or too little of it sounds like."""

    label: str
    too_much: str
    too_little: str


WORDS: dict[str, BandWords] = {
    "sub": BandWords(
        "Sub bass",
        "Deep rumble eats headroom and makes limiters pump, mostly unheard on small speakers.",
        "The low end loses its weight on large speakers and headphones.",
    ),
    "bass": BandWords(
        "Bass",
        "Too much here makes the mix boomy and hides the kick behind the bass.",
        "Too little here leaves the mix thin and without a foundation.",
    ),
    "low_mids": BandWords(
        "Low mids",
        "Build-up here sounds muddy: instruments blur into each other.",
        "A hollow place here takes warmth and body from voices and guitars.",
    ),
    "mids": BandWords(
        "Mids",
        "Too much here sounds boxy or honky and pushes everything to the front.",
        "Too little here moves voices and lead instruments behind the rest.",
    ),
    "high_mids": BandWords(
        "High mids",
        "The ear is most sensitive here: too much sounds harsh and tires quickly.",
        "Too little here takes attack and intelligibility.",
    ),
    "presence": BandWords(
        "Presence",
        "Too much here sounds sharp and brings out hissing consonants.",
        "Too little here sounds veiled, as if behind a curtain.",
    ),
    "brilliance": BandWords(
        "Brilliance",
        "Too much here sounds fizzy and brings out hiss and cymbals.",
        "Too little here takes air and openness.",
    ),
}


@dataclass(frozen=True)
class Unjudged:
    """Why the tone of a mix cannot be judged, and what to do, both for people."""

    reason: str
    remedy: str


def unjudged_because(evidence: Evidence) -> Unjudged | None:
    """Why the tone of a mix cannot be judged; None if it can."""
    if evidence.sample_rate < 2.0 * pictured_up_to_hz():
        return Unjudged(
            f"At a sample rate of {evidence.sample_rate:,} Hz the file ends at "
            f"{_hertz(evidence.sample_rate / 2)}, too low to be compared with finished tracks.",
            "Upload the mix at 44.1 kHz or more.",
        )
    if evidence.channels > 1 and evidence.mono_loss_db > MOST_MONO_LOSS_DB:
        return Unjudged(
            "Tone is compared in mono, and in mono left and right cancel each other: what is left "
            "says nothing of the mix.",
            "Flip the polarity of one channel first, then listen again.",
        )
    return None


@register
class ToneUnjudgedCheck(Check):
    id = "tone_unjudged"
    category = "technical"

    def findings(self, case: Case) -> Iterator[Finding]:
        why = unjudged_because(case.evidence)
        if why is None:
            return
        yield self.found(
            severity="info",
            title="The tone is not judged",
            explanation=why.reason,
            importance=0.5,
            advice=Advice(why.remedy),
        )


@register
class TonalCheck(Check):
    """Where the tonal balance leaves the target, as the equaliser moves that explain it."""

    id = "tonal"
    category: ClassVar[Category] = "tonal"

    def findings(self, case: Case) -> Iterator[Finding]:
        if case.deviation_db is None or case.curve is None:
            return
        moves = advisable_moves(case.tonal, case.target, case.curve, case.deviation_db)
        taken: Counter[str] = Counter()
        for found in moves:
            band = band_of(found.move)
            taken[band] += 1
            suffix = f"_{taken[band]}" if taken[band] > 1 else ""
            yield self._finding(case, found, id=f"tonal_{band}{suffix}")

    def _finding(self, case: Case, found: Deviation, *, id: str) -> Finding:
        words = WORDS[band_of(found.move)]
        high = found.outside_db > 0
        size = abs(found.outside_db)
        finding = self.found(
            severity="warning" if size >= WARNING_DB else "advice" if size >= ADVICE_DB else "info",
            title=_title(found),
            explanation=(
                f"{words.too_much if high else words.too_little} Against the rest of its spectrum "
                f"it is {abs(found.size_db):.1f} dB {'above' if high else 'below'} the middle of "
                f"{case.target.tracks_in_words}; {_corridor_in_words(case.target, size)}"
            ),
            where=_in_time(_where(found.move), found, case.evidence.band_course),
            amount_db=found.outside_db,
            confidence=_confidence(case.target, case.tonal, found),
            importance=size,
            advice=_advice(found),
        )
        stems = stem_shares(case, finding.where)
        if stems:
            finding = replace(finding, explanation=f"{finding.explanation} {_whose(stems)}")
        return replace(finding, id=id, stems=stems)


def advisable_moves(
    model: TonalModel,
    target: GenreTarget,
    curve: CurveVerdict,
    deviation_db: npt.NDArray[np.float64],
) -> list[Deviation]:
    """The moves that explain a deviation, without those that would fight or that pull at a place
    where the curve lies inside its corridor."""
    found = model.explain(deviation_db, target.moves, smallest_db=SMALLEST_WORTH_DB)
    return without_conflicts([one for one in found if leaves_corridor(one, curve)])


def leaves_corridor(found: Deviation, curve: CurveVerdict) -> bool:
    """Whether the curve itself is outside on the same side where a move is strongest."""
    n = len(curve.level_db)
    octaves = np.log2(np.array(curve.frequencies_hz[:n]) / found.move.freq_hz)
    reached = {
        "bell": np.abs(octaves) <= CORE_OCTAVES,
        "low_shelf": octaves <= 0,
        "high_shelf": octaves >= 0,
    }[found.move.type]
    level = np.array(curve.level_db)
    if found.outside_db > 0:
        return bool((level > np.array(curve.p90[:n]))[reached].any())
    return bool((level < np.array(curve.p10[:n]))[reached].any())


def stem_shares(case: Case, where: Where) -> list[StemShare]:
    """Shares of the stems in the power of a range of frequencies, the largest first."""
    levels = case.evidence.stems_db
    if not levels or where.low_hz is None or where.high_hz is None:
        return []
    hertz = case.tonal.frequencies_hz
    inside = (hertz >= where.low_hz) & (hertz <= where.high_hz)
    powers = {
        name: float((10.0 ** (np.array(rows)[inside] / 10.0)).sum())
        for name, rows in levels.items()
    }
    whole = max(sum(powers.values()), 1e-30)
    shares = [StemShare(name, round(power / whole, 3)) for name, power in powers.items()]
    return sorted(shares, key=lambda stem: (-stem.share, stem.name))


def _whose(stems: Sequence[StemShare]) -> str:
    first, second = stems[0], stems[1]
    if first.share < LEAST_SHARE:
        return f"It is shared by “{first.name}” ({first.share:.0%}) and “{second.name}”."
    return f"{first.share:.0%} of the sound there is “{first.name}”."


def without_conflicts(found: Sequence[Deviation]) -> list[Deviation]:
    """Drop the smaller of two opposite moves less than an octave apart: they would fight."""
    kept: list[Deviation] = []
    for one in sorted(found, key=lambda deviation: -abs(deviation.outside_db)):
        opposed = any(
            one.outside_db * other.outside_db < 0
            and abs(np.log2(one.move.freq_hz / other.move.freq_hz)) < NEIGHBOUR_OCTAVES
            for other in kept
        )
        if not opposed:
            kept.append(one)
    return kept


def band_of(move: Move) -> str:
    """Name of the band that a move's centre lies in; a shelf's is beyond its corner."""
    beyond = {"bell": 1.0, "low_shelf": 2.0**-0.5, "high_shelf": 2.0**0.5}[move.type]
    at_hz = move.freq_hz * beyond
    return next((name for name, _, high_hz in BANDS if at_hz < high_hz), BANDS[-1][0])


def _title(found: Deviation) -> str:
    hertz = _hertz(found.move.freq_hz)
    high = found.outside_db > 0
    if found.move.type == "low_shelf":
        return f"{'A lot' if high else 'Little'} below {hertz}"
    if found.move.type == "high_shelf":
        return f"{'A lot' if high else 'Little'} above {hertz}"
    return f"{'Build-up' if high else 'Hollow'} around {hertz}"


def _where(move: Move) -> Where:
    if move.type == "low_shelf":
        return Where(low_hz=20.0, high_hz=round(move.freq_hz, 1))
    if move.type == "high_shelf":
        return Where(low_hz=round(move.freq_hz, 1), high_hz=mel.SAMPLE_RATE / 2)
    return Where(
        low_hz=round(move.freq_hz * 2.0**-0.5, 1), high_hz=round(move.freq_hz * 2.0**0.5, 1)
    )


def advised_gain_db(found: Deviation) -> float:
    """Back to a little inside the corridor, never further than the largest move."""
    size = min(LARGEST_MOVE_DB, abs(found.outside_db) + INSIDE_DB)
    return round(-float(np.sign(found.outside_db)) * size, 1)


def _in_time(where: Where, found: Deviation, course: BandCourse | None) -> Where:
    """With the stretch where it is strongest, if it is not so all along."""
    if course is None:
        return where
    stretch = strongest_stretch(
        course.levels_db,
        step_s=course.step_s,
        band=band_of(found.move),
        too_much=found.outside_db > 0,
    )
    if stretch is None:
        return where
    return replace(where, start_s=round(stretch[0], 1), end_s=round(stretch[1], 1))


def _advice(found: Deviation) -> Advice:
    gain = advised_gain_db(found)
    move = found.move
    shape = move.type.replace("_", " ")
    place = "at" if move.type == "bell" else "from"
    width = f", Q {move.q:.1f}" if move.type == "bell" else ""
    rest = abs(found.outside_db) + INSIDE_DB - LARGEST_MOVE_DB
    more = (
        " That is as far as one move should go: listen before you go further." if rest > 0 else ""
    )
    return Advice(
        text=(
            f"{'Cut' if gain < 0 else 'Boost'} {abs(gain):.1f} dB with a {shape} {place} "
            f"{_hertz(move.freq_hz)}{width}, best on the tracks that cause it, and compare at "
            f"equal loudness.{more}"
        ),
        type=move.type,
        freq_hz=round(move.freq_hz, 1),
        q=round(move.q, 2),
        gain_db=gain,
    )


def _hertz(frequency_hz: float) -> str:
    """A frequency as people say it: two digits.

    >>> _hertz(317.5), _hertz(1016), _hertz(6451)
    ('320 Hz', '1 kHz', '6.5 kHz')
    """
    digits = 1 - int(np.floor(np.log10(frequency_hz)))
    rounded = round(frequency_hz, digits)
    return f"{rounded / 1000:g} kHz" if rounded >= 1000 else f"{rounded:.0f} Hz"


def _corridor_in_words(target: GenreTarget, outside_db: float) -> str:
    if target.is_own:
        return f"that is {outside_db:.1f} dB outside their range."
    return f"nine in ten of them stay {outside_db:.1f} dB nearer."


def _confidence(target: GenreTarget, model: TonalModel, found: Deviation) -> float:
    """Far outside a narrow corridor measured on many tracks is certain. An own target is what its
    artist says it is, so there its number of tracks does not count."""
    at = model.moves.index(found.move)
    width = max(1.0, target.moves.p90_db[at] - target.moves.p10_db[at])
    known = 1.0 if target.is_own else target.n_tracks / (target.n_tracks + 10.0)
    return min(0.95, (0.5 + abs(found.outside_db) / width) * known)
