"""What a teacher heard in each piece of music, beside the mel picture that the trunk sees of it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr
import torch
from torch import Tensor

from analysis.sound.decode import UndecodableAudio
from analysis.sound.mel import COLUMNS_PER_SECOND, SAMPLE_RATE, log_mel
from analysis.training import musicnn
from analysis.training.musicnn import MusiCNN
from analysis.training.sound_files import mono_of_file

log = logging.getLogger(__name__)

EXCERPT_SECONDS = 30
COLUMNS_PER_PATCH = musicnn.PATCH_SECONDS * COLUMNS_PER_SECOND
# 200 features and the logits of 50 tags, of the sound as it was heard and as it was imagined.
ANSWER = musicnn.FEATURES + musicnn.TAGS
TAUGHT = 2 * ANSWER
_SHORTEST_SECONDS = 24
_SILENCE = 1e-3


@dataclass(frozen=True)
class Lessons:
    """Pictures (128, T) uint8, and of each the teacher's answers (patches, 500) float32, one row
    for each three seconds.

    The first 250 numbers (features and logits of tags) are what it heard in the sound, NaN where
    there is only a picture. The others are what it made of the sound imagined from the picture
    (:func:`analysis.training.musicnn.imagined_patches`): worse answers, but ones that can be
    learned in full, since the picture holds all that they were made from.
    """

    pictures: Sequence[npt.NDArray[np.uint8]]
    heard: Sequence[npt.NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.pictures)

    def digest(self) -> str:
        """Checksum of all pictures and answers."""
        return digest_of([*self.pictures, *self.heard])


def digest_of(arrays: Iterable[npt.NDArray[Any]]) -> str:
    """Checksum of arrays, in their order; empty for none."""
    sha, empty = hashlib.sha256(), True
    for array in arrays:
        sha.update(np.ascontiguousarray(array).data)
        empty = False
    return "" if empty else sha.hexdigest()


class Answers:
    """The teacher's answers for any stretch of any track, standardised.

    A stretch gets the mean of the patches that it overlaps, each in proportion to the overlap; NaN
    for what is not known of its track.
    """

    def __init__(
        self, heard: Sequence[npt.NDArray[np.float32]], *, like: Answers | None = None
    ) -> None:
        """Scale by the mean and deviation of all rows, or as ``like`` does."""
        rows = torch.from_numpy(np.concatenate(heard))
        self.mean: Tensor = rows.nanmean(dim=0) if like is None else like.mean
        self.deviation: Tensor = (
            (rows - self.mean).square().nanmean(dim=0).sqrt() + 1e-3
            if like is None
            else like.deviation
        )
        scaled = ((rows - self.mean) / self.deviation).nan_to_num()
        self._known = torch.from_numpy(np.stack([~np.isnan(part[0]) for part in heard]))
        # Sums up to each patch, so that any stretch is a difference of two.
        self._sums = torch.cat([torch.zeros(1, rows.shape[1]), scaled.double().cumsum(0).float()])
        self._count = torch.tensor([len(part) for part in heard])
        self._first = self._count.cumsum(0) - self._count

    def __call__(self, tracks: Tensor, start: Tensor, size: Tensor) -> Tensor:
        """Means (n, 500) over columns ``start`` to ``start + size`` (n,) of tracks (n,)."""
        count = self._count[tracks].to(torch.float32)
        begin = torch.minimum(start / COLUMNS_PER_PATCH, count - 0.5)
        end = torch.minimum((start + size) / COLUMNS_PER_PATCH, count)
        means = (self._sum(tracks, end) - self._sum(tracks, begin)) / (end - begin)[:, None]
        return means.where(self._known[tracks], torch.nan)

    def _sum(self, tracks: Tensor, patches: Tensor) -> Tensor:
        whole = torch.minimum(patches.floor().to(torch.int64), self._count[tracks])
        first = self._first[tracks] + whole
        below = self._sums[first]
        above = self._sums[torch.minimum(first + 1, self._first[tracks] + self._count[tracks])]
        return below + (above - below) * (patches - whole)[:, None]


def teach_from_sound(
    files: Iterable[Path], teacher: MusiCNN, *, cache: Path, every_seconds: int = 60
) -> Lessons:
    """Lessons from sound files: an excerpt of 30 s every ``every_seconds`` of each.

    Each file's lessons are kept in ``cache``, so a run that was stopped goes on where it was. Files
    that cannot be decoded are named in the log and left out.
    """
    cache.mkdir(parents=True, exist_ok=True)
    pictures: list[npt.NDArray[np.uint8]] = []
    heard: list[npt.NDArray[np.float32]] = []
    for number, path in enumerate(files):
        key = hashlib.sha256(f"{path.resolve()} {every_seconds}".encode()).hexdigest()[:24]
        kept = cache / f"{key}.npz"
        if not kept.exists():
            _write_lessons(path, teacher, kept, every_seconds)
        with np.load(kept) as archive:
            ends = archive["columns"].cumsum()[:-1]
            pictures += np.split(archive["mel"], ends, axis=1) if archive["mel"].size else []
            rows = archive["heard"].astype(np.float32)
            heard += np.split(rows, archive["patches"].cumsum()[:-1]) if rows.size else []
        if number % 20 == 19:
            log.info("%d files, %d excerpts", number + 1, len(pictures))
    return Lessons(pictures, heard)


def _write_lessons(path: Path, teacher: MusiCNN, kept: Path, every_seconds: int) -> None:
    pictures, heard = [], []
    try:
        sound = mono_of_file(path)
    except UndecodableAudio as error:
        log.warning("%s is left out: %s", path, error.message)
        sound = np.zeros(0, dtype=np.float32)
    last = sound.size // SAMPLE_RATE - _SHORTEST_SECONDS
    for begin in range(0, max(1, last), every_seconds):
        piece = sound[begin * SAMPLE_RATE : (begin + EXCERPT_SECONDS) * SAMPLE_RATE]
        if piece.size and np.abs(piece).max() > _SILENCE:
            picture = log_mel(piece)
            resampled = soxr.resample(piece, SAMPLE_RATE, musicnn.SAMPLE_RATE)
            sides = (musicnn.log_mel_patches(resampled), musicnn.imagined_patches(picture))
            both = [_answers(teacher, patches) for patches in sides]
            length = min(map(len, both))
            pictures.append(picture)
            heard.append(np.concatenate([side[:length] for side in both], axis=1))
    unfinished = kept.with_suffix(".new.npz")
    np.savez(
        unfinished,
        mel=np.concatenate(pictures, axis=1) if pictures else np.zeros((128, 0), np.uint8),
        columns=[picture.shape[1] for picture in pictures],
        heard=np.concatenate(heard).astype(np.float16) if heard else np.zeros((0, TAUGHT)),
        patches=[len(rows) for rows in heard],
    )
    unfinished.replace(kept)


def teach_from_pictures(
    pictures: Sequence[npt.NDArray[np.uint8]], teacher: MusiCNN, *, cache: Path
) -> list[npt.NDArray[np.float32]]:
    """Answers (patches, 500) for tracks of which only the mel picture is there; kept in ``cache``,
    each picture's by its checksum."""
    cache.mkdir(parents=True, exist_ok=True)
    answers = []
    for picture in pictures:
        kept = cache / f"{digest_of([picture])[:24]}.npy"
        if not kept.exists():
            made = _answers(teacher, musicnn.imagined_patches(picture)).astype(np.float16)
            unfinished = kept.with_suffix(".new.npy")
            np.save(unfinished, made)
            unfinished.replace(kept)
        imagined = np.load(kept).astype(np.float32)
        answers.append(np.concatenate([np.full_like(imagined, np.nan), imagined], axis=1))
    return answers


@torch.inference_mode()
def _answers(teacher: MusiCNN, patches: Tensor) -> npt.NDArray[np.float32]:
    tags, features = teacher(patches)
    return torch.cat([features, tags], dim=1).numpy()
