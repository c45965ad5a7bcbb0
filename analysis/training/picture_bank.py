"""The mel pictures of many tracks, of any lengths, laid out so that windows are cut quickly."""

from __future__ import annotations

from collections.abc import Iterable

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

    def __init__(self, pictures: Iterable[npt.NDArray[np.uint8]]) -> None:
        """Take pictures (128, T) uint8. Raises ValueError for one without columns or of another
        height."""
        rows = []
        for picture in pictures:
            if picture.ndim != 2 or picture.shape[0] != N_BANDS or picture.shape[1] == 0:
                raise ValueError(f"expected a mel picture (128, T > 0), got {picture.shape}")
            rows.append(np.ascontiguousarray(picture.T))
        self.columns = torch.from_numpy(np.concatenate(rows))
        self.count = torch.tensor([len(row) for row in rows])
        self.first = self.count.cumsum(0) - self.count

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
