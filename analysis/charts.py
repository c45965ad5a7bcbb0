"""Geometry of the report's charts: numbers of a report in, positions in per cent out.

Charts are drawn as SVG with per cent coordinates, so that text keeps its size on every screen and
no script is needed to see them. 0 % is left and top.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_200)
_MOST_TIME_TICKS = 9
_LEAST_TONAL_RANGE_DB = 9.0
_MOST_TONAL_RANGE_DB = 24.0


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: its text, and its place in per cent."""

    label: str
    percent: float


def clock(seconds: float | None) -> str:
    """Seconds as ``m:ss``, or ``h:mm:ss`` from one hour on.

    >>> clock(200.4), clock(3661)
    ('3:20', '1:01:01')
    """
    if seconds is None or not math.isfinite(seconds):
        return "–"
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def time_ticks(duration_s: float | None) -> list[Tick]:
    """Round times of a duration in seconds, at most nine of them."""
    if not duration_s or duration_s <= 0:
        return []
    step = next(
        (step for step in _TIME_STEPS_S if duration_s / step <= _MOST_TIME_TICKS), _TIME_STEPS_S[-1]
    )
    return [
        Tick(clock(at), 100 * at / duration_s)
        for at in range(0, int(duration_s) + 1, step)
        if at < 0.97 * duration_s
    ]


@dataclass(frozen=True)
class Stretch:
    """A stretch of time of one label; ``start`` and ``width`` in per cent of the track."""

    label: str
    start_s: float
    end_s: float
    start: float
    width: float
    confidence: float


def genre_strip(course: Sequence[Mapping[str, Any]], *, duration_s: float) -> list[Stretch]:
    """The course of genres over time, neighbours of one label joined.

    A joined stretch's confidence is the mean of its parts weighted by their length.
    """
    joined: list[list[Mapping[str, Any]]] = []
    for part in course:
        if joined and joined[-1][-1]["label"] == part["label"]:
            joined[-1].append(part)
        else:
            joined.append([part])
    stretches = []
    for number, parts in enumerate(joined):
        start_s = float(parts[0]["start_s"])
        # Windows overlap: a stretch ends where the next one begins.
        following = joined[number + 1][0]["start_s"] if number + 1 < len(joined) else None
        end_s = min(float(following if following is not None else parts[-1]["end_s"]), duration_s)
        lengths = [max(float(part["end_s"]) - float(part["start_s"]), 1e-9) for part in parts]
        confidence = sum(
            float(part["confidence"]) * length for part, length in zip(parts, lengths, strict=True)
        ) / sum(lengths)
        stretches.append(
            Stretch(
                label=str(parts[0]["label"]),
                start_s=start_s,
                end_s=end_s,
                start=100 * start_s / duration_s,
                width=max(0.0, 100 * (end_s - start_s) / duration_s),
                confidence=confidence,
            )
        )
    return stretches


@dataclass(frozen=True)
class BandColumn:
    """One band of the tonal balance; x, y, width and height in per cent, levels in dB."""

    label: str
    low_hz: float
    high_hz: float
    level_db: float
    p10: float
    median: float
    p90: float
    outside_db: float
    against_median_db: float
    center: float
    left: float
    width: float
    level_y: float
    corridor_y: float
    corridor_height: float
    median_y: float

    @property
    def is_outside(self) -> bool:
        return abs(self.outside_db) >= 0.05


@dataclass(frozen=True)
class TonalChart:
    """Seven bands as distance from a genre's median: 0 dB is what is usual there."""

    columns: list[BandColumn]
    lines: list[tuple[float, float, float, float]]
    ticks: list[Tick]


