"""Stretches of a track that sound alike, found where the spectrum changes."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from analysis.sound.mel import COLUMNS_PER_SECOND

SHORTEST_S = 8.0
MOST_SECTIONS = 24


def sections(
    mel: npt.NDArray[np.uint8], *, shortest_s: float = SHORTEST_S, most: int = MOST_SECTIONS
) -> list[tuple[int, int]]:
    """First and last-plus-one column of each stretch of a mel picture (128, T); they cover all.

    Novelty at a column is how far the mean spectrum of the ``shortest_s`` before lies from that of
    the ``shortest_s`` after: the diagonal of Foote's checkerboard (2000, "Automatic audio
    segmentation using a measure of audio novelty") at one scale, in linear time. The strongest
    changes become borders, none closer than ``shortest_s`` to another one or to an end, until there
    is no room for one more: a stretch lasts once to twice the shortest. In a long track they are
    longer, so that there are never more than ``most``.

    Raises ValueError for an empty picture.
    """
    if mel.ndim != 2 or mel.shape[1] == 0:
        raise ValueError(f"expected a mel picture (128, T > 0), got {mel.shape}")
    n_columns = mel.shape[1]
    shortest = max(round(shortest_s * COLUMNS_PER_SECOND), -(-n_columns // most), 1)
    borders = [0, n_columns]
    candidates = np.arange(shortest, n_columns - shortest + 1)
    if candidates.size:
        novelty = _novelty(mel, candidates, reach=shortest)
        open_ = np.ones(candidates.size, dtype=bool)
        while open_.any():
            at = int(candidates[np.where(open_, novelty, -np.inf).argmax()])
            borders.append(at)
            open_ &= np.abs(candidates - at) >= shortest
    borders.sort()
    return list(itertools.pairwise(borders))


def _novelty(
    mel: npt.NDArray[np.uint8], at: npt.NDArray[np.int64], *, reach: int
) -> npt.NDArray[np.float64]:
    """Distance between the mean spectra of ``reach`` columns before and after each column."""
    sums = np.pad(np.cumsum(mel, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    before = sums[:, at] - sums[:, at - reach]
    after = sums[:, at + reach] - sums[:, at]
    distance: npt.NDArray[np.float64] = np.linalg.norm(after - before, axis=0) / reach
    return distance
