"""The frequency weighting of loudness meters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def k_weighting_sos(sample_rate: int) -> Array:
    """K-weighting as two second-order sections, shape (2, 6), for any sample rate in Hz.

    The analogue prototype behind BS.1770's 48 kHz coefficients (shelf 1,682 Hz, +4 dB, and
    high-pass 38 Hz), mapped by the bilinear transform as in De Man, "Evaluation of
    implementations of the EBU R128 loudness measurement", AES 2018.
    """
    k = np.tan(np.pi * 1681.974450955533 / sample_rate)
    q = 0.7071752369554196
    high = 10.0 ** (3.999843853973347 / 20.0)
    band = high**0.4996667741545416
    a0 = 1.0 + k / q + k * k
    shelf = [
        (high + band * k / q + k * k) / a0,
        2.0 * (k * k - high) / a0,
        (high - band * k / q + k * k) / a0,
        1.0,
        2.0 * (k * k - 1.0) / a0,
        (1.0 - k / q + k * k) / a0,
    ]
    k = np.tan(np.pi * 38.13547087602444 / sample_rate)
    q = 0.5003270373238773
    a0 = 1.0 + k / q + k * k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0]
    return np.array([shelf, high_pass])


def k_weighting_power(frequencies_hz: Array, sample_rate: int) -> Array:
    """Power gain of the K-weighting at each frequency, shape (n,)."""
    delay = np.exp(-2j * np.pi * np.asarray(frequencies_hz) / sample_rate)
    powers = np.stack([np.ones_like(delay), delay, delay**2])
    gain = np.ones(delay.shape)
    for section in k_weighting_sos(sample_rate):
        gain = gain * np.abs(section[:3] @ powers) ** 2 / np.abs(section[3:] @ powers) ** 2
    return gain
