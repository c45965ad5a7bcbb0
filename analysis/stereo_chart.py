"""Geometry of the correlation strip: how left and right go together over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from analysis.charts import known_runs


@dataclass(frozen=True)
class Stretch:
    """A stretch of time; ``start`` and ``width`` in per cent of the track."""

    start_s: float
    end_s: float
    start: float
    width: float


@dataclass(frozen=True)
class CorrelationChart:
    """Correlation of left and right over time: ``line`` in a box of 1000 x 100, where 0 is at the
    middle; ``negative`` are the stretches below zero."""

    line: str
    negative: list[Stretch]


def correlation_chart(
    curve: Sequence[float | None], *, duration_s: float
) -> CorrelationChart | None:
    """Draw a correlation per second; None where there is nothing to see (mono, or too short)."""
    known = [value for value in curve if value is not None]
    if len(known) < 2 or min(known) > 0.9995:
        return None
    step = 1000.0 / len(curve)
    line = " ".join(
        "M"
        + " L".join(f"{(number + 0.5) * step:.1f} {50 - 50 * value:.1f}" for number, value in run)
        for run in known_runs(curve)
    )
    below = [value is not None and value < 0 for value in curve]
    edges = [0, *(k + 1 for k, (a, b) in enumerate(pairwise(below)) if a != b), len(below)]
    negative = []
    for start, end in pairwise(edges):
        if below[start]:
            end_s = min(float(end), duration_s)
            negative.append(
                Stretch(
                    start_s=float(start),
                    end_s=end_s,
                    start=start * step / 10,
                    width=(end - start) * step / 10,
                )
            )
    return CorrelationChart(line, negative)
