"""Checks of what came in with a recording or an export: hum, resonances, lossy sources, overs."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.mixing.findings import (
    LARGEST_MOVE_DB,
    Advice,
    Case,
    Check,
    Finding,
    Where,
    register,
)

INAUDIBLE_HUM_DB = -60.0
"""Beside the level of the track."""

LOUD_HUM_DB = -35.0
WIDE_LOSSY_HZ = 19_000.0
UNSURE_LOSSY_HZ = 19_800.0
NARROWEST_CUT_Q = 20.0
WIDEST_CUT_Q = 5.0
OVERS_PER_MINUTE = 10.0


@register
class HumCheck(Check):
    id = "hum"
    category = "technical"

    def findings(self, case: Case) -> Iterator[Finding]:
        hum = case.evidence.hum
        if hum is None or hum.level_db < INAUDIBLE_HUM_DB:
            return
        over = hum.level_db - INAUDIBLE_HUM_DB
        heard = ", ".join(f"{line:.0f}" for line in hum.lines_hz[:4])
        yield self.found(
            severity="warning" if hum.level_db > LOUD_HUM_DB else "advice",
            title=f"Mains hum at {hum.mains_hz:.0f} Hz",
            explanation=(
                f"Steady tones at {heard} Hz run through the whole track, {-hum.level_db:.0f} dB "
                "below it: a ground loop, a power supply or an unbalanced cable. They are heard "
                "in quiet places, and a limiter lifts them."
            ),
            where=Where(low_hz=hum.lines_hz[0], high_hz=hum.lines_hz[-1]),
            amount_db=over,
            confidence=min(0.95, 0.5 + 0.08 * len(hum.lines_hz)),
            importance=0.1 * over,
            advice=Advice(
                "Find the recorded track that carries it. Put very narrow cuts (Q 30 or more) at "
                f"{hum.freq_hz:.1f} Hz and its multiples there, or a hum remover, and gate pauses."
            ),
        )


@register
class ResonanceCheck(Check):
    id = "resonance"
    category = "technical"

    def findings(self, case: Case) -> Iterator[Finding]:
        for resonance in case.evidence.resonances[:1]:
            gain_db = -round(min(LARGEST_MOVE_DB, max(1.0, resonance.level_db / 2)), 1)
            q = round(min(NARROWEST_CUT_Q, max(WIDEST_CUT_Q, resonance.q)), 1)
            width_hz = resonance.freq_hz / resonance.q
            yield self.found(
                severity="advice",
                title=f"Rings at {resonance.freq_hz:,.0f} Hz",
                explanation=(
                    f"A narrow peak stands at least {resonance.level_db:.1f} dB above its "
                    f"surroundings in {100 * resonance.share:.0f} % of the track, whatever is "
                    "played: a room, a cabinet, or a filter. It makes one pitch stick out and "
                    "tires the ear."
                ),
                where=Where(
                    low_hz=round(resonance.freq_hz - width_hz / 2, 1),
                    high_hz=round(resonance.freq_hz + width_hz / 2, 1),
                ),
                amount_db=resonance.level_db,
                confidence=min(0.85, 0.3 + 0.05 * resonance.level_db + 0.3 * resonance.share),
                importance=0.4 * resonance.level_db,
                advice=Advice(
                    f"Cut {-gain_db:.1f} dB with a bell at {resonance.freq_hz:,.0f} Hz, Q {q:g}, "
                    "best on the track that rings; leave it if it is a held note that you want.",
                    type="bell",
                    freq_hz=resonance.freq_hz,
                    q=q,
                    gain_db=gain_db,
                ),
            )


@register
class LossySourceCheck(Check):
    id = "lossy_source"
    category = "technical"

    def findings(self, case: Case) -> Iterator[Finding]:
        cutoff_hz = case.evidence.codec_cutoff_hz
        if cutoff_hz is None or not case.evidence.lossless:
            return
        khz = cutoff_hz / 1_000.0
        yield self.found(
            severity="warning" if cutoff_hz < WIDE_LOSSY_HZ else "advice",
            title=f"Cut off at {khz:.1f} kHz, like an MP3",
            explanation=(
                f"The spectrum ends like a wall at {khz:.1f} kHz, though the file is lossless. "
                "Lossy encoders leave such a wall, and so does a lower sample rate. Streaming "
                "services encode once more, and the losses add up."
            ),
            where=Where(low_hz=cutoff_hz, high_hz=max(20_000.0, cutoff_hz)),
            confidence=0.9 if cutoff_hz < UNSURE_LOSSY_HZ else 0.6,
            importance=3.0 if cutoff_hz < WIDE_LOSSY_HZ else 1.0,
            advice=Advice(
                "Export again from the session as WAV or FLAC, and look for samples, stems or "
                "a master that came as MP3 or AAC."
            ),
        )


@register
class InterSampleOversCheck(Check):
    id = "inter_sample_overs"
    category = "loudness"

    def findings(self, case: Case) -> Iterator[Finding]:
        evidence = case.evidence
        overs = evidence.inter_sample_overs
        if not overs:
            return
        per_minute = 60.0 * overs / max(evidence.duration_s, 1.0)
        times = evidence.inter_sample_overs_at_s
        places = "place" if overs == 1 else "places"
        peak = evidence.true_peak_dbtp
        yield self.found(
            severity="advice" if per_minute > OVERS_PER_MINUTE else "info",
            title=f"Peaks between samples exceed full scale in {overs:,} {places}",
            explanation=(
                "The samples themselves stay below full scale, but the wave that a converter "
                "draws through them does not: it may crackle on a listener's device."
            ),
            where=Where(start_s=times[0], end_s=times[-1]) if times else None,
            amount_db=peak if peak is not None and peak > 0 else None,
            importance=0.8,
            advice=Advice("Switch the limiter to true-peak mode, with its ceiling at -1 dBTP."),
        )
