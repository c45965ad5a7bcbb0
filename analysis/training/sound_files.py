"""Sound on its way through the product: files on disk, decoded and drawn as an upload is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

Float = npt.NDArray[np.float32]

SUFFIXES = frozenset({".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"})


def read_excerpt(path: Path, *, seconds: float, rate: int = 44_100) -> tuple[Float, int]:
    """Sound (channels, n) from the middle of a file and its rate, ``rate`` at most.

    A file that is shorter is taken whole. Raises soundfile.LibsndfileError for other files.
    """
    with soundfile.SoundFile(path) as file:
        wanted = min(file.frames, round(seconds * file.samplerate))
        file.seek((file.frames - wanted) // 2)
        sound = file.read(wanted, dtype="float32", always_2d=True)
        own = file.samplerate
    if own > rate:
        sound, own = soxr.resample(sound, own, rate), rate
    return np.ascontiguousarray(sound.T), own


def music_files(folders: Iterable[Path], *, least_seconds: float) -> list[Path]:
    """Sound files below folders that last long enough, in a fixed order; others are passed over."""
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() not in SUFFIXES or not path.is_file():
                continue
            try:
                long_enough = soundfile.info(path).duration >= least_seconds
            except soundfile.LibsndfileError:
                continue
            if long_enough:
                found.append(path)
    return found
