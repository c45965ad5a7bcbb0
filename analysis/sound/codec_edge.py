"""The edge that a lossy encoder leaves: a spectrum that ends like a wall, well below its limit.

Encoders drop what lies above some 16 kHz (MP3 at 128 kbit/s) to 20 kHz (at 320) to save bits. A
converter's own filter ends close to half the sample rate instead, and music falls off gently.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LOWEST_HZ = 10_000.0
HIGHEST_HZ = 20_800.0
HIGHEST_SHARE_OF_NYQUIST = 0.93
LEAST_DROP_DB = 20.0
ABOVE_FLOOR_DB = 8.0
_FLOOR_SHARE_OF_NYQUIST = 0.97
_SMOOTHING_HZ = 150.0
_WALL_HZ = 700.0
_FLOOR_HZ = 300.0
_LOWEST_DENSITY = 1e-12

Array = npt.NDArray[np.float64]


def codec_cutoff_hz(power: Array, *, bin_hz: float) -> float | None:
    """Frequency in Hz of a wall in an average power spectrum (bins 0 .. N / 2), or None.

    A wall ends in the floor, which is the level next to half the sample rate: 700 Hz below its
    end the level stands 20 dB or more above the floor, and above it nothing comes back. It lies
    between 10 and 20.8 kHz, and at most at 93 % of half the sample rate, where converters'
    filters begin.
    """
    nyquist_hz = bin_hz * (power.size - 1)
    top_hz = min(HIGHEST_HZ, HIGHEST_SHARE_OF_NYQUIST * nyquist_hz)
    if top_hz < LOWEST_HZ or not power.max() > 0.0:
        return None
    width = max(1, round(_SMOOTHING_HZ / bin_hz))
    smooth = np.convolve(power / power.max(), np.full(width, 1.0 / width), mode="same")
    level_db = 10.0 * np.log10(np.maximum(smooth, _LOWEST_DENSITY))
    end = round(_FLOOR_SHARE_OF_NYQUIST * nyquist_hz / bin_hz)
    start = round(LOWEST_HZ / bin_hz)
    floor_db = float(np.median(level_db[end - round(_FLOOR_HZ / bin_hz) : end]))
    heard = np.flatnonzero(level_db[start:end] > floor_db + ABOVE_FLOOR_DB)
    if heard.size == 0:
        return None
    edge = start + int(heard[-1])
    if edge * bin_hz > top_hz:
        return None
    if level_db[edge - round(_WALL_HZ / bin_hz)] - floor_db < LEAST_DROP_DB:
        return None
    return round(edge * bin_hz, 0)
