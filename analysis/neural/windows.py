"""Cutting a track's mel picture into the windows that the network hears, and joining maps again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.neural.listener import WINDOW_COLUMNS

UInt8 = npt.NDArray[np.uint8]


def window_starts(n_columns: int, *, hop: int) -> list[int]:
    """First column of each window: every ``hop`` columns, and one that ends with the track."""
    if hop < 1:
        raise ValueError(f"hop must be at least 1 column, got {hop}")
    last = max(0, n_columns - WINDOW_COLUMNS)
    starts = list(range(0, last + 1, hop))
    if starts[-1] != last:
        starts.append(last)
    return starts


def at_least_one_window(mel: UInt8) -> UInt8:
    """Repeat a picture (128, T) that is shorter than a window until it fills one."""
    if mel.ndim != 2 or mel.shape[1] == 0:
        raise ValueError(f"expected a mel picture (128, T > 0), got {mel.shape}")
    if mel.shape[1] >= WINDOW_COLUMNS:
        return mel
    repeats = -(-WINDOW_COLUMNS // mel.shape[1])
    return np.tile(mel, (1, repeats))[:, :WINDOW_COLUMNS]


def cut(mel: UInt8, starts: list[int]) -> UInt8:
    """Windows (n, 128, 128) of a picture (128, T >= 128)."""
    return np.stack([mel[:, start : start + WINDOW_COLUMNS] for start in starts])


def stitch(
    maps: npt.NDArray[np.float32], starts: list[int], n_columns: int
) -> npt.NDArray[np.float32]:
    """Join window maps (n, f, 128) into one (f, n_columns); overlaps are cross-faded.

    The weight of a window falls towards its edges (a triangle), where convolution sees padding.
    """
    ramp = 1.0 - np.abs(np.linspace(-1.0, 1.0, WINDOW_COLUMNS, dtype=np.float32)) * 0.9
    total = max(n_columns, WINDOW_COLUMNS)
    joined = np.zeros((maps.shape[1], total), dtype=np.float32)
    weight = np.zeros(total, dtype=np.float32)
    for window, start in zip(maps, starts, strict=True):
        joined[:, start : start + WINDOW_COLUMNS] += window * ramp
        weight[start : start + WINDOW_COLUMNS] += ramp
    return (joined / weight)[:, :n_columns]
