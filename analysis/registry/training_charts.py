"""Geometry of the charts of a training: numbers in, positions in per cent out (0 is left, top)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_TOP, _BOTTOM = 8.0, 92.0


@dataclass(frozen=True)
class Curve:
    """A figure over the epochs: ``line`` is an SVG path in a 1000 x 100 box; ``dots`` are (x, y) in
    per cent with epoch and value; ``best`` is the last value in words."""

    name: str
    note: str
    line: str
    dots: list[tuple[float, float, int, float]]
    low: float
    high: float
    last: float


def curve(
    name: str, values: Sequence[float | None], *, note: str, shares: bool = True
) -> Curve | None:
    """Place the values of epochs 1, 2 and so on; None where there is nothing to draw. ``shares``
    need a range of a tenth at least, so that small moves do not look large."""
    known = [
        (epoch, float(value))
        for epoch, value in enumerate(values, start=1)
        if value is not None and math.isfinite(value)
    ]
    if not known:
        return None
    low, high = min(value for _, value in known), max(value for _, value in known)
    least = 0.1 if shares else max(0.1, 0.1 * high)
    if high - low < least:
        middle = (high + low) / 2
        low, high = middle - least / 2, middle + least / 2
    last_epoch = max(2, len(values))

    def place(epoch: int, value: float) -> tuple[float, float]:
        return (
            100 * (epoch - 1) / (last_epoch - 1),
            _BOTTOM - (_BOTTOM - _TOP) * (value - low) / (high - low),
        )

    dots = [(*place(epoch, value), epoch, value) for epoch, value in known]
    line = "M" + " L".join(f"{10 * x:.1f} {y:.2f}" for x, y, _, _ in dots)
    return Curve(name, note, line, dots, low, high, known[-1][1])


@dataclass(frozen=True)
class ReliabilityDots:
    """Bins of answers, what was said from left to right and what people said upwards: (x, y) in per
    cent with both shares and how many answers; ``line`` is a path in a 100 x 100 box."""

    dots: list[tuple[float, float, float, float, int]]
    line: str


def reliability_dots(parts: Sequence[Mapping[str, float]]) -> ReliabilityDots:
    """Place bins with ``said``, ``label`` and ``count``."""
    dots = [
        (100 * part["said"], 100 - 100 * part["label"], part["said"], part["label"], int(count))
        for part in parts
        if (count := part["count"])
    ]
    line = "M" + " L".join(f"{x:.2f} {y:.2f}" for x, y, *_ in dots) if dots else ""
    return ReliabilityDots(dots, line)
