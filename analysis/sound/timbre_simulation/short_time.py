"""Short-time spectra of a sound, and back: Hann windows a quarter of their length apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Sound = npt.NDArray[np.float32]
Spectra = npt.NDArray[np.complex64]


def window_size(seconds: float, sample_rate: int) -> int:
    """The power of two that is nearest to a length in seconds."""
    return int(2 ** round(np.log2(seconds * sample_rate)))


def to_spectra(samples: Sound, size: int) -> Spectra:
    """Spectra (channels, frames, size // 2 + 1) of a sound (channels, n)."""
    import scipy.fft

    hop = size // 4
    n = samples.shape[1]
    frames = _frames(n, size)
    padded = np.pad(samples, ((0, 0), (size, frames * hop + size - n)))
    views = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, ::hop][:, :frames]
    spectra: Spectra = scipy.fft.rfft(views * _window(size), axis=-1)
    return spectra


def to_sound(spectra: Spectra, size: int, n: int) -> Sound:
    """The sound (channels, n) of spectra: unchanged ones give the sound they came from."""
    import scipy.fft

    hop = size // 4
    channels, frames, _ = spectra.shape
    # Hann twice, at a quarter of its length apart, adds up to 1.5.
    pieces = scipy.fft.irfft(spectra, size, axis=-1) * (_window(size) / np.float32(1.5))
    sound = np.zeros((channels, (frames + 3) * hop), dtype=np.float32)
    for part in range(4):
        row = pieces[:, :, part * hop : (part + 1) * hop].reshape(channels, -1)
        sound[:, part * hop : part * hop + row.shape[1]] += row
    return sound[:, size : size + n]


def _frames(n: int, size: int) -> int:
    return -(-(n + size) // (size // 4)) + 1


def _window(size: int) -> Sound:
    return np.hanning(size + 1)[:-1].astype(np.float32)
