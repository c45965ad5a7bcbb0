"""Known changes of a voice: breath, distortion, growl, shelves.

What each does to which tag is known without anybody's labels, so a network can learn, and be tested
on, the direction.

All take and give mono sound (n,) at a rate and keep its level (RMS), except clipping, which keeps
what it does not cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal
from scipy.ndimage import uniform_filter1d

from analysis.sound.equaliser import Move, sections

Float = npt.NDArray[np.float32]
Draw = Callable[[np.random.Generator], Mapping[str, float]]
Apply = Callable[..., Float]


@dataclass(frozen=True)
class Change:
    """A family of changes, or one of a family with fixed strength.

    ``draw`` takes parameters from a generator; ``apply`` is called with sound, rate, generator and
    these; ``moves`` says which tags go up (+1) or down (-1).
    """

    name: str
    family: str
    draw: Draw
    apply: Apply
    moves: Mapping[str, int]

    def __call__(self, sound: Float, rate: int, rng: np.random.Generator) -> Float:
        """The sound with one draw of this change."""
        return self.apply(sound, rate, rng, **self.draw(rng))


def rms(sound: Float) -> float:
    """Root mean square, never quite zero."""
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)) + 1e-20))


def _level_kept(changed: npt.NDArray[np.floating], sound: Float) -> Float:
    result = changed.astype(np.float32)
    return result * np.float32(rms(sound) / rms(result))


def _envelope(sound: Float, rate: int, smooth_s: float) -> npt.NDArray[np.float64]:
    """Level around each sample, averaged over ``smooth_s``."""
    width = max(1, round(smooth_s * rate))
    power = uniform_filter1d(np.square(sound, dtype=np.float64), width)
    return np.sqrt(np.maximum(power, 0.0))


def breath_noise(
    sound: Float,
    rate: int,
    rng: np.random.Generator,
    *,
    snr_db: float,
    slope: float,
    high_pass_hz: float,
    follow: float,
) -> Float:
    """Add noise ``snr_db`` below the voice; its density falls by ``slope`` dB per octave above
    1 kHz. ``follow`` 1 lets it rise and fall with the voice, 0 is steady."""
    n = len(sound)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    hz = np.fft.rfftfreq(n, 1.0 / rate)
    octaves = np.log2(np.maximum(hz, 50.0) / 1_000.0)
    gain = 10.0 ** (-slope * octaves / 20.0) / np.sqrt(
        1.0 + (high_pass_hz / np.maximum(hz, 1.0)) ** 8
    )
    noise = np.fft.irfft(spectrum * gain, n)
    noise *= _envelope(sound, rate, 0.03) ** follow
    noise *= rms(sound) * 10.0 ** (-snr_db / 20.0) / rms(noise.astype(np.float32))
    return (sound + noise).astype(np.float32)


def aspirate(sound: Float, rate: int, rng: np.random.Generator, *, share: float) -> Float:
    """Replace a share (0..1) of the voice's energy by a whisper of the same words: its smoothed
    spectra with random phases, steeper from below (after Klatt & Klatt 1990)."""
    size = 1 << int(np.log2(0.03 * rate))
    hz, _, frames = signal.stft(sound, rate, nperseg=size, noverlap=size * 3 // 4)
    smooth = max(1, round(400.0 / hz[1]))
    # A running sum may come out a little below zero.
    level = np.sqrt(np.maximum(uniform_filter1d(np.abs(frames) ** 2, smooth, axis=0), 0.0))
    level *= np.sqrt(np.minimum(1.0, (hz / 2_000.0)))[:, None]
    noise = rng.standard_normal(frames.shape) + 1j * rng.standard_normal(frames.shape)
    _, whisper = signal.istft(level * noise, rate, nperseg=size, noverlap=size * 3 // 4)
    whisper = whisper[: len(sound)]
    whisper *= rms(sound) / rms(whisper.astype(np.float32))
    mixed = np.sqrt(1.0 - share) * sound[: len(whisper)] + np.sqrt(share) * whisper
    return _level_kept(mixed, sound)


def clip(sound: Float, rate: int, rng: np.random.Generator, *, share: float) -> Float:
    """Cut off flat what exceeds the level that ``share`` of the sounding samples exceed."""
    level = np.abs(sound)
    sounding = level[level > 0.01 * level.max()]
    top = float(np.quantile(sounding, 1.0 - share)) if sounding.size else 1.0
    return np.clip(sound, -top, top).astype(np.float32)


def overdrive(
    sound: Float, rate: int, rng: np.random.Generator, *, drive_db: float, bias: float
) -> Float:
    """Drive the voice ``drive_db`` over the knee of a hyperbolic tangent; ``bias`` makes it
    lopsided. Computed at four times the rate."""
    fast = signal.resample_poly(sound, 4, 1)
    driven = np.tanh(fast / (3.0 * rms(sound)) * 10.0 ** (drive_db / 20.0) + bias) - np.tanh(bias)
    slow = signal.resample_poly(driven, 1, 4)[: len(sound)]
    return _level_kept(slow - slow.mean(), sound)


def growl(
    sound: Float,
    rate: int,
    rng: np.random.Generator,
    *,
    centre_hz: float,
    depth: float,
    drive_db: float,
) -> Float:
    """Let a restless low vibration (the false folds of a growl) shake the level, and drive it."""
    n = len(sound)
    wander = np.cumsum(rng.standard_normal(n)) / np.sqrt(rate)
    wander = signal.sosfiltfilt(signal.butter(1, 3.0, "high", fs=rate, output="sos"), wander)
    wander /= np.std(wander) + 1e-9
    phase = 2.0 * np.pi * np.cumsum(centre_hz * 2.0 ** (0.15 * wander)) / rate
    shake = np.maximum(0.0, 1.0 + depth * (0.7 * np.cos(phase) + 0.3 * np.cos(2.0 * phase)))
    shaken = (sound * shake).astype(np.float32)
    return _level_kept(overdrive(shaken, rate, rng, drive_db=drive_db, bias=0.2), sound)


def equalise(sound: Float, rate: int, *moves: Move) -> Float:
    """Bells and shelves at once, level kept."""
    return _level_kept(signal.sosfilt(sections(moves, rate), sound), sound)


def high_shelf(
    sound: Float, rate: int, rng: np.random.Generator, *, freq_hz: float, gain_db: float
) -> Float:
    """Raise or lower the top."""
    return equalise(sound, rate, Move("high_shelf", freq_hz, gain_db))


def low_mid(
    sound: Float, rate: int, rng: np.random.Generator, *, freq_hz: float, gain_db: float, q: float
) -> Float:
    """Raise or lower a bell between 150 and 500 Hz, or a shelf below (``q`` 0)."""
    if q <= 0.0:
        return equalise(sound, rate, Move("low_shelf", freq_hz, gain_db))
    return equalise(sound, rate, Move("bell", freq_hz, gain_db, q))


def low_pass(
    sound: Float, rate: int, rng: np.random.Generator, *, freq_hz: float, order: float
) -> Float:
    """Take away the top."""
    filters = signal.butter(int(order), min(freq_hz, 0.45 * rate), fs=rate, output="sos")
    return _level_kept(signal.sosfilt(filters, sound), sound)


def quantise(
    sound: Float, rate: int, rng: np.random.Generator, *, peak_dbfs: float, bits: float
) -> Float:
    """Store it quietly with few bits, and take it back."""
    gain = 10.0 ** (peak_dbfs / 20.0) / float(np.abs(sound).max() + 1e-12)
    steps = 2.0 ** (bits - 1.0)
    return (np.round(sound * gain * steps) / (steps * gain)).astype(np.float32)


def room(
    sound: Float, rate: int, rng: np.random.Generator, *, wet_db: float, seconds: float
) -> Float:
    """A little reverberation: noise that dies away."""
    n = round(seconds * rate)
    tail = rng.standard_normal(n) * 10.0 ** (-3.0 * np.arange(n) / n)
    wet = signal.fftconvolve(sound, tail)[: len(sound)].astype(np.float32)
    return _level_kept(sound + wet * (rms(sound) / rms(wet) * 10.0 ** (wet_db / 20.0)), sound)
