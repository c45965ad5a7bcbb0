"""Synthetic voices whose answers are known by construction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE = 32_000
Array = npt.NDArray[np.float64]


def pulses(period_s: Array, amplitude: Array | None = None, *, rate: int = RATE) -> Array:
    """One band-limited pulse per period, placed between the samples; shape (n,)."""
    at = np.cumsum(period_s) * rate
    sound = np.zeros(int(at[-1]) + 1_600)
    heights = np.ones(at.size) if amplitude is None else amplitude
    taps = np.arange(-40, 41)
    for place, height in zip(at, heights, strict=True):
        index = round(place) + taps
        inside = (index >= 0) & (index < sound.size)
        distance = (index - place)[inside]
        shape = np.sinc(distance / 2) * (0.5 + 0.5 * np.cos(np.pi * np.clip(distance / 41, -1, 1)))
        sound[index[inside]] += height * shape
    return sound


def irregular(count: int, percent: float, *, seed: int = 0) -> tuple[Array, float]:
    """Factors (count,) around 1 with white irregularity, and its mean step in percent of the mean
    (jitter or shimmer by definition)."""
    sigma = percent / 100 * np.sqrt(np.pi) / 2
    factors = 1.0 + sigma * np.random.default_rng(seed).standard_normal(count)
    return factors, 100 * float(np.abs(np.diff(factors)).mean() / factors.mean())


def harmonics(
    f0: float | Array,
    *,
    seconds: float = 1.2,
    db_per_octave: float = -9.0,
    up_to_hz: float = 14_000.0,
    rate: int = RATE,
) -> Array:
    """A sum of harmonics with a straight slope; ``f0`` in Hz, constant or one per sample."""
    n = round(seconds * rate)
    course = np.broadcast_to(np.asarray(f0, dtype=np.float64), (n,))
    phase = 2 * np.pi * np.cumsum(course) / rate
    sound = np.zeros(n)
    for number in range(1, int(up_to_hz / course.max()) + 1):
        level = 10 ** (db_per_octave / 20 * np.log2(number))
        sound += level * np.cos(number * phase + number**2)
    return sound


def with_noise(sound: Array, hnr_db: float, *, seed: int = 0) -> Array:
    """White noise this far beneath the sound's energy."""
    noise = np.random.default_rng(seed).standard_normal(sound.size)
    return sound + noise * np.sqrt(sound.var() / 10 ** (hnr_db / 10))


def vibrato(f0: float, *, seconds: float = 1.2, rate: int = RATE) -> Array:
    """F0 per sample: six times a second, half a semitone up and down."""
    at = np.arange(round(seconds * rate)) / rate
    return f0 * 2 ** (0.5 / 12 * np.sin(2 * np.pi * 6 * at))
