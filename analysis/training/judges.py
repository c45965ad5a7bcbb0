"""How a teacher's answers come to the windows that a student is shown."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from analysis.neural.imagination import PATCH_COLUMNS
from analysis.training import transfer
from analysis.training.augment import Pieces
from analysis.training.picture_bank import digest_of
from analysis.training.picture_teacher import PictureTeacher, scale_of

log = logging.getLogger(__name__)

UInt8 = npt.NDArray[np.uint8]
Half = npt.NDArray[np.float16]
_BATCH = 16


class Judge(Protocol):
    """Answers for windows of known pictures."""

    count: int  # answers to a window
    sees: bool  # whether it judges the window itself, whatever was done to it

    def known(self, tracks: Tensor, pieces: Pieces) -> Pieces:
        """Pieces near the given ones that it can answer for."""

    def __call__(self, windows: Tensor, tracks: Tensor, pieces: Pieces) -> Tensor:
        """Answers (n, count) to windows (n, 128, width) in 0..1, made of such pieces of tracks."""

    def digest(self) -> str:
        """Checksum of all that the answers depend on, besides the windows."""


class Always:
    """The teacher judges exactly what the student sees. It costs several times what the student
    does: for a GPU."""

    sees = True

    def __init__(self, teacher: PictureTeacher, device: torch.device) -> None:
        self._teacher = teacher.to(device).eval().requires_grad_(False)
        self.count = teacher.answers
        self._digest = transfer.digest(teacher.state_dict())

    def known(self, tracks: Tensor, pieces: Pieces) -> Pieces:
        return pieces

    @torch.no_grad()
    def __call__(self, windows: Tensor, tracks: Tensor, pieces: Pieces) -> Tensor:
        return self._teacher.judge(windows)

    def digest(self) -> str:
        return self._digest


class Once:
    """The teacher has judged every picture beforehand, at some places, 40 columns at each.

    A window begins at such a place, and is answered by the mean of what was said at those within
    it. Its changes are passed over, so they must be such that the answer survives.
    """

    sees = False

    def __init__(
        self,
        answers: Sequence[Half],
        *,
        hops: Sequence[int],
        device: torch.device,
        like: Once | None = None,
    ) -> None:
        """``answers`` are those of :func:`judged_once`, and ``hops`` the columns between places of
        each picture. They are scaled by their own mean and deviation, or as ``like`` does."""
        rows = torch.from_numpy(np.concatenate(answers)).float()
        if like is None:
            self.mean, self.deviation = scale_of(rows)
        else:
            self.mean, self.deviation = like.mean, like.deviation
        scaled = (rows - self.mean) / self.deviation
        # Sums up to each place, so that any stretch is a difference of two.
        sums = torch.cat([torch.zeros(1, rows.shape[1]), scaled.double().cumsum(0).float()])
        self._sums = sums.to(device)
        self._places = torch.tensor([len(part) for part in answers], device=device)
        self._first = self._places.cumsum(0) - self._places
        self._hops = torch.tensor(hops, device=device)
        self.count = rows.shape[1]
        self._digest = digest_of([*answers, np.asarray(hops)])

    def _place(self, tracks: Tensor, pieces: Pieces) -> Tensor:
        place = (pieces.start / self._hops[tracks]).floor().to(torch.int64)
        return torch.minimum(place, self._places[tracks] - 1)

    def known(self, tracks: Tensor, pieces: Pieces) -> Pieces:
        start = (self._place(tracks, pieces) * self._hops[tracks]).to(pieces.start.dtype)
        return replace(pieces, start=start)

    def __call__(self, windows: Tensor, tracks: Tensor, pieces: Pieces) -> Tensor:
        place = self._place(tracks, pieces)
        room = (pieces.size - PATCH_COLUMNS).clamp(min=0)
        more = (room / self._hops[tracks]).floor().to(torch.int64)
        end = torch.minimum(place + more + 1, self._places[tracks])
        first = self._first[tracks]
        total = self._sums[first + end] - self._sums[first + place]
        return total / (end - place)[:, None]

    def digest(self) -> str:
        return self._digest


def judged_once(
    teacher: PictureTeacher,
    pictures: Sequence[UInt8],
    *,
    hop: int,
    cache: Path,
    device: torch.device,
) -> list[Half]:
    """A teacher's answers (places, d) along each picture, one every ``hop`` columns.

    They are kept in ``cache``, each picture's by its checksum, so a run that was stopped goes on.
    """
    cache.mkdir(parents=True, exist_ok=True)
    teacher = teacher.to(device).eval()
    whose = transfer.digest(teacher.state_dict())
    answers = []
    for number, picture in enumerate(pictures):
        key = digest_of([picture, np.frombuffer(f"{whose} {hop}".encode(), dtype=np.uint8)])
        kept = cache / f"{key[:24]}.npy"
        if not kept.exists():
            unfinished = kept.with_suffix(".new.npy")
            np.save(unfinished, _along(teacher, picture, hop, device))
            unfinished.replace(kept)
        answers.append(np.load(kept))
        if number % 100 == 99:
            log.info("%d of %d pictures judged", number + 1, len(pictures))
    return answers


@torch.inference_mode()
def _along(teacher: PictureTeacher, picture: UInt8, hop: int, device: torch.device) -> Half:
    if picture.shape[1] < PATCH_COLUMNS:
        picture = np.tile(picture, (1, -(-PATCH_COLUMNS // picture.shape[1])))
    starts = range(0, picture.shape[1] - PATCH_COLUMNS + 1, hop)
    cuts = np.stack([picture[:, start : start + PATCH_COLUMNS] for start in starts])
    windows = torch.from_numpy(cuts).to(device) / 255.0
    parts = [teacher.judge(part) for part in windows.split(_BATCH)]
    return torch.cat(parts).cpu().numpy().astype(np.float16)
