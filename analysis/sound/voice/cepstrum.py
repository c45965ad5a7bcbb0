"""Smoothed cepstral peak prominence (CPPS), after Hillenbrand & Houde (1996)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.ndimage import uniform_filter1d

from analysis.sound.voice.pitch import HIGHEST_HZ, LOWEST_HZ, PitchTrack

_WINDOW_S = 0.041
_HOP_S = 0.010
_TIME_SMOOTHING_S = 0.020
_QUEFRENCY_SMOOTHING_S = 0.0005
_LINE_FROM_S = 0.001
_FRAMES_AT_ONCE = 512
# Below the loudest bin of a frame: what a recording holds beneath is no voice.
_FLOOR_DB = 100.0


def prominence_db(samples: npt.NDArray[np.floating], rate: int, pitch: PitchTrack) -> float | None:
    """Mean CPPS in dB over the voiced frames; None where there is none.

    The cepstrum of the log power spectrum in dB, itself in dB, averaged over 20 ms and 0.5 ms. Its
    highest point between the shortest and the longest period of singing stands above a straight
    line fitted to all quefrencies from 1 ms on.
    """
    size, hop = round(_WINDOW_S * rate), round(_HOP_S * rate)
    if len(samples) < size:
        return None
    transform = 1 << (size - 1).bit_length()
    window = np.hanning(size).astype(np.float32)
    views = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32), size)[::hop]
    longest = min(int(np.ceil(rate / LOWEST_HZ)) + 1, transform // 2)
    parts = []
    for start in range(0, len(views), _FRAMES_AT_ONCE):
        spectrum = scipy.fft.rfft(
            views[start : start + _FRAMES_AT_ONCE] * window, transform, axis=1
        )
        power = spectrum.real**2 + spectrum.imag**2
        loudest = power.max(axis=1, keepdims=True)
        floor = np.maximum(loudest * 10.0 ** (-_FLOOR_DB / 10.0), 1e-30)
        level_db = 10.0 * np.log10(np.maximum(power, floor) / np.maximum(loudest, 1e-30))
        parts.append(scipy.fft.irfft(level_db, axis=1)[:, : longest + 1] ** 2)
    cepstra = np.concatenate(parts)
    cepstra = uniform_filter1d(cepstra, max(1, round(_TIME_SMOOTHING_S / _HOP_S)), axis=0)
    width = max(1, round(_QUEFRENCY_SMOOTHING_S * rate))
    cepstra_db = 10.0 * np.log10(np.maximum(uniform_filter1d(cepstra, width, axis=1), 1e-12))
    middle_s = (np.arange(len(views)) * hop + size / 2) / rate
    nearest = np.clip(np.searchsorted(pitch.time_s, middle_s), 0, pitch.time_s.size - 1)
    voiced_db = cepstra_db[pitch.voiced[nearest]]
    if not len(voiced_db):
        return None
    return float(_above_the_line(voiced_db, rate).mean())


def _above_the_line(cepstra_db: npt.NDArray[np.floating], rate: int) -> npt.NDArray[np.floating]:
    quefrency = np.arange(cepstra_db.shape[1]) / rate
    fitted = quefrency >= _LINE_FROM_S
    x = quefrency[fitted] - quefrency[fitted].mean()
    y = cepstra_db[:, fitted]
    slope = y @ x / (x @ x)
    searched = np.flatnonzero(quefrency >= 1.0 / HIGHEST_HZ)
    top = searched[cepstra_db[:, searched].argmax(axis=1)]
    line = y.mean(axis=1) + slope * (quefrency[top] - quefrency[fitted].mean())
    return cepstra_db[np.arange(len(cepstra_db)), top] - line
