"""Clips for tests: real FLAC files of made voices, in the storage, with their rows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pytest

from analysis.labels.clip_files import store_clip
from analysis.labels.models import VoiceClip

RATE_HZ = 32_000


def voice(seed: int, seconds: float = 3.0, *, rate: int = RATE_HZ) -> np.ndarray:
    """A sung vowel, mono (n,): pitch, melody, vibrato, brightness and breath follow from the seed,
    so that no two seeds sound the same."""
    draw = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate)) / rate
    notes = 2.0 ** (draw.integers(-4, 5, size=12) / 12.0)
    melody = np.repeat(notes, -(-time_s.size // 12))[: time_s.size]
    f0_hz = draw.uniform(130.0, 330.0) * melody
    f0_hz = f0_hz * (1.0 + 0.012 * np.sin(2 * np.pi * draw.uniform(4.5, 6.5) * time_s))
    phase = 2 * np.pi * np.cumsum(f0_hz) / rate
    slope = draw.uniform(0.8, 1.8)
    wave = sum(np.sin(k * phase) / k**slope for k in range(1, 24))
    wave = wave + draw.uniform(0.005, 0.2) * draw.standard_normal(time_s.size)
    loudness = np.interp(time_s, np.linspace(0, seconds, 9), draw.uniform(0.3, 1.0, size=9))
    return (0.08 * loudness * wave).astype(np.float32)


@pytest.fixture
def make_clip(db: None) -> Callable[..., VoiceClip]:
    """``make_clip(singer="anna", **fields)`` stores a clip of three seconds, with its picture.

    ``fields`` are columns of VoiceClip; ``sound`` gives samples, mono (n,) at 32 kHz, and ``seed``
    another made voice. Without them every call makes another voice.
    """
    numbers = count(1)

    def make(
        singer: str = "anna",
        *,
        sound: np.ndarray | None = None,
        seed: int | None = None,
        seconds: float = 3.0,
        **fields: Any,
    ) -> VoiceClip:
        number = next(numbers)
        samples = voice(number if seed is None else seed, seconds) if sound is None else sound
        return store_clip(samples, key=f"test {singer} {number}", singer=singer, **fields)

    return make
