"""The sheet's charts: loudness over time, seven bands in their corridors, the equaliser's curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis import charts
from analysis.equaliser_chart import equaliser_chart, frequency_ticks
from analysis.frequency_axis import frequency_percent
from analysis.mixing.moves import AdvisedMove
from analysis.sheet.surface import (
    ACCENT,
    ACCENT_SOFT,
    FIELD,
    FIELD_PALE,
    INK_2,
    INK_3,
    PAPER,
    RULE,
    WARN,
    Align,
    Surface,
)

_SMALL = 7.0
_CORRIDOR = ("p10", "median", "p90")


@dataclass(frozen=True)
class Frame:
    """Where a chart's field lies, in points; its labels are outside."""

    x: float
    y: float
    width: float
    height: float

    def at(self, x_percent: float, y_percent: float) -> tuple[float, float]:
        """A place in per cent of the field, in points."""
        return (self.x + self.width * x_percent / 100, self.y + self.height * y_percent / 100)


def draw_loudness(
    surface: Surface, frame: Frame, loudness: Mapping[str, Any], *, duration_s: float
) -> None:
    """Short-term loudness over time in LUFS, the integrated value dashed."""
    values = loudness.get("short_term_lufs") or []
    known = [value for value in values if value is not None and value > -70.0]
    if len(known) < 2:
        return
    top = min(6.0, 6.0 * math.ceil((max(known) + 1.0) / 6.0))
    audible = sorted(known)[len(known) // 20]
    bottom = max(-60.0, min(6.0 * math.floor((audible - 2.0) / 6.0), top - 18.0))

    def place(number: int, lufs: float) -> tuple[float, float]:
        inside = max(bottom, min(top, lufs))
        share = (top - inside) / (top - bottom)
        return frame.at(100.0 * number / max(1, len(values) - 1), 100.0 * share)

    step = 6 if top - bottom <= 30 else 12
    for level in range(int(bottom), int(top) + 1):
        if level % step == 0:
            y = place(0, level)[1]
            _grid(surface, frame, y, _whole(level))
    for run in charts.known_runs(values):
        line = [place(number, value) for number, value in run]
        floor = frame.y + frame.height
        surface.area([(line[0][0], floor), *line, (line[-1][0], floor)], colour=ACCENT_SOFT)
        surface.line(line, colour=ACCENT, width=1.0)
    integrated = loudness.get("integrated_lufs")
    if integrated is not None and bottom < integrated < top:
        y = place(0, integrated)[1]
        surface.line([(frame.x, y), (frame.x + frame.width, y)], colour=INK_2, dashed=True)
    for tick in charts.time_ticks(duration_s):
        x, y = frame.at(tick.percent, 100.0)
        align: Align = "centre" if tick.percent else "left"
        surface.text(x, y + 10.0, tick.label, size=_SMALL, colour=INK_3, align=align)


def draw_bands(surface: Surface, frame: Frame, bands: Sequence[Mapping[str, Any]]) -> None:
    """Each band against the middle of its corridor, in dB; needs 24 points below the field."""
    chart = charts.tonal_chart(bands)
    for tick in chart.ticks:
        _grid(surface, frame, frame.at(0, tick.percent)[1], tick.label, strong=tick.label == "0")
    for column in chart.columns:
        x, y = frame.at(column.left, column.corridor_y)
        width = frame.width * column.width / 100
        height = frame.height * column.corridor_height / 100
        surface.box(x, y, width, height, colour=FIELD, radius=2.0)
        middle = frame.at(0, column.median_y)[1]
        surface.line([(x, middle), (x + width, middle)], colour=INK_3, width=1.25)
    line = [frame.at(column.center, column.level_y) for column in chart.columns]
    surface.line(line, colour=ACCENT, width=1.25)
    for column, (x, y) in zip(chart.columns, line, strict=True):
        colour = WARN if column.is_outside else ACCENT
        surface.dot(x, y, 5.0, colour=PAPER)
        surface.dot(x, y, 3.75, colour=colour)
        foot = frame.y + frame.height
        name = colour if column.is_outside else INK_2
        surface.text(x, foot + 11.0, column.label, size=7.5, colour=name, align="centre", bold=True)
        difference = charts.signed(column.against_median_db, 1)
        surface.text(x, foot + 20.5, f"{difference} dB", size=_SMALL, colour=INK_3, align="centre")


def draw_curve(surface: Surface, frame: Frame, curve: Mapping[str, Any]) -> None:
    """Third octaves against the middle of their corridor, in dB over Hz; 14 points below it.

    Above ``measured_up_to_hz`` the corridor is a model, and is drawn paler.
    """
    known = list(
        zip(*(curve[name] for name in ("frequencies_hz", "level_db", *_CORRIDOR)), strict=False)
    )
    if len(known) < 2:
        return
    rows = [
        (hz, level - median, p10 - median, p90 - median) for hz, level, p10, median, p90 in known
    ]
    reach = max(abs(value) for _, *values in rows for value in values)
    half_range = min(24.0, max(9.0, 3.0 * math.ceil((reach + 1.0) / 3.0)))

    def place(hz: float, db: float) -> tuple[float, float]:
        inside = max(-half_range, min(half_range, db))
        return frame.at(frequency_percent(hz), 50.0 - 50.0 * inside / half_range)

    limit_hz = float(curve["measured_up_to_hz"])
    measured = [row for row in rows if row[0] <= limit_hz]
    modelled = [row for row in rows if row[0] > limit_hz]
    for part, colour in ((measured, FIELD), (measured[-1:] + modelled, FIELD_PALE)):
        if len(part) > 1:
            upper = [place(hz, high) for hz, _, _, high in part]
            lower = [place(hz, low) for hz, _, low, _ in reversed(part)]
            surface.area([*upper, *lower], colour=colour)
    step = half_range / 3
    for db in (2 * step, step, 0.0, -step, -2 * step):
        label = charts.signed(db)
        _grid(surface, frame, place(20.0, db)[1], label, strong=db == 0.0)
    surface.line([place(hz, level) for hz, level, _, _ in rows], colour=ACCENT, width=1.25)
    _frequency_labels(surface, frame)


def draw_equaliser(
    surface: Surface, frame: Frame, moves: Sequence[AdvisedMove], *, sample_rate: int
) -> None:
    """The response of the moves that are on, in dB over Hz."""
    chart = equaliser_chart(moves, sample_rate=sample_rate)
    for tick in chart.decibel_ticks:
        _grid(surface, frame, frame.at(0, tick.percent)[1], tick.label, strong=tick.label == "0")
    for mark in chart.frequency_ticks:
        x, foot = frame.at(mark.percent, 100.0)
        surface.line([(x, frame.y), (x, foot)], colour=RULE, width=0.5)
    _frequency_labels(surface, frame)
    pairs = [pair.split() for pair in chart.line.removeprefix("M").split("L")]
    line = [frame.at(float(x) / 10.0, float(y)) for x, y in pairs]
    middle = frame.at(0, 50.0)[1]
    filled = [(frame.x, middle), *line, (frame.x + frame.width, middle)]
    surface.area(filled, colour=ACCENT_SOFT)
    surface.line(line, colour=ACCENT, width=1.25)
    for number, (move, (x_percent, y_percent, _)) in enumerate(
        zip(moves, chart.dots, strict=True), 1
    ):
        x, y = frame.at(x_percent, y_percent)
        number_dot(surface, x, y, number, is_on=move.is_on)


def number_dot(surface: Surface, x: float, y: float, number: int, *, is_on: bool = True) -> None:
    """A move's number in a filled circle around (x, y)."""
    surface.dot(x, y, 5.5, colour=ACCENT if is_on else INK_3)
    surface.text(x, y + 2.4, str(number), size=6.5, bold=True, colour=PAPER, align="centre")


def _frequency_labels(surface: Surface, frame: Frame) -> None:
    for mark in frequency_ticks():
        x, foot = frame.at(mark.percent, 100.0)
        label = f"{mark.label} Hz" if mark.percent == 0.0 else mark.label
        align: Align = (
            "left" if mark.percent == 0.0 else "right" if mark.percent == 100.0 else "centre"
        )
        surface.text(x, foot + 10.0, label, size=_SMALL, colour=INK_3, align=align)


def _grid(surface: Surface, frame: Frame, y: float, label: str, *, strong: bool = False) -> None:
    colour = INK_3 if strong else RULE
    surface.line([(frame.x, y), (frame.x + frame.width, y)], colour=colour, width=0.5)
    surface.text(frame.x - 5.0, y + 2.5, label, size=_SMALL, colour=INK_3, align="right")


def _whole(level: int) -> str:
    return str(level).replace("-", "−")
