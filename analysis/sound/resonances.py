"""Narrow peaks that stay through the whole song: a ringing room, a whistling filter.

Notes make narrow peaks too, but a note fills a few bins and leaves the floor between its partials
alone, and it comes and goes. A resonance lifts everything at its frequency, the floor included, at
every moment. So the peaks are sought in the floor (:attr:`analysis.sound.history.History.floor`),
and they must stand in its quiet moments as in its loud ones. Below 800 Hz notes lie too close
together to see the floor between them, so nothing is claimed there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.sound.history import CELLS_PER_OCTAVE, History

LOWEST_HZ = 800.0
HIGHEST_HZ = 10_000.0
LEAST_DB = 3.0
LEAST_DB_AMONG_NOTES = 4.0
"""Asked for below 1.6 kHz, where partials of notes are still dense."""

LEAST_SHARE = 0.65
LEAST_Q = 8.0
SHORTEST_S = 25.0
"""In less than that, a held note stays as long as a resonance does."""

MOST_RESONANCES = 3
LARGEST_FADE_DB = 40.0
_AMONG_NOTES_HZ = 1_600.0
_LEVELS_PERCENT = (10, 25, 50, 75, 90)
_SURROUNDINGS_CELLS = 37
_NEIGHBOURS_CELLS = 24
_OWN_CELLS = 5

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Resonance:
    """A narrow peak: ``freq_hz``, about ``q``, ``level_db`` above its surroundings.

    ``level_db`` is read in the floor after smoothing, so it is the least that the peak may be.
    ``share`` is the share of the time in which it stands out, 0..1.
    """

    freq_hz: float
    q: float
    level_db: float
    share: float


def find_resonances(history: History, *, row_s: float) -> list[Resonance]:
    """The strongest resonances of a sound, strongest first; none where it is too short to say.

    ``row_s`` is the time from one row of *history* to the next in seconds.
    """
    edges_hz = history.edges_hz
    centres = np.sqrt(np.maximum(edges_hz[:-1], 1.0) * edges_hz[1:])
    inside = (centres > LOWEST_HZ / 2) & (centres < HIGHEST_HZ * 1.5)
    power = history.power
    total = power.sum(axis=1)
    if total.size * row_s < SHORTEST_S or inside.sum() < 2 * _SURROUNDINGS_CELLS:
        return []
    heard = total > np.percentile(total, 95) * 10.0 ** (-LARGEST_FADE_DB / 10.0)
    # The weakest of n bins of noise has a mean of 1 / n: made up for, as cells hold unequal counts.
    floor = history.floor[heard][:, inside] * np.diff(history.edges)[inside]
    floor_db = 10.0 * np.log10(floor + floor.max() * 1e-14 + 1e-30)
    eroded = _windows(floor_db, 3).min(axis=-1)
    levels_db = np.percentile(eroded, _LEVELS_PERCENT, axis=0)
    profiles = _windows(levels_db, 3).mean(axis=-1)
    excess = profiles - np.median(_windows(profiles, _SURROUNDINGS_CELLS), axis=-1)
    # The second smallest: one of five levels may be unlucky.
    steady = np.sort(excess, axis=0)[1]
    hz = centres[inside]
    found = [
        Resonance(
            freq_hz=round(float(hz[at]), 1),
            q=_quality(steady, at),
            level_db=round(float(steady[at]), 1),
            share=_share(eroded, at, float(steady[at])),
        )
        for at in _peaks(steady, hz)
    ]
    sure = [one for one in found if one.share >= LEAST_SHARE and one.q >= LEAST_Q]
    return sorted(sure, key=lambda one: -one.level_db)[:MOST_RESONANCES]


def _windows(rows: npt.NDArray[np.floating], size: int) -> npt.NDArray[np.floating]:
    """The *size* cells around each cell, shape (rows, cells, size); edges are repeated."""
    padded = np.pad(rows, ((0, 0), (size // 2, size // 2)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)


def _peaks(steady: Array, hz: Array) -> list[int]:
    """Cells of local maxima that stand out from the other peaks around them."""
    found = []
    for at in range(_SURROUNDINGS_CELLS // 2, steady.size - _SURROUNDINGS_CELLS // 2):
        if not LOWEST_HZ <= hz[at] <= HIGHEST_HZ:
            continue
        if steady[at] < steady[at - 1] or steady[at] <= steady[at + 1]:
            continue
        below = steady[max(0, at - _NEIGHBOURS_CELLS) : at - _OWN_CELLS]
        above = steady[at + _OWN_CELLS + 1 : at + _NEIGHBOURS_CELLS + 1]
        others = max(0.0, float(np.percentile(np.concatenate([below, above]), 80)))
        least = LEAST_DB_AMONG_NOTES if hz[at] < _AMONG_NOTES_HZ else LEAST_DB
        if steady[at] - others >= least:
            found.append(at)
    return found


def _quality(steady: Array, at: int) -> float:
    """Quality of a bell from the width at half of its height in decibels."""
    half = steady[at] / 2
    low, high = at, at
    while low > 0 and steady[low] > half:
        low -= 1
    while high < steady.size - 1 and steady[high] > half:
        high += 1

    def crossing(outside: int, within: int) -> float:
        span = steady[within] - steady[outside]
        return outside + (half - steady[outside]) / span * (within - outside) if span else outside

    cells = max(1.0, crossing(high, high - 1) - crossing(low, low + 1))
    half_octaves = cells / CELLS_PER_OCTAVE / 2
    return round(float(1.0 / (2.0**half_octaves - 2.0**-half_octaves)), 1)


def _share(eroded: npt.NDArray[np.floating], at: int, level_db: float) -> float:
    """Share of the rows in which the peak stands at least half its height out."""
    reach = _SURROUNDINGS_CELLS // 2
    around = np.median(eroded[:, max(0, at - reach) : at + reach + 1], axis=1)
    here = eroded[:, at - 1 : at + 2].mean(axis=1)
    return round(float((here - around > level_db / 2).mean()), 2)
