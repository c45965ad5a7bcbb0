"""Soft clipping without aliases.

The wave is shaped at four times the sample rate. Only what shaping *adds* goes down again through
the low-pass, so that the voice itself keeps every sample where and as it was: no delay, no loss at
the top, and nothing at all at a drive of nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

OVERSAMPLING = 4
_BLOCK = 1 << 14
_CONTEXT = 512
"""Samples on both sides of a block that are computed and thrown away: the filters ring there."""

_PASS_SHARE = 0.86
"""What is added is complete up to this share of half the sample rate, and gone at the whole."""

SLOWEST_HZ = 30.0
_GROUP = 8

Sound = npt.NDArray[np.float32]


def saturate(samples: Sound, sample_rate: int, *, drive: float, bias: float = 0.0) -> Sound:
    """Each wave through ``tanh``, at unit gain for small waves.

    Parameters
    ----------
    samples : (channels, n)
    drive : factor into the clipper: a wave of 1 / drive is bent by 2.4 dB
    bias : shifts the working point, which adds even harmonics; as a share of the clipper's scale

    Raises
    ------
    ValueError
        If drive is negative.
    """
    if drive < 0.0:
        raise ValueError(f"drive must not be negative, and is {drive}")
    if drive == 0.0:
        return samples.copy()
    import scipy.fft
    import scipy.signal

    n = samples.shape[1]
    step = _BLOCK - 2 * _CONTEXT
    blocks = -(-n // step)
    padded = np.pad(samples, ((0, 0), (_CONTEXT, blocks * step - n + _CONTEXT)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _BLOCK, axis=1)[:, ::step]
    top = _fade(_BLOCK)
    added = np.empty((samples.shape[0], blocks, step), dtype=np.float32)
    for channel in range(samples.shape[0]):
        for first in range(0, blocks, _GROUP):
            group = scipy.fft.rfft(windows[channel, first : first + _GROUP], axis=-1)
            high = np.zeros((len(group), OVERSAMPLING * _BLOCK // 2 + 1), dtype=np.complex64)
            high[:, : group.shape[1]] = group * OVERSAMPLING
            wave = scipy.fft.irfft(high, OVERSAMPLING * _BLOCK, axis=-1)
            bent = scipy.fft.rfft(_added(wave, drive, bias), axis=-1)[:, : group.shape[1]]
            low = scipy.fft.irfft(bent * (top / OVERSAMPLING), _BLOCK, axis=-1)
            added[channel, first : first + _GROUP] = low[:, _CONTEXT : _CONTEXT + step]
    what_is_added = added.reshape(samples.shape[0], -1)[:, :n]
    if bias:
        # Halves that saturate unequally push the mean about: what is slower than any voice goes.
        slow = scipy.signal.butter(1, SLOWEST_HZ, "highpass", fs=sample_rate, output="sos")
        what_is_added = scipy.signal.sosfilt(slow.astype(np.float32), what_is_added, axis=1)
    return np.asarray(samples + what_is_added, dtype=np.float32)


def _added(wave: Sound, drive: float, bias: float) -> Sound:
    """What shaping adds to a wave: the shaped one, at unit slope around zero, minus itself."""
    slope = drive * (1.0 - np.tanh(bias) ** 2)
    shaped = np.tanh(wave * np.float32(drive) + np.float32(bias))
    shaped -= np.float32(np.tanh(bias))
    shaped *= np.float32(1.0 / slope)
    shaped -= wave
    return np.asarray(shaped, dtype=np.float32)


def _fade(block: int) -> Sound:
    """Gain of each bin (block // 2 + 1) of what is added: a raised cosine down to nothing."""
    share = np.linspace(0.0, 1.0, block // 2 + 1)
    into = np.clip((share - _PASS_SHARE) / (1.0 - _PASS_SHARE), 0.0, 1.0)
    return (0.5 + 0.5 * np.cos(np.pi * into)).astype(np.float32)
