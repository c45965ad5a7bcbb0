"""Geometry of the voice's gauge: where it stands against the rest, beside what is usual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.charts import signed

LOWEST_LU = -15.0
HIGHEST_LU = 9.0
_TICKS_LU = (-12, -6, 0, 6)


@dataclass(frozen=True)
class VoiceGauge:
    """Places in per cent of the width: of the voice, of the usual range and of the ticks.

    ``low``, ``width`` and ``median`` are None where no range is known.
    """

    at: float
    low: float | None
    width: float | None
    median: float | None
    ticks: list[tuple[str, float]]


def voice_gauge(vocals: Mapping[str, Any] | None) -> VoiceGauge | None:
    """Gauge of a report's ``mix.vocals``; None where no voice was measured."""
    if vocals is None:
        return None
    low = high = median = None
    if vocals["p10_lu"] is not None:
        low, high = _percent(vocals["p10_lu"]), _percent(vocals["p90_lu"])
        median = _percent(vocals["median_lu"])
    return VoiceGauge(
        at=_percent(vocals["ratio_lu"]),
        low=low,
        width=None if low is None or high is None else high - low,
        median=median,
        ticks=[(signed(tick), _percent(tick)) for tick in _TICKS_LU],
    )


def _percent(ratio_lu: float) -> float:
    share = (ratio_lu - LOWEST_LU) / (HIGHEST_LU - LOWEST_LU)
    return 100.0 * min(1.0, max(0.0, share))
