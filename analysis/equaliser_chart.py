"""Geometry of the equaliser's curve: decibels over a logarithmic axis from 20 Hz to 20 kHz.

As in :mod:`analysis.charts`, places are in per cent, 0 % is left and top.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.charts import Tick, signed
from analysis.frequency_axis import (
    HIGHEST_HZ,
    LOWEST_HZ,
    ROUND_HZ,
    frequency_label,
    frequency_percent,
)
from analysis.mixing.moves import AdvisedMove, filters
from analysis.sound.equaliser import response_db

_POINTS = 160
_LEAST_RANGE_DB = 4.0
_PHONE_HZ = (20, 100, 1_000, 10_000)


@dataclass(frozen=True)
class FrequencyTick:
    """A mark on the frequency axis; ``is_minor`` ones are left out on a phone."""

    label: str
    percent: float
    is_minor: bool


@dataclass(frozen=True)
class EqualiserChart:
    """The curve of all moves. ``line`` is an SVG path in a box of 1000 x 100.

    ``range_db`` is from the middle to the top. ``dots`` are where each move sits: x, y and its
    frequency in Hz.
    """

    line: str
    range_db: float
    dots: list[tuple[float, float, float]]
    decibel_ticks: list[Tick]
    frequency_ticks: list[FrequencyTick]


def frequency_ticks() -> list[FrequencyTick]:
    """Round frequencies along the axis."""
    return [
        FrequencyTick(
            label=frequency_label(hz),
            percent=frequency_percent(hz),
            is_minor=hz not in _PHONE_HZ,
        )
        for hz in ROUND_HZ
    ]


def equaliser_chart(moves: Sequence[AdvisedMove], *, sample_rate: int) -> EqualiserChart:
    """Draw the response of *moves* at a sound's sample rate."""
    frequencies = np.geomspace(LOWEST_HZ, HIGHEST_HZ, _POINTS + 1)
    known = np.minimum(frequencies, 0.499 * sample_rate)
    active = filters(moves)
    curve = response_db(active, known, sample_rate)
    own_hz = np.array([min(move.freq_hz, 0.499 * sample_rate) for move in moves])
    at_moves = response_db(active, own_hz, sample_rate)
    reach = max([*np.abs(curve), *(abs(move.gain_db) for move in moves), _LEAST_RANGE_DB - 1])
    range_db = 2.0 * math.ceil((float(reach) + 0.5) / 2.0)

    def y(db: float) -> float:
        return 50.0 - 50.0 * max(-range_db, min(range_db, db)) / range_db

    points = " L".join(f"{1000 * i / _POINTS:.1f} {y(db):.2f}" for i, db in enumerate(curve))
    return EqualiserChart(
        line=f"M{points}",
        range_db=range_db,
        dots=[
            (frequency_percent(move.freq_hz), y(float(db)), move.freq_hz)
            for move, db in zip(moves, at_moves, strict=True)
        ],
        decibel_ticks=[Tick(signed(db), y(db)) for db in (range_db / 2, 0.0, -range_db / 2)],
        frequency_ticks=frequency_ticks(),
    )
