"""Sounds and figures that the separation's tests share."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch

RATE = 44_100
FALCON = Path(__file__).parents[5] / "shared/data/stems_falcon/falcon69.stem.mp4"
STEMS = ("drums", "bass", "other", "vocals")  # the order of the file's streams after the mix


def song(duration_s: float, seed: int = 1, rate: int = RATE) -> np.ndarray:
    """A stereo sketch of a song (2, n): bass notes, chords, a beat and a gliding voice."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(duration_s * rate)) / rate
    note = np.floor(t * 2) % 4
    bass = 0.2 * np.sin(2 * np.pi * 55 * np.cumsum(2 ** (note / 12)) / rate)
    chord = sum(0.04 * np.sin(2 * np.pi * f * t) for f in (262, 330, 392, 784))
    beat = 0.5 * rng.standard_normal(len(t)) * np.exp(-((t * 2) % 1) * 30)
    pitch = 440 * 2 ** (np.sin(2 * np.pi * 0.3 * t) / 6)
    voice = sum(0.1 / k * np.sin(2 * np.pi * k * np.cumsum(pitch) / rate) for k in (1, 2, 3, 4))
    left, right = bass + chord + 0.3 * beat + voice, bass + 0.5 * chord + 0.35 * beat + voice
    return (0.6 * np.stack([left, right])).astype(np.float32)


def reader(samples: np.ndarray):
    """A reader over samples (2, n), zeros outside."""
    held = torch.from_numpy(samples)

    def read(start: int, end: int) -> torch.Tensor:
        out = torch.zeros(2, end - start)
        first, last = max(start, 0), min(end, held.shape[1])
        if first < last:
            out[:, first - start : last - start] = held[:, first:last]
        return out

    return read


def whole(engine, samples: np.ndarray) -> dict[str, np.ndarray]:
    """All stems (2, n) of samples (2, n), segment after segment."""
    separate_segment = engine.begin(reader(samples))
    count = -(-samples.shape[1] // engine.segment_samples)
    parts = torch.cat([separate_segment(number) for number in range(count)], dim=2).numpy()
    return dict(zip(engine.stems, parts[:, :, : samples.shape[1]], strict=True))


def level_db(sound: np.ndarray, beside: np.ndarray) -> float:
    """Level of a sound relative to another."""
    return float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64)) / np.mean(beside**2)))


def sdr_db(truth: np.ndarray, estimate: np.ndarray) -> float:
    """Signal to distortion as in the Music Demixing Challenge: ten log of |s|² over |s - ŝ|²."""
    truth = truth.astype(np.float64)
    return float(10 * np.log10(np.sum(truth**2) / np.sum((truth - estimate) ** 2)))


def read_stems(files: dict[str, Path]) -> dict[str, np.ndarray]:
    """The written stems, (2, n) each."""
    return {name: soundfile.read(path, dtype="float32")[0].T for name, path in files.items()}


@pytest.fixture(scope="session")
def falcon() -> dict[str, np.ndarray]:
    """The true stems and their ``mix`` of the multitrack, (2, n) each, 6 s."""
    if not FALCON.exists():
        pytest.skip(f"the research data is not there: {FALCON}")
    tracks = {}
    for number, name in enumerate(("mix", *STEMS)):
        with av.open(str(FALCON)) as container:
            frames = [frame.to_ndarray() for frame in container.decode(audio=number)]
        tracks[name] = np.concatenate(frames, axis=1)
    return tracks
