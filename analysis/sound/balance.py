"""The tonal balance of a mel picture in third octaves: a mix's curve, comparable with a corpus's.

Pictures end at 11,025 Hz, and so do these curves. Below 100 Hz mel filters stand further apart than
third octaves, so that neighbouring points there share what they were measured from.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from analysis.sound import mel
from analysis.sound.spectrum import mel_band_edges_hz, mel_band_power

LOWEST_HZ = 40.0
HIGHEST_HZ = 20_000.0
POINTS_PER_OCTAVE = 3
_HALF_BAND = 2.0 ** (0.5 / POINTS_PER_OCTAVE)

Array = npt.NDArray[np.float64]


def curve_frequencies_hz() -> Array:
    """Third-octave centres from 40 Hz to 20 kHz; those above 8.2 kHz exceed mel pictures."""
    count = int(np.log2(HIGHEST_HZ / LOWEST_HZ) * POINTS_PER_OCTAVE) + 1
    return LOWEST_HZ * 2.0 ** (np.arange(count) / POINTS_PER_OCTAVE)


def pictured_frequencies_hz() -> Array:
    """Those of :func:`curve_frequencies_hz` whose whole band lies within a mel picture."""
    centres = curve_frequencies_hz()
    return centres[centres * _HALF_BAND <= mel.SAMPLE_RATE / 2]


def pictured_up_to_hz() -> float:
    """Where the highest third octave of a mel picture ends: 9.1 kHz."""
    return float(pictured_frequencies_hz()[-1]) * _HALF_BAND


def third_octaves_db(picture: npt.NDArray[np.uint8]) -> Array:
    """Level of each of :func:`pictured_frequencies_hz` in a picture (128, T), in dB relative to
    the whole, shape (points,)."""
    power = mel_band_power(picture)
    return _decibels(_third_octaves(power), float(power.sum()))


def mel_band_powers(sound: npt.NDArray[np.float32]) -> Array:
    """Mean power of a sound, mono at 22,050 Hz, in each mel band, (128,)."""
    power: Array = mel.mel_power(sound).mean(axis=1, dtype=np.float64)
    return power * np.diff(mel_band_edges_hz())


def levels_of_stems_db(powers: Mapping[str, Array]) -> dict[str, list[float]]:
    """Third octaves of each stem in dB relative to all stems together, (points,) each, by name,
    from their :func:`mel_band_powers`."""
    whole = float(sum(power.sum() for power in powers.values()))
    return {
        name: [round(float(level), 2) for level in _decibels(_third_octaves(power), whole)]
        for name, power in powers.items()
    }


def _third_octaves(band_power: Array) -> Array:
    """Power in each of :func:`pictured_frequencies_hz` from that of the 128 mel bands."""
    sums = np.concatenate([[0.0], np.cumsum(band_power)])
    edges = mel_band_edges_hz()
    centres = pictured_frequencies_hz()
    low = np.interp(centres / _HALF_BAND, edges, sums)
    high = np.interp(centres * _HALF_BAND, edges, sums)
    return np.asarray(high - low)


def _decibels(power: Array, whole: float) -> Array:
    return 10.0 * np.log10(np.maximum(power / max(whole, 1e-30), 1e-10))
