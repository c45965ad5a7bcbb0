"""Known technical damage to real music, each as a function of a sound (2, n) at 48 kHz."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import scipy.signal
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

from analysis.sound.decode import stream
from analysis.sound.equaliser import Equaliser, Move

Array = npt.NDArray[np.float32]
RATE = 48_000

HUM_LEVELS_DB = (0.0, -4.0, -3.0, -10.0, -8.0, -14.0, -12.0, -18.0)
"""Multiples of a mains transformer's hum, relative to the first."""


def at_peak(sound: Array, dbfs: float) -> Array:
    """The sound with its largest sample at *dbfs*."""
    return (sound * (10 ** (dbfs / 20) / np.abs(sound).max())).astype(np.float32)


def clipped(sound: Array, *, drive_db: float = 6.0) -> Array:
    """Driven into full scale."""
    return np.clip(at_peak(sound, drive_db), -1.0, 1.0)


def limited(sound: Array, *, drive_db: float, ceiling_dbfs: float = -1.0) -> Array:
    """A look-ahead limiter: 2 ms ahead, smoothed gain, never over its ceiling."""
    ceiling = 10 ** (ceiling_dbfs / 20)
    driven = at_peak(sound, ceiling_dbfs + drive_db)
    ahead = round(0.002 * RATE)
    envelope = maximum_filter1d(np.abs(driven).max(axis=0), 2 * ahead + 1)
    gain = np.minimum(1.0, ceiling / np.maximum(envelope, 1e-9))
    gain = uniform_filter1d(minimum_filter1d(gain, 2 * ahead + 1), ahead)
    return np.clip(driven * gain, -ceiling, ceiling).astype(np.float32)


def inverted(sound: Array, *, channel: int) -> Array:
    """One channel with its polarity flipped."""
    hurt = sound.copy()
    hurt[channel] *= -1
    return hurt


def inverted_band(sound: Array, *, low_hz: float, high_hz: float) -> Array:
    """The right channel with one band's polarity flipped, without shifting its phase."""
    spectrum = np.fft.rfft(sound[1])
    hz = np.fft.rfftfreq(sound.shape[1], 1 / RATE)
    spectrum[(hz >= low_hz) & (hz < high_hz)] *= -1
    return np.stack([sound[0], np.fft.irfft(spectrum, sound.shape[1])]).astype(np.float32)


def collapsed(sound: Array) -> Array:
    """Both channels the same."""
    return np.repeat(sound.mean(axis=0, keepdims=True), 2, axis=0)


def humming(sound: Array, *, mains_hz: float, dbfs: float, seed: int) -> Array:
    """Mains hum of *dbfs* (of a sine with its power) under both channels."""
    at = np.arange(sound.shape[1]) / RATE
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(HUM_LEVELS_DB))
    hum = np.zeros(at.size)
    for index, (level_db, phase) in enumerate(zip(HUM_LEVELS_DB, phases, strict=True)):
        hum += 10 ** (level_db / 20) * np.sin(2 * np.pi * mains_hz * (index + 1) * at + phase)
    hum *= 10 ** (dbfs / 20) / np.sqrt(2 * (hum**2).mean())
    return (sound + hum).astype(np.float32)


def ringing(sound: Array, *, hz: float) -> Array:
    """A resonance: +9 dB, Q 20."""
    move = Move("bell", hz, 9.0, 20.0)
    return Equaliser([move], sample_rate=RATE, channels=2)(sound)


def off_centre(sound: Array, *, offset: float = 0.01) -> Array:
    """With a constant added."""
    return (sound + np.float32(offset)).astype(np.float32)


def full_band(sound: Array) -> Array:
    """With hiss from 15 kHz up to half the sample rate, as a noisy microphone brings it: the demo
    tracks are Opus files, which end at 20 kHz like every lossy file."""
    generator = np.random.default_rng(7)
    sos = scipy.signal.butter(4, 15_000, "highpass", fs=RATE, output="sos")
    hiss = scipy.signal.sosfilt(sos, generator.standard_normal(sound.shape))
    return (sound + 3e-3 * hiss).astype(np.float32)


def through_codec(sound: Array, folder: Path, *, codec: str, bit_rate: int) -> Array:
    """Really encoded and decoded again."""
    path = folder / f"encoded.{'mp3' if 'mp3' in codec else 'm4a'}"
    with av.open(str(path), "w") as out:
        track = out.add_stream(codec, rate=RATE, layout="stereo")
        track.bit_rate = bit_rate
        wanted = track.codec_context.codec.audio_formats[0].name
        resampler = av.AudioResampler(format=wanted, layout="stereo", rate=RATE)
        size = track.codec_context.frame_size or 1_152
        for start in range(0, sound.shape[1], size):
            block = np.ascontiguousarray(sound[:, start : start + size])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE, start
            for ready in resampler.resample(frame):
                out.mux(track.encode(ready))
        out.mux(track.encode(None))
    return np.concatenate(list(stream(path)), axis=1)
