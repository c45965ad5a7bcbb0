"""Geometry of two spectra over each other: positions in per cent, curves in a 1000 x 100 box."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis.charts import Tick, signed
from analysis.frequency_axis import ROUND_HZ, frequency_label, frequency_percent
from analysis.mixing.spectrum_comparison import SpectrumPair

_MOST_RANGE_DB = 60
_LEAST_DIFFERENCE_DB = 6
_MOST_DIFFERENCE_DB = 24


@dataclass(frozen=True)
class SpectraChart:
    """Two spectra and their difference (second minus first) over a logarithmic axis of Hz."""

    before: str
    after: str
    difference: str
    hz_ticks: list[Tick]
    level_ticks: list[Tick]
    difference_ticks: list[Tick]
    zero: float


def spectra_chart(pair: SpectrumPair) -> SpectraChart:
    """Place a pair of spectra."""
    levels = [*pair.before_db, *pair.after_db]
    top = 10 * math.ceil((max(levels) + 1) / 10)
    bottom = max(10 * math.floor((min(levels) - 1) / 10), top - _MOST_RANGE_DB)
    most = max((abs(change) for change in pair.difference_db if change is not None), default=0.0)
    half = min(max(_LEAST_DIFFERENCE_DB, 3 * math.ceil((most + 0.5) / 3)), _MOST_DIFFERENCE_DB)
    level_y = _scale(bottom, top)
    change_y = _scale(-half, half)
    step = half // 3 if half % 3 == 0 else half / 3
    return SpectraChart(
        before=_path(pair.frequencies_hz, pair.before_db, level_y),
        after=_path(pair.frequencies_hz, pair.after_db, level_y),
        difference=_path(pair.frequencies_hz, pair.difference_db, change_y),
        hz_ticks=[Tick(frequency_label(hz), frequency_percent(hz)) for hz in ROUND_HZ],
        level_ticks=[Tick(signed(db), level_y(db)) for db in range(top - 10, bottom, -10)],
        difference_ticks=[Tick(signed(db), change_y(db)) for db in (2 * step, 0, -2 * step)],
        zero=change_y(0),
    )


def _scale(bottom: float, top: float) -> Callable[[float], float]:
    """Decibels to per cent from the top, held inside the box."""

    def y(db: float) -> float:
        return 100 * (top - max(bottom, min(top, db))) / (top - bottom)

    return y


def _path(
    frequencies_hz: Sequence[float],
    values_db: Sequence[float | None],
    y: Callable[[float], float],
) -> str:
    """An SVG path through all points, interrupted where there is none."""
    parts = []
    pen = "M"
    for hz, db in zip(frequencies_hz, values_db, strict=True):
        if db is None:
            pen = "M"
            continue
        parts.append(f"{pen}{10 * frequency_percent(hz):.1f} {y(db):.2f}")
        pen = "L"
    return " ".join(parts)
