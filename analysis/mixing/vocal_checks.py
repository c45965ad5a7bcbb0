"""Does the voice stand where voices of the genre stand? Only asked where stems are at hand."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.mixing.findings import (
    LARGEST_MOVE_DB,
    Advice,
    Case,
    Check,
    Finding,
    VocalVerdict,
    Where,
    register,
)
from analysis.mixing.targets import ANY_GENRE

SMALLEST_WORTH_DB = 1.0
"""Through the starter the balance of 29 known mixes was within 1.0 dB of the true one in the mean
(docs/mixing.md): less than that outside the range says nothing."""

INSIDE_DB = 0.5
GRAVE_DB = 3.0
_PHRASE_S = 3.0


@register
class VocalBalanceCheck(Check):
    """A voice that 80 % of the genre's sung tracks would not have so low, or so high."""

    id = "vocal_balance"
    category = "voice"

    def findings(self, case: Case) -> Iterator[Finding]:
        voice = vocal_verdict(case)
        if voice is None or voice.outside_db is None or voice.p10_lu is None:
            return
        outside = voice.outside_db
        if abs(outside) < SMALLEST_WORTH_DB:
            return
        low = outside < 0
        move_db = min(abs(outside) + INSIDE_DB, LARGEST_MOVE_DB)
        at_s = voice.buried_at_s if low else voice.leading_at_s
        yield self.found(
            severity="warning" if abs(outside) >= GRAVE_DB else "advice",
            title="The voice is buried" if low else "The voice stands far in front",
            explanation=(
                f"Where somebody sings, the voice is {_apart(voice.ratio_lu)} the rest; in eight "
                f"of ten sung {_tracks(voice)} it lies between {_signed(voice.p10_lu)} and "
                f"{_signed(voice.p90_lu or 0.0)} LU. "
                + (
                    "Listeners strain for the words, above all on small speakers."
                    if low
                    else "The band sounds small behind it."
                )
            ),
            where=Where(
                start_s=None if at_s is None else max(0.0, at_s - _PHRASE_S / 2),
                end_s=None if at_s is None else at_s + _PHRASE_S / 2,
            ),
            amount_db=outside,
            confidence=min(0.5 + 0.1 * abs(outside), 0.9),
            importance=abs(outside),
            advice=Advice(
                f"Turn the voice {'up' if low else 'down'} by {move_db:.1f} dB"
                + (
                    ", or make room for it between 1 and 4 kHz in what plays beside it"
                    if low
                    else ", or bring the band up by as much"
                )
                + "; then listen again."
            ),
        )


def vocal_verdict(case: Case) -> VocalVerdict | None:
    """The voice beside the target's range; None where nothing was measured."""
    found, usual = case.evidence.vocal_balance, case.target.vocals
    if found is None:
        return None
    return VocalVerdict(
        ratio_lu=found.ratio_lu,
        sung_share=found.sung_share,
        buried_at_s=found.buried_at_s,
        leading_at_s=found.leading_at_s,
        genre=usual.genre if usual else None,
        n_tracks=usual.n_tracks if usual else None,
        p10_lu=usual.p10_lu if usual else None,
        median_lu=usual.median_lu if usual else None,
        p90_lu=usual.p90_lu if usual else None,
        outside_db=round(usual.outside_db(found.ratio_lu), 2) if usual else None,
    )


def _tracks(voice: VocalVerdict) -> str:
    return "tracks" if voice.genre in (None, ANY_GENRE) else f"{voice.genre} tracks"


def _apart(ratio_lu: float) -> str:
    if abs(ratio_lu) < 0.05:
        return "as loud as"
    return f"{abs(ratio_lu):.1f} LU {'louder' if ratio_lu > 0 else 'quieter'} than"


def _signed(ratio_lu: float) -> str:
    return f"{ratio_lu:+.1f}".replace("-", "−")
