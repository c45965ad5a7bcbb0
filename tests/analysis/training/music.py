"""Collections of sound files, made for a test: three kinds of noise that nobody could mix up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE = 22_050


def sound(kind: int, *, seconds: float, seed: int) -> np.ndarray:
    """Mono sound (n,): a low drone, a bright buzz, or clicks over hiss."""
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    hiss = 0.01 * generator.standard_normal(time.size)
    pitch = generator.uniform(0.9, 1.1)
    if kind == 0:
        return 0.4 * np.sin(2 * np.pi * 90 * pitch * time) + hiss
    if kind == 1:
        return 0.2 * np.sign(np.sin(2 * np.pi * 1500 * pitch * time)) + hiss
    return np.where(time * 5 * pitch % 1 < 0.03, 0.8, 0.02) * generator.standard_normal(time.size)


def write_sound(path: Path, kind: int = 0, *, seconds: float = 4.0, seed: int = 0) -> Path:
    """A sound file, in the format that its name ends with."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.clip(sound(kind, seconds=seconds, seed=seed), -1, 1), RATE)
    return path


def collection(
    folder: Path, names: list[str], *, artists: int = 3, tracks: int = 2, seconds: float = 4.0
) -> Path:
    """``folder/GENRE/ARTIST/N.wav`` for each of up to three genres."""
    for kind, genre in enumerate(names):
        for artist in range(artists):
            for track in range(tracks):
                path = folder / genre / f"{genre} artist {artist}" / f"{track}.wav"
                seed = kind * 1000 + artist * 10 + track
                write_sound(path, kind, seconds=seconds, seed=seed)
    return folder
