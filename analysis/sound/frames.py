"""One pass over the 22,050 Hz mono signal in short frames: onsets and how the sound moves.

Rhythm and the perceptual features share it. Frames are 2,048 samples (93 ms) every 512 (23 ms).
Only per-frame numbers are kept, so an hour of sound costs a few megabytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from analysis.sound import mel

HOP = 512
FRAMES_PER_SECOND = mel.SAMPLE_RATE / HOP
_FRAMES_PER_BLOCK = 512
_COMPRESSION = 30.0
_LOW_BANDS = slice(0, 8)
_HIGH_BANDS = slice(88, 128)

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Frames:
    """Per-frame values, each of shape (n_frames,).

    ``onset`` is the mean rise of the compressed mel bands, ``low_onset`` that of the bands below
    200 Hz, ``fall`` the mean fall, ``power`` the mean power of the frame, ``centroid_hz`` the
    mel-weighted centroid, ``flatness`` the spectral flatness of the mel bands above 4 kHz in
    0..1, ``flat_all`` that of all bands, ``high_share`` the power above 4 kHz over the whole.
    """

    onset: Array
    low_onset: Array
    fall: Array
    power: Array
    centroid_hz: Array
    flatness: Array
    flat_all: Array
    high_share: Array


def frames(mono: Array) -> Frames:
    """Analyse a 22,050 Hz mono signal, shape (n_samples,)."""
    window = np.hanning(mel.N_FFT + 1)[:-1].astype(np.float32)
    filters = mel.mel_filterbank()
    centres = mel.mel_frequencies_hz().astype(np.float32)
    widths = np.gradient(centres)
    n_frames = 1 + mono.size // HOP
    mean_power = float(np.dot(mono, mono)) / max(1, mono.size)
    # Power of white noise of the same level in one mel band: makes the compression independent
    # of how loud the file is.
    scale = _COMPRESSION / np.sqrt(max(mean_power * float((window**2).sum()) * 0.02, 1e-20))
    values = np.zeros((8, n_frames), dtype=np.float32)
    previous: Array | None = None
    for start in range(0, n_frames, _FRAMES_PER_BLOCK):
        stop = min(n_frames, start + _FRAMES_PER_BLOCK)
        power = _power(mono, start, stop, window) @ filters.T
        level = np.log1p(scale * np.sqrt(power))
        before = level[:1] if previous is None else previous
        change = np.diff(level, axis=0, prepend=before)
        previous = level[-1:]
        rise = np.maximum(change, 0.0)
        values[0, start:stop] = rise.mean(axis=1)
        values[1, start:stop] = rise[:, _LOW_BANDS].mean(axis=1)
        values[2, start:stop] = (rise - change).mean(axis=1)
        weighted = power * widths
        total = weighted.sum(axis=1) + 1e-12
        values[3, start:stop] = total
        values[4, start:stop] = (weighted @ centres) / total
        values[5, start:stop] = _flatness(power[:, _HIGH_BANDS])
        values[6, start:stop] = _flatness(power)
        values[7, start:stop] = weighted[:, _HIGH_BANDS].sum(axis=1) / total
    return Frames(*values)


def _power(mono: Array, start: int, stop: int, window: Array) -> Array:
    """Power spectra of the centred frames start..stop, shape (stop - start, 1025)."""
    half = mel.N_FFT // 2
    first, last = start * HOP - half, (stop - 1) * HOP + half
    piece = mono[max(0, first) : max(0, last)]
    piece = np.pad(piece, (max(0, -first), max(0, last - max(0, first) - piece.size)))
    shifted = np.lib.stride_tricks.sliding_window_view(piece, mel.N_FFT)[::HOP]
    spectrum = scipy.fft.rfft(shifted[: stop - start] * window, axis=1)
    return spectrum.real**2 + spectrum.imag**2


def _flatness(power: Array) -> Array:
    floor = power + 1e-10
    return np.exp(np.log(floor).mean(axis=1)) / floor.mean(axis=1)