def tonal_chart(bands: Sequence[Mapping[str, Any]]) -> TonalChart:
    """Place bands (``level_db``, ``p10``, ``median``, ``p90`` in dB) on one chart."""
    if not bands:
        return TonalChart([], [], [])
    reach = max(
        abs(float(band[name]) - float(band["median"]))
        for band in bands
        for name in ("level_db", "p10", "p90")
    )
    half_range = min(
        max(_LEAST_TONAL_RANGE_DB, math.ceil((reach + 1) / 3) * 3), _MOST_TONAL_RANGE_DB
    )

    def y(db: float) -> float:
        return 50 - 50 * max(-half_range, min(half_range, db)) / half_range

    slot = 100 / len(bands)
    columns = []
    for number, band in enumerate(bands):
        median = float(band["median"])
        top, bottom = y(float(band["p90"]) - median), y(float(band["p10"]) - median)
        columns.append(
            BandColumn(
                label=str(band.get("label") or band["name"]),
                low_hz=float(band["low_hz"]),
                high_hz=float(band["high_hz"]),
                level_db=float(band["level_db"]),
                p10=float(band["p10"]),
                median=median,
                p90=float(band["p90"]),
                outside_db=float(band["outside_db"]),
                against_median_db=float(band["level_db"]) - median,
                center=slot * (number + 0.5),
                left=slot * (number + 0.14),
                width=slot * 0.72,
                level_y=y(float(band["level_db"]) - median),
                corridor_y=top,
                corridor_height=max(bottom - top, 0.5),
                median_y=y(0),
            )
        )
    lines = [
        (one.center, one.level_y, other.center, other.level_y)
        for one, other in itertools.pairwise(columns)
    ]
    step = half_range / 3
    ticks = [Tick(signed(step * n), y(step * n)) for n in (2, 1, 0, -1, -2)]
    return TonalChart(columns, lines, ticks)


def signed(value: float, decimals: int = 0) -> str:
    """A number that carries its sign unless it is zero, with a true minus.

    >>> signed(3), signed(-0.51, 1), signed(0.04, 1)
    ('+3', '−0.5', '0.0')
    """
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


@dataclass(frozen=True)
class LoudnessChart:
    """Loudness over time: ``line`` and ``area`` of the short-term one, ``momentary`` a line (empty
    where it was not measured); SVG paths in a 1000 x 100 box."""

    line: str
    area: str
    momentary: str
    ticks: list[Tick]
    integrated: float | None


def loudness_chart(
    short_term_lufs: Sequence[float | None],
    *,
    integrated_lufs: float | None,
    momentary_lufs: Sequence[float | None] = (),
) -> LoudnessChart | None:
    """Draw curves of LUFS values at equal steps; ``None`` where the sound is silent."""
    values = [value for value in short_term_lufs if value is not None and value > -70]
    if len(values) < 2:
        return None
    loudest = max(values + [value for value in momentary_lufs if value is not None])
    top = min(6.0, 6 * math.ceil((loudest + 1) / 6))
    audible = sorted(values)[len(values) // 20]
    bottom = max(-60.0, min(6 * math.floor((audible - 2) / 6), top - 18))

    def y(lufs: float) -> float:
        return 100 * (top - max(bottom, min(top, lufs))) / (top - bottom)

    runs = _runs(short_term_lufs, y)
    area = " ".join(
        f"M{run[0][0]:.1f} 100 L"
        + " L".join(f"{x:.1f} {at:.2f}" for x, at in run)
        + f" L{run[-1][0]:.1f} 100Z"
        for run in runs
    )
    spacing = 6 if top - bottom <= 30 else 12
    ticks = [
        Tick(signed(at), y(at))
        for at in range(int(top), int(bottom) - 1, -1)
        if at % spacing == 0 and at not in (top, bottom)
    ]
    return LoudnessChart(
        line=_line(runs),
        area=area,
        momentary=_line(_runs(momentary_lufs, y)),
        ticks=ticks,
        integrated=None if integrated_lufs is None else y(integrated_lufs),
    )


def _runs(
    values: Sequence[float | None], y: Callable[[float], float]
) -> list[list[tuple[float, float]]]:
    """Points of a curve in a box 1000 wide, broken where it is silent."""
    step = 1000 / max(1, len(values) - 1)
    return [[(number * step, y(value)) for number, value in run] for run in known_runs(values)]


def known_runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Stretches of two or more known values, each value with its number."""
    runs: list[list[tuple[int, float]]] = [[]]
    for number, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((number, value))
    return [run for run in runs if len(run) > 1]


def _line(runs: list[list[tuple[float, float]]]) -> str:
    return " ".join("M" + " L".join(f"{x:.1f} {at:.2f}" for x, at in run) for run in runs)
