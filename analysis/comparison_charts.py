"""Geometry of two spectra over each other: positions in per cent, curves in a 1000 x 100 box."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis.charts import Tick
from analysis.mixing.spectrum_comparison import SpectrumPair

LOWEST_HZ, HIGHEST_HZ = 20.0, 20_000.0
_HZ_TICKS = (20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000)
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


def hz_percent(hz: float) -> float:
    """Place of a frequency between 20 Hz and 20 kHz, in per cent from the left."""
    return 100 * math.log(hz / LOWEST_HZ) / math.log(HIGHEST_HZ / LOWEST_HZ)


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
        hz_ticks=[Tick(_short(hz), hz_percent(hz)) for hz in _HZ_TICKS],
        level_ticks=[Tick(_signed(db), level_y(db)) for db in range(top - 10, bottom, -10)],
        difference_ticks=[Tick(_signed(db), change_y(db)) for db in (2 * step, 0, -2 * step)],
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
        parts.append(f"{pen}{10 * hz_percent(hz):.1f} {y(db):.2f}")
        pen = "L"
    return " ".join(parts)


def _short(hz: int) -> str:
    return f"{hz // 1000}k" if hz >= 1000 else str(hz)


def _signed(db: float) -> str:
    return "0" if db == 0 else f"{db:+.0f}".replace("-", "−")
