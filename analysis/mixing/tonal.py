"""Checks of the seven bands against the genre's corridor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from analysis.mixing.findings import (
    LARGEST_MOVE_DB,
    Advice,
    BandVerdict,
    Case,
    Category,
    Check,
    Finding,
    Where,
    register,
)

SMALLEST_WORTH_DB = 1.0
"""Nearer than this to the corridor, nothing is said: the corridor's edge is not that sharp."""

ADVICE_DB = 2.0
WARNING_DB = 5.0


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


class BandCheck(Check):
    """One band outside the corridor."""

    category: ClassVar[Category] = "tonal"
    band: ClassVar[str]
    shape: ClassVar[str] = "bell"

    def findings(self, case: Case) -> Iterator[Finding]:
        verdict = next(band for band in case.bands if band.name == self.band)
        outside = verdict.outside_db
        size = abs(outside)
        if size < SMALLEST_WORTH_DB:
            return
        words = WORDS[self.band]
        high = outside > 0
        gain = round(max(-LARGEST_MOVE_DB, min(LARGEST_MOVE_DB, -outside)), 1)
        genre = "finished tracks" if case.target.genre == "any" else f"{case.target.genre} tracks"
        yield self.found(
            severity="warning" if size >= WARNING_DB else "advice" if size >= ADVICE_DB else "info",
            title=f"{words.label} {'louder' if high else 'quieter'} than usual",
            explanation=(
                f"{words.too_much if high else words.too_little} Nine in ten {genre} stay "
                f"{'below' if high else 'above'} this level; yours is {size:.1f} dB beyond."
            ),
            where=Where(low_hz=verdict.low_hz, high_hz=verdict.high_hz),
            amount_db=outside,
            confidence=_confidence(verdict, n_tracks=case.target.n_tracks),
            importance=size,
            advice=self._advice(verdict, gain=gain),
        )

    def _advice(self, verdict: BandVerdict, *, gain: float) -> Advice:
        low, high = verdict.low_hz, verdict.high_hz
        if self.shape == "low_shelf":
            freq, q = high, 0.7
        elif self.shape == "high_shelf":
            freq, q = 1.33 * low, 0.7
        else:
            freq, q = (low * high) ** 0.5, (high / low) ** 0.5 / (high / low - 1.0)
        shape = self.shape.replace("_", " ")
        word = "Cut" if gain < 0 else "Boost"
        return Advice(
            text=(
                f"{word} {abs(gain):.1f} dB with a {shape} near {freq:,.0f} Hz, best on the "
                "tracks that cause it, and compare at equal loudness."
            ),
            type=self.shape,
            freq_hz=round(freq, 1),
            q=round(q, 2),
            gain_db=gain,
        )


def _confidence(verdict: BandVerdict, *, n_tracks: int) -> float:
    """Far outside a narrow corridor measured on many tracks is certain."""
    width = max(1.0, verdict.p90 - verdict.p10)
    distance = abs(verdict.outside_db) / width
    return min(0.95, (0.5 + distance) * n_tracks / (n_tracks + 10.0))


@register
class SubCheck(BandCheck):
    id = "tonal_sub"
    band = "sub"
    shape = "low_shelf"


@register
class BassCheck(BandCheck):
    id = "tonal_bass"
    band = "bass"


@register
class LowMidsCheck(BandCheck):
    id = "tonal_low_mids"
    band = "low_mids"


@register
class MidsCheck(BandCheck):
    id = "tonal_mids"
    band = "mids"


@register
class HighMidsCheck(BandCheck):
    id = "tonal_high_mids"
    band = "high_mids"


@register
class PresenceCheck(BandCheck):
    id = "tonal_presence"
    band = "presence"


@register
class BrillianceCheck(BandCheck):
    id = "tonal_brilliance"
    band = "brilliance"
    shape = "high_shelf"
