"""The seven bands of a mix, and the power between any two frequencies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.sound.decibels import ratio_db

Array = npt.NDArray[np.float64]

BANDS: tuple[tuple[str, float, float], ...] = (
    ("sub", 20.0, 60.0),
    ("bass", 60.0, 250.0),
    ("low_mids", 250.0, 500.0),
    ("mids", 500.0, 2_000.0),
    ("high_mids", 2_000.0, 4_000.0),
    ("presence", 4_000.0, 6_000.0),
    ("brilliance", 6_000.0, 20_000.0),
)
"""Name, lowest and highest frequency in Hz."""

FLOOR_DB = -100.0


@dataclass(frozen=True)
class BandLevel:
    """One band: edges in Hz and its power in dB relative to the sum of all seven.

    ``high_hz`` is lower than the band's nominal edge where the sound (or the mel picture) ends
    below it. ``correlation`` of left and right in the band, where it was measured.
    """

    name: str
    low_hz: float
    high_hz: float
    level_db: float
    correlation: float | None = None


class Cumulative:
    """Power between any two frequencies of a spectrum given at evenly spaced ones."""

    def __init__(self, power: Array, hz: Array) -> None:
        half_bin = (hz[1] - hz[0]) / 2
        self._edges = np.concatenate([[hz[0]], hz + half_bin])
        self._sums = np.concatenate([[0.0], np.cumsum(power)])

    def between(self, low_hz: float, high_hz: float) -> float:
        """Power between two frequencies in Hz; bins count by the share that lies inside."""
        low, high = np.interp([low_hz, high_hz], self._edges, self._sums)
        return float(high - low)


def level_db(power: float, total: float) -> float:
    """Decibels of a power beside the whole, never below ``FLOOR_DB``."""
    level = ratio_db(power, total)
    return FLOOR_DB if level is None else max(FLOOR_DB, level)
