"""Where in time a band rises or falls: the seven bands' levels, about once a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.sound.bands import FLOOR_DB
from analysis.sound.history import History

MOST_STEPS = 600


@dataclass(frozen=True)
class BandCourse:
    """``levels_db`` by band, one value per ``step_s`` seconds from the beginning.

    All are relative to the power of the whole sound between 20 Hz and 20 kHz, averaged over time:
    the mean power of a band's course is its level in the average spectrum.
    """

    step_s: float
    levels_db: dict[str, list[float]]


def band_course(
    history: History,
    *,
    row_s: float,
    bands: tuple[tuple[str, float, float], ...],
    total_power: float,
) -> BandCourse:
    """Pool the rows of *history*, ``row_s`` seconds apart, to a second or more per step.

    ``bands`` are (name, low, high) in Hz; ``total_power`` is the mean power of a row that counts
    as 0 dB.
    """
    power = history.power.astype(np.float64)
    per_step = max(1, round(1.0 / row_s), -(-power.shape[0] // MOST_STEPS))
    starts = np.arange(0, power.shape[0], per_step)
    counts = np.diff(np.append(starts, power.shape[0]))
    pooled = np.add.reduceat(power, starts, axis=0) / counts[:, None]
    sums = np.pad(np.cumsum(pooled, axis=1), ((0, 0), (1, 0)))
    top_hz = history.edges_hz[-1]
    return BandCourse(
        step_s=round(per_step * row_s, 4),
        levels_db={
            name: _levels_db(_between(sums, history.edges_hz, low_hz, high_hz), total_power)
            for name, low_hz, high_hz in bands
            if low_hz < top_hz
        },
    )


def _between(
    sums: npt.NDArray[np.float64], edges_hz: npt.NDArray[np.float64], low_hz: float, high_hz: float
) -> npt.NDArray[np.float64]:
    """Power between two frequencies in every row of cumulative *sums* (rows, edges)."""
    at = np.interp([low_hz, high_hz], edges_hz, np.arange(edges_hz.size))
    below = np.minimum(at.astype(int), edges_hz.size - 2)
    share = at - below
    low, high = (sums[:, below] * (1.0 - share) + sums[:, below + 1] * share).T
    difference: npt.NDArray[np.float64] = np.maximum(high - low, 0.0)
    return difference


def _levels_db(power: npt.NDArray[np.float64], total: float) -> list[float]:
    relative = power / total if total > 0.0 else np.zeros_like(power)
    levels = 10.0 * np.log10(np.maximum(relative, 10.0 ** (FLOOR_DB / 10.0)))
    return [round(float(level), 1) for level in levels]
