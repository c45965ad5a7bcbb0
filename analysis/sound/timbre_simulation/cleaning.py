"""Lowering what lies between the partials of a sung note: breath, hiss, rasp.

A spectrum of 93 ms shows partials as ridges with valleys between. Valleys are lowered, the more the
deeper they lie, in frames that have ridges; noise alone (an s, a breath in) stays as it is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.sound.timbre_simulation.short_time import to_sound, to_spectra, window_size

WINDOW_S = 0.093
HIGHEST_HZ = 14_000.0
NEIGHBOURS_HZ = 90.0
"""A valley is judged against the highest cell this far to both sides."""

_SPARED_DB, _FULL_AT_DB = 4.0, 14.0
_NOISE_DEPTH_DB, _VOICE_DEPTH_DB = 10.0, 15.0
"""Mean depth of the cells between 200 Hz and 4 kHz in noise, and in a sung note."""

_TINY = 1e-10

Sound = npt.NDArray[np.float32]


def clean(samples: Sound, sample_rate: int, *, most_db: float) -> Sound:
    """A voice (channels, n) with its valleys lowered by up to ``most_db``; the same for all
    channels, in place."""
    if most_db <= 0.0 or samples.shape[1] == 0:
        return samples.copy()
    size = window_size(WINDOW_S, sample_rate)
    spectra = to_spectra(samples, size)
    touched = min(round(HIGHEST_HZ / sample_rate * size) + 1, spectra.shape[2])
    middle = np.abs(spectra[:, :, :touched].mean(axis=0))
    spectra[:, :, :touched] *= _gains(middle, sample_rate, size, most_db)
    return to_sound(spectra, size, samples.shape[1])


def _gains(magnitude: Sound, sample_rate: int, size: int, most_db: float) -> Sound:
    """Factor of each cell (frames, bins)."""
    import scipy.ndimage

    per_bin = sample_rate / size
    level_db = 20.0 * np.log10(magnitude + np.float32(_TINY))
    width = 2 * round(NEIGHBOURS_HZ / per_bin) + 1
    ridge_db = scipy.ndimage.maximum_filter1d(level_db, width, axis=1)
    depth_db = scipy.ndimage.uniform_filter1d(ridge_db, width, axis=1) - level_db
    low, high = round(200.0 / per_bin), round(4_000.0 / per_bin)
    voiced = (depth_db[:, low:high].mean(axis=1) - _NOISE_DEPTH_DB) / (
        _VOICE_DEPTH_DB - _NOISE_DEPTH_DB
    )
    share = np.clip((depth_db - _SPARED_DB) / (_FULL_AT_DB - _SPARED_DB), 0.0, 1.0)
    share *= np.clip(voiced, 0.0, 1.0)[:, None]
    frequencies = np.arange(magnitude.shape[1]) * per_bin
    share *= np.clip((HIGHEST_HZ - frequencies) / (0.25 * HIGHEST_HZ), 0.0, 1.0)
    return np.asarray(10.0 ** (-most_db / 20.0 * share), dtype=np.float32)
