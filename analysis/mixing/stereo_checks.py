"""Checks of the stereo image. A mono file is judged as mono, not as a fault."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.mixing.findings import Advice, Case, Check, Finding, Where, register

LEAST_CORRELATION = 0.0
LARGEST_MONO_LOSS_DB = 4.0
LEAST_LOW_CORRELATION = 0.3
LONGEST_NEGATIVE_S = 3
SMALLEST_WIDTH = 0.0005
LARGEST_BALANCE_DB = 1.5
WARNING_BALANCE_DB = 4.0


@register
class PhaseCheck(Check):
    id = "phase"
    category = "stereo"

    def findings(self, case: Case) -> Iterator[Finding]:
        evidence = case.evidence
        if evidence.channels < 2 or evidence.correlation is None:
            return
        loss = evidence.mono_loss_db
        if evidence.correlation < LEAST_CORRELATION or loss > LARGEST_MONO_LOSS_DB:
            yield self.found(
                severity="warning",
                title="Left and right cancel each other in mono",
                explanation=(
                    f"Correlation is {evidence.correlation:.2f}: on phones, club systems and "
                    f"smart speakers, which play mono, the track loses {loss:.1f} dB."
                ),
                amount_db=loss,
                importance=loss,
                advice=Advice(
                    "Listen in mono and flip the polarity of one channel of the widest tracks; "
                    "reduce stereo wideners."
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
class LowPhaseCheck(Check):
    id = "phase_low"
    category = "stereo"

    def findings(self, case: Case) -> Iterator[Finding]:
        evidence = case.evidence
        low = evidence.low_band_correlation
        if evidence.channels < 2 or low is None or low >= LEAST_LOW_CORRELATION:
            return
        if evidence.correlation is not None and evidence.correlation < LEAST_CORRELATION:
            return  # said by PhaseCheck for the whole track
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
