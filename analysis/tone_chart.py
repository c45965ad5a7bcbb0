"""Geometry of the tonal curve: third octaves beside the target's corridor, on a log axis.

Everything is drawn as distance from the target's middle, so that 0 dB is what is usual at every
frequency. Paths are in a box of 1000 x 100; ``percent`` is of the drawing's width or height.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.charts import Tick, signed
from analysis.frequency_axis import frequency_label, frequency_percent
from analysis.sound.balance import POINTS_PER_OCTAVE

LOWEST_HZ = 36.0
_HERTZ_TICKS = (50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
_LEAST_RANGE_DB = 9.0
_MOST_RANGE_DB = 24.0
# Where the picture's curve and the full-bandwidth spectrum are laid over each other.
_JOINT_HZ = (4_000.0, 9_500.0)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spot:
    """Where a finding lies on the curve; x, y and the edges in per cent."""

    id: str
    title: str
    is_high: bool
    x: float
    y: float
    left: float
    width: float


@dataclass(frozen=True)
class ToneChart:
    """``line`` is the mix as far as it is judged, ``beyond`` its continuation at full bandwidth;
    ``corridor`` is measured, ``model`` continues it by a published slope (empty if not).
    ``measured_to`` is where that begins, in per cent."""

    line: str
    beyond: str
    corridor: str
    model: str
    measured_to: float
    hertz: list[Tick]
    decibels: list[Tick]
    spots: list[Spot]


def tone_chart(mix: Mapping[str, Any], spectrum: Mapping[str, Any] | None) -> ToneChart | None:
    """The chart of a report's ``mix`` part; None for a report without a curve.

    ``spectrum`` is the report's, for what lies above the judged frequencies.
    """
    curve = mix.get("curve")
    if not curve:
        return None
    hertz = np.array(curve["frequencies_hz"])
    median, p10, p90 = (np.array(curve[key]) for key in ("median", "p10", "p90"))
    level = np.array(curve["level_db"])
    n = level.size
    deviation = level - median[:n]
    above_hz, above = _beyond(hertz, median, level, spectrum)
    inside = (hertz >= 45.0) & (hertz <= 16_500.0)
    reach = max(
        float(np.abs(part).max(initial=0.0))
        for part in (deviation[inside[:n]], (p90 - median)[inside], (p10 - median)[inside], above)
    )
    half_range = min(max(_LEAST_RANGE_DB, math.ceil((reach + 0.5) / 3) * 3.0), _MOST_RANGE_DB)

    def y(db: float) -> float:
        return 50 - 50 * max(-half_range, min(half_range, db)) / half_range

    def path(at_hz: Array, db: Array) -> str:
        points = [f"{10 * _x(hz):.1f} {y(v):.2f}" for hz, v in zip(at_hz, db, strict=True)]
        return "M" + " L".join(points) if len(points) > 1 else ""

    def area(low: int, high: int) -> str:
        part = slice(low, high)
        if hertz[part].size < 2:
            return ""
        back = path(hertz[part][::-1], (p10 - median)[part][::-1])
        return f"{path(hertz[part], (p90 - median)[part])} L{back[1:]}Z"

    step = half_range / 3
    return ToneChart(
        line=path(hertz[:n], deviation),
        beyond=path(above_hz, above),
        corridor=area(0, n),
        model=area(n - 1, hertz.size),
        measured_to=_x(float(hertz[n - 1])),
        hertz=[Tick(frequency_label(hz), _x(hz)) for hz in _HERTZ_TICKS],
        decibels=[Tick(signed(step * k), y(step * k)) for k in (2, 1, 0, -1, -2)],
        spots=[
            _spot(finding, hertz[:n], deviation, y)
            for finding in mix.get("findings") or []
            if finding["category"] == "tonal" and finding["where"]["low_hz"] is not None
        ],
    )


def _x(hertz: float) -> float:
    """Place on the logarithmic axis in per cent."""
    return frequency_percent(hertz, lowest_hz=LOWEST_HZ)


def _spot(
    finding: Mapping[str, Any], hertz: Array, deviation: Array, y: Callable[[float], float]
) -> Spot:
    where = finding["where"]
    low, high = where["low_hz"], where["high_hz"]
    centre = finding["advice"]["freq_hz"] or math.sqrt(low * high)
    at = float(np.interp(math.log(centre), np.log(hertz), deviation))
    left = _x(low)
    return Spot(
        id=finding["id"],
        title=finding["title"],
        is_high=(finding["amount_db"] or 0.0) > 0,
        x=_x(centre),
        y=y(at),
        left=left,
        width=_x(high) - left,
    )


def _beyond(
    hertz: Array, median: Array, level: Array, spectrum: Mapping[str, Any] | None
) -> tuple[Array, Array]:
    """Frequencies above the judged ones, and the mix's distance from the target's middle there."""
    n = level.size
    nothing = (np.empty(0), np.empty(0))
    if spectrum is None or hertz.size == n:
        return nothing
    fine_hz = np.array(spectrum["frequencies_hz"])
    fine_db = np.array(spectrum["levels_db"])
    half = 2.0 ** (0.5 / POINTS_PER_OCTAVE)
    reached = hertz[hertz * half <= fine_hz[-1] * 2.0 ** (1 / 12)]
    thirds = np.array([_power_db(fine_hz, fine_db, hz / half, hz * half) for hz in reached])
    joint = (reached[:n] >= _JOINT_HZ[0]) & (reached[:n] <= _JOINT_HZ[1])
    if reached.size <= n or not joint.any():
        return nothing
    offset = float(np.median(level[joint] - thirds[:n][joint]))
    tail = thirds[n:] + offset - median[n : reached.size]
    return (
        np.concatenate([hertz[n - 1 : n], reached[n:]]),
        np.concatenate([level[n - 1 : n] - median[n - 1 : n], tail]),
    )


def _power_db(hertz: Array, levels_db: Array, low_hz: float, high_hz: float) -> float:
    inside = (hertz >= low_hz) & (hertz < high_hz)
    power = float((10.0 ** (levels_db[inside] / 10.0)).sum())
    return 10.0 * math.log10(max(power, 1e-10))
