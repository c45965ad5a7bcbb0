"""Signals and files that tests of the measurements share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import soundfile

Array = npt.NDArray[np.float32]


def sine(
    seconds: float, *, dbfs: float, hz: float = 1000.0, rate: int = 48_000, phase: float = 0.0
) -> Array:
    """A sine whose peak is at *dbfs*, shape (n,)."""
    at = np.arange(round(seconds * rate)) / rate
    return (10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * at + phase)).astype(np.float32)


def tones(parts: Sequence[tuple[float, float]], *, rate: int = 48_000, channels: int = 2) -> Array:
    """1 kHz tones of (dBFS, seconds) one after the other, shape (channels, n)."""
    mono = np.concatenate([sine(seconds, dbfs=dbfs, rate=rate) for dbfs, seconds in parts])
    return np.repeat(mono[None], channels, axis=0)


def noise(seconds: float, *, rate: int = 44_100, channels: int = 2, seed: int = 1) -> Array:
    """White noise at about -20 dBFS, shape (channels, n)."""
    generator = np.random.default_rng(seed)
    return (0.1 * generator.standard_normal((channels, round(seconds * rate)))).astype(np.float32)


def write(path: Path, sound: Array, *, rate: int = 44_100, **options: str) -> Path:
    """Write (channels, n) with libsndfile, which is independent of the decoder under test."""
    soundfile.write(path, sound.T, rate, **options)
    return path


def encode(
    path: Path, sound: Array, *, codec: str, container: str, rate: int = 44_100, layout: str
) -> Path:
    """Write (channels, n) with FFmpeg's encoder *codec* into *container*."""
    with av.open(str(path), mode="w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        wanted = stream.codec_context.codec.audio_formats[0].name
        resampler = av.AudioResampler(format=wanted, layout=layout, rate=rate)
        size = stream.codec_context.frame_size or 4096
        pts = 0
        for start in range(0, sound.shape[1], size):
            block = np.ascontiguousarray(sound[:, start : start + size])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate = rate
            frame.pts = pts
            pts += block.shape[1]
            for resampled in resampler.resample(frame):
                out.mux(stream.encode(resampled))
        out.mux(stream.encode(None))
    return path
