"""Breath that follows a voice, and the flutter of a rough one.

Both are made of noise from a fixed seed: the same voice and settings give the same samples.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.sound.timbre_simulation.short_time import to_sound, to_spectra, window_size

WINDOW_S = 0.023
BREATH_FROM_HZ = 1_000.0
BREATH_TO_HZ = 12_000.0
RISE_DB_PER_OCTAVE = 3.0
"""Breath is brighter than the voice that it belongs to."""

ENVELOPE_HZ = 400.0
"""Width over which the voice's spectrum is averaged into its envelope."""

FLUTTER_FROM_HZ, FLUTTER_TO_HZ = 50.0, 110.0
"""Changes of level that are heard as roughness, not as tremolo and not as a pitch."""

_BREATH_SEED, _FLUTTER_SEED = 20_261, 20_262
_MOST_FLUTTER = 0.9
_NOISE_PERIOD = 1 << 18
_SLOWER = 32
_SETTLING_S = 0.2

Sound = npt.NDArray[np.float32]


def breath(samples: Sound, sample_rate: int, *, level_db: float) -> Sound:
    """A whisper (channels, n) under a voice (channels, n): noise through the same vocal tract.

    Short-time spectra of noise take the spectral envelope of the voice's middle, so it follows
    vowels and level. It is ``level_db`` below the voice (RMS over all of it, in each channel), and
    the same noise in all channels, as it comes out of one mouth.
    """
    import scipy.ndimage

    n = samples.shape[1]
    size = window_size(WINDOW_S, sample_rate)
    per_bin = sample_rate / size
    spectra = to_spectra(samples.mean(axis=0, keepdims=True), size)
    power = spectra.real**2 + spectra.imag**2
    # As wide as the partials of high voices lie apart, so that none of them is left in it.
    width = 2 * round(ENVELOPE_HZ / per_bin / 2) + 1
    envelope = np.sqrt(scipy.ndimage.uniform_filter1d(power, width, axis=-1))
    envelope *= _colour(size // 2 + 1, per_bin)
    air = to_sound(to_spectra(_noise(n, _BREATH_SEED)[None], size) * envelope, size, n)
    found = float(np.mean(np.square(air, dtype=np.float64)))
    if found <= 0.0:
        return np.zeros_like(samples)
    levels = np.sqrt(np.mean(np.square(samples, dtype=np.float64), axis=1, keepdims=True))
    return np.asarray(air * (levels * 10.0 ** (level_db / 20.0) / found**0.5), dtype=np.float32)


def _colour(bins: int, per_bin: float) -> Sound:
    """Gain of each bin: nothing low down, where breath is not heard, rising where it is."""
    hz = np.maximum(np.arange(bins) * per_bin, 1.0)
    low = np.clip((hz - BREATH_FROM_HZ / 2) / (BREATH_FROM_HZ / 2), 0.0, 1.0)
    top = np.clip((1.25 * BREATH_TO_HZ - hz) / (0.25 * BREATH_TO_HZ), 0.0, 1.0)
    rising = 10.0 ** (RISE_DB_PER_OCTAVE * np.log2(hz / BREATH_FROM_HZ) / 20.0)
    return (low * top * rising).astype(np.float32)


def flutter(n: int, sample_rate: int, *, depth: float) -> Sound:
    """Gain over time (n,), one on the mean, whose RMS about it is ``depth`` (0 to 0.5).

    Raises
    ------
    ValueError
        If depth is not between 0 and 0.5.
    """
    if not 0.0 <= depth <= 0.5:
        raise ValueError(f"depth must be between 0 and 0.5, and is {depth}")
    if depth == 0.0 or n == 0:
        return np.ones(n, dtype=np.float32)
    import scipy.signal

    # Slow as it is, it is made at a low rate; what linear interpolation adds lies 47 dB below.
    slow_rate = sample_rate / _SLOWER
    steps = -(-n // _SLOWER) + 1
    top_hz = min(FLUTTER_TO_HZ, 0.45 * slow_rate)
    band = scipy.signal.butter(2, [FLUTTER_FROM_HZ, top_hz], "bandpass", fs=slow_rate, output="sos")
    settling = round(_SETTLING_S * slow_rate)
    wave = scipy.signal.sosfilt(band, _noise(steps + settling, _FLUTTER_SEED))[settling:]
    wave *= depth / max(float(np.std(wave)), 1e-12)
    gain = 1.0 + np.clip(wave, -_MOST_FLUTTER, _MOST_FLUTTER)
    return np.interp(np.arange(n) / _SLOWER, np.arange(steps), gain).astype(np.float32)


def _noise(n: int, seed: int) -> Sound:
    """White noise (n,); it repeats after six seconds at 44.1 kHz, which nobody hears."""
    period = min(n, _NOISE_PERIOD)
    noise = np.random.default_rng(seed).standard_normal(period, dtype=np.float32)
    return np.resize(noise, n)
