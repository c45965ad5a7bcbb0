"""Music as a tagger hears it beside the mel picture that the trunk sees of it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.neural.front_ends import FrontEnd, OfMusiCNN
from analysis.sound.decode import UndecodableAudio
from analysis.sound.mel import SAMPLE_RATE, log_mel
from analysis.sound.mono import mono_of_file
from analysis.training.picture_bank import digest_of

log = logging.getLogger(__name__)

EXCERPT_SECONDS = 30
_SHORTEST_SECONDS = 24
_SILENCE = 1e-3
# What is shorter than 3 s and a little, a patch of MusiCNN, is repeated.
_SHORTEST_PIECE = 70_560


@dataclass(frozen=True)
class Lessons:
    """Pictures (128, T) uint8, and of each the log-mel frames (T', bands) uint8 of the same sound,
    as a tagger's front end keeps them (:mod:`analysis.neural.front_ends`).
    """

    pictures: Sequence[npt.NDArray[np.uint8]]
    frames: Sequence[npt.NDArray[np.uint8]]

    def __len__(self) -> int:
        return len(self.pictures)

    def joined(self, other: Lessons) -> Lessons:
        """These, and after them the others."""
        return Lessons([*self.pictures, *other.pictures], [*self.frames, *other.frames])

    def digest(self) -> str:
        """Checksum of all pictures and frames."""
        return digest_of([*self.pictures, *self.frames])


def lessons_from_sound(
    files: Iterable[Path],
    *,
    cache: Path,
    every_seconds: int = 40,
    front_end: FrontEnd | None = None,
) -> Lessons:
    """Lessons from sound files: an excerpt of 30 s every ``every_seconds`` of each, with frames as
    a tagger's ``front_end`` makes them, or else MusiCNN's.

    A file shorter than that is one excerpt. Each file's lessons are kept in ``cache``, so a run
    that was stopped goes on where it was. Files that cannot be decoded are named in the log and
    left out.
    """
    front_end = front_end or OfMusiCNN()
    kind = "" if isinstance(front_end, OfMusiCNN) else f" {front_end.name}"
    cache.mkdir(parents=True, exist_ok=True)
    pictures: list[npt.NDArray[np.uint8]] = []
    frames: list[npt.NDArray[np.uint8]] = []
    for number, path in enumerate(files):
        key = hashlib.sha256(f"{path.resolve()} {every_seconds}{kind}".encode()).hexdigest()[:24]
        kept = cache / f"{key}.npz"
        if not kept.exists():
            _write_lessons(path, kept, every_seconds, front_end)
        with np.load(kept) as archive:
            pictures += _split(archive["mel"], archive["columns"])
            frames += [part.T for part in _split(archive["frames"], archive["counts"])]
        if number % 20 == 19:
            log.info("%d files, %d excerpts", number + 1, len(pictures))
    return Lessons(pictures, frames)


def _split(
    joined: npt.NDArray[np.uint8], widths: npt.NDArray[np.int64]
) -> list[npt.NDArray[np.uint8]]:
    return np.split(joined, widths.cumsum()[:-1], axis=1) if joined.size else []


def _write_lessons(path: Path, kept: Path, every_seconds: int, front_end: FrontEnd) -> None:
    pictures, frames = [], []
    try:
        sound = mono_of_file(path)
    except UndecodableAudio as error:
        log.warning("%s is left out: %s", path, error.message)
        sound = np.zeros(0, dtype=np.float32)
    last = sound.size // SAMPLE_RATE - _SHORTEST_SECONDS
    for begin in range(0, max(1, last), every_seconds):
        piece = sound[begin * SAMPLE_RATE : (begin + EXCERPT_SECONDS) * SAMPLE_RATE]
        if piece.size and np.abs(piece).max() > _SILENCE:
            piece = np.tile(piece, -(-_SHORTEST_PIECE // piece.size))
            pictures.append(log_mel(piece))
            frames.append(front_end.kept(piece).T)
    unfinished = kept.with_suffix(".new.npz")
    nothing = np.zeros((1, 0), np.uint8)
    np.savez(
        unfinished,
        mel=np.concatenate(pictures, axis=1) if pictures else nothing,
        columns=np.array([picture.shape[1] for picture in pictures], dtype=np.int64),
        frames=np.concatenate(frames, axis=1) if frames else nothing,
        counts=np.array([part.shape[1] for part in frames], dtype=np.int64),
    )
    unfinished.replace(kept)
