"""The mel pictures of many tracks, of any lengths, laid out so that windows are cut quickly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

N_BANDS = 128


class PictureBank:
    """All pictures' columns behind one another, one column a row of 128 bytes.

    Cutting a window is then copying rows, for a whole batch at once, and tracks need not be of one
    length.
    """

    columns: Tensor  # (total columns, 128) uint8
    first: Tensor  # (n,) int64: where a track begins
    count: Tensor  # (n,) int64: its columns

    def __init__(
        self,
        pictures: Iterable[npt.NDArray[np.uint8]],
        *,
        device: torch.device | str = "cpu",
    ) -> None:
        """Take pictures (128, T) uint8 to a device. Raises ValueError for one without columns or
        of another height."""
        rows = []
        for picture in pictures:
            if picture.ndim != 2 or picture.shape[0] != N_BANDS or picture.shape[1] == 0:
                raise ValueError(f"expected a mel picture (128, T > 0), got {picture.shape}")
            rows.append(np.ascontiguousarray(picture.T))
        self._lay_out(
            torch.from_numpy(np.concatenate(rows)).to(device),
            torch.tensor([len(row) for row in rows], device=device),
        )

    def _lay_out(self, columns: Tensor, count: Tensor) -> None:
        self.columns, self.count = columns, count
        self.first = count.cumsum(0) - count

    @classmethod
    def of_windows(cls, windows: Tensor) -> Self:
        """A bank of pictures (n, 128, T) in 0..1, on the device that they are on."""
        bank = cls.__new__(cls)
        columns = (windows * 255.0).round().to(torch.uint8).transpose(1, 2).flatten(0, 1)
        count = torch.full((len(windows),), windows.shape[2], device=windows.device)
        bank._lay_out(columns.contiguous(), count)
        return bank

    def __len__(self) -> int:
        return len(self.count)

    def read(self, tracks: Tensor, positions: Tensor) -> Tensor:
        """Columns of tracks (n,) at positions (n, width), between two of them interpolated.

        Returns (n, width, 128) float32 in 0..1. Positions beyond the last column give the last.
        """
        left = positions.floor()
        share = (positions - left)[:, :, None]
        last = (self.first + self.count - 1)[tracks, None]
        here = torch.minimum(self.first[tracks, None] + left.to(torch.int64), last)
        pieces = self.columns[here].to(torch.float32)
        if bool(share.any()):
            following = self.columns[torch.minimum(here + 1, last)].to(torch.float32)
            pieces.lerp_(following, share.expand_as(pieces))
        return pieces.div_(255.0)


def digest_of(arrays: Iterable[npt.NDArray[Any]]) -> str:
    """Checksum of arrays, in their order; empty for none."""
    sha, empty = hashlib.sha256(), True
    for array in arrays:
        sha.update(np.ascontiguousarray(array).data)
        empty = False
    return "" if empty else sha.hexdigest()
