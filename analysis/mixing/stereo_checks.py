"""Checks of the stereo image. A mono file is judged as mono, not as a fault."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.mixing.evidence import Evidence
from analysis.mixing.findings import Advice, Case, Check, Finding, Where, register

LEAST_CORRELATION = 0.0
LARGEST_MONO_LOSS_DB = 4.0
LEAST_LOW_CORRELATION = 0.3
LONGEST_NEGATIVE_S = 3
SMALLEST_WIDTH = 0.0005
LARGEST_BALANCE_DB = 1.5
WARNING_BALANCE_DB = 4.0
INVERTED_CORRELATION = -0.3
LARGEST_BAND_LOSS_DB = 4.0
SOFTEST_BAND_DB = -30.0
LARGEST_LOW_END_LOSS_DB = 1.0
GRAVE_LOW_END_LOSS_DB = 2.0
SOFTEST_LOW_END_DB = -25.0


@register
class PhaseCheck(Check):
    id = "phase"
    category = "stereo"

    def findings(self, case: Case) -> Iterator[Finding]:
        evidence = case.evidence
        if evidence.channels < 2 or evidence.correlation is None:
            return
        loss = evidence.mono_loss_db
        if cancels_in_mono(evidence):
            inverted = is_inverted(evidence)
            yield self.found(
                severity="warning",
                title=(
                    "One channel is inverted"
                    if inverted
                    else "Left and right cancel each other in mono"
                ),
                explanation=(
                    f"Correlation is {evidence.correlation:.2f}: on phones, club systems and "
                    f"smart speakers, which play mono, the track loses {loss:.1f} dB."
                ),
                amount_db=loss,
                confidence=0.95 if inverted else 0.85,
                importance=loss,
                advice=Advice(
                    "Flip the polarity of the left or the right channel and listen in mono: the "
                    "bass and the centre should come back."
                    if inverted
                    else "Listen in mono and flip the polarity of one channel of the widest "
                    "tracks; reduce stereo wideners."
                ),
            )
            return
        stretch = longest_negative_stretch(evidence.correlation_curve)
        if stretch is not None:
            start, end = stretch
            yield self.found(
                severity="advice",
                title=f"Out of phase for {end - start} s",
                explanation=(
                    "In this stretch left and right work against each other: in mono, part of "
                    "the music disappears."
                ),
                where=Where(start_s=float(start), end_s=min(float(end), evidence.duration_s)),
                importance=1.5,
                advice=Advice("Listen to this stretch in mono and narrow what disappears."),
            )


@register
class LowEndCheck(Check):
    id = "phase_low"
    category = "stereo"

    def findings(self, case: Case) -> Iterator[Finding]:
        evidence = case.evidence
        if evidence.channels < 2 or cancels_in_mono(evidence):
            return
        low = evidence.low_end
        if low is None:
            yield from self._from_older_report(evidence)
            return
        loss = low.mono_loss_db
        if loss is None or loss < LARGEST_LOW_END_LOSS_DB:
            return
        if low.level_db is None or low.level_db < SOFTEST_LOW_END_DB:
            return
        yield self.found(
            severity="advice" if loss >= GRAVE_LOW_END_LOSS_DB else "info",
            title="The low end is not in the middle",
            explanation=(
                f"Below {low.high_hz:.0f} Hz left and right differ so much that {loss:.1f} dB go "
                "missing in mono: on vinyl, in clubs and on small speakers the bass is weak and "
                "vague."
            ),
            where=Where(low_hz=low.low_hz, high_hz=low.high_hz),
            amount_db=loss - LARGEST_LOW_END_LOSS_DB,
            confidence=0.9,
            importance=1.0 + 0.5 * loss,
            advice=Advice(f"Make everything below {low.high_hz:.0f} Hz mono."),
        )

    def _from_older_report(self, evidence: Evidence) -> Iterator[Finding]:
        low = evidence.low_band_correlation
        if low is None or low >= LEAST_LOW_CORRELATION:
            return
        yield self.found(
            severity="advice",
            title="The low end is not in the middle",
            explanation=(
                f"Below 250 Hz the correlation is {low:.2f}: the bass loses power in mono and on "
                "vinyl, and feels vague on large systems."
            ),
            where=Where(low_hz=20.0, high_hz=250.0),
            importance=1.5 + (LEAST_LOW_CORRELATION - low),
            advice=Advice("Make everything below 120 Hz mono."),
        )


@register
class BandMonoLossCheck(Check):
    id = "mono_loss"
    category = "stereo"

    def findings(self, case: Case) -> Iterator[Finding]:
        evidence = case.evidence
        if evidence.channels < 2 or cancels_in_mono(evidence):
            return
        lost = [
            (image.mono_loss_db, image)
            for image in evidence.band_images
            if image.mono_loss_db is not None
            and image.mono_loss_db > LARGEST_BAND_LOSS_DB
            and image.level_db is not None
            and image.level_db > SOFTEST_BAND_DB
        ]
        if not lost:
            return
        loss, worst = max(lost, key=lambda pair: pair[0])
        yield self.found(
            severity="warning" if loss > 2 * LARGEST_BAND_LOSS_DB else "advice",
            title=f"{loss:.1f} dB go missing in mono from {worst.low_hz:,.0f} Hz",
            explanation=(
                f"Between {worst.low_hz:,.0f} and {worst.high_hz:,.0f} Hz left and right work "
                "against each other. Unrelated channels lose 3 dB; more means that something "
                "there is inverted, delayed or widened too far, and phones will not play it."
            ),
            where=Where(low_hz=worst.low_hz, high_hz=worst.high_hz),
            amount_db=loss - LARGEST_BAND_LOSS_DB,
            confidence=0.9,
            importance=1.0 + 0.4 * loss,
            advice=Advice(
                "Switch to mono and find what disappears in this range: flip the polarity of one "
                "side of it, or turn its widener or delay down."
            ),
        )


@register
class NarrowCheck(Check):
    id = "narrow"
    category = "stereo"

    def findings(self, case: Case) -> Iterator[Finding]:
        evidence = case.evidence
        if evidence.channels < 2 or evidence.width >= SMALLEST_WIDTH:
            return
        if evidence.correlation is None:
            return
        yield self.found(
            severity="info",
            title="Practically mono",
            explanation="Left and right are almost the same, though the file is stereo.",
            importance=0.6,
            advice=Advice("If it is not meant, check the pan positions and the export's format."),
        )


@register
class BalanceCheck(Check):
    id = "balance"
    category = "stereo"

    def findings(self, case: Case) -> Iterator[Finding]:
        evidence = case.evidence
        if evidence.channels < 2:
            return
        if evidence.balance_db is None:
            if evidence.correlation is None:
                yield self.found(
                    severity="warning",
                    title="One side is silent",
                    explanation="All sound comes from one speaker.",
                    importance=6.0,
                    advice=Advice("Check the pan positions and the export: one channel is empty."),
                )
            return
        size = abs(evidence.balance_db)
        if size < LARGEST_BALANCE_DB:
            return
        side = "right" if evidence.balance_db > 0 else "left"
        yield self.found(
            severity="warning" if size >= WARNING_BALANCE_DB else "advice",
            title=f"Leans to the {side}",
            explanation=f"The {side} side is {size:.1f} dB louder over the whole track.",
            amount_db=size - LARGEST_BALANCE_DB,
            importance=0.5 * size,
            advice=Advice(
                f"Move or turn down what sits on the {side}, or correct the balance on the "
                f"master by {min(size, 3.0):.1f} dB."
            ),
        )


def cancels_in_mono(evidence: Evidence) -> bool:
    """Whether the track as a whole suffers in mono; checks of its parts are then silent."""
    if evidence.correlation is None:
        return False
    return evidence.correlation < LEAST_CORRELATION or evidence.mono_loss_db > LARGEST_MONO_LOSS_DB


def is_inverted(evidence: Evidence) -> bool:
    """Whether one channel's polarity is the likely cause: the bass, which nobody pans, or the
    whole is plainly negative."""
    low = evidence.low_end.correlation if evidence.low_end is not None else None
    whole = evidence.correlation
    return any(value is not None and value < INVERTED_CORRELATION for value in (low, whole))


def longest_negative_stretch(curve: list[float | None]) -> tuple[int, int] | None:
    """First and last second of the longest run of negative correlation of 3 s or more."""
    best: tuple[int, int] | None = None
    start: int | None = None
    for second, value in enumerate([*curve, None]):
        if value is not None and value < LEAST_CORRELATION:
            start = second if start is None else start
        elif start is not None:
            long_enough = second - start >= LONGEST_NEGATIVE_S
            if long_enough and (best is None or second - start > best[1] - best[0]):
                best = (start, second)
            start = None
    return best
