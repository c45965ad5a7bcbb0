"""The sound of a mel picture as a tagger would take it in, as far as it can be known.

Bands and columns are interpolated, and the loudest cell gets the power that it has in a usual
recording. Fast changes between the columns (77.5 ms apart) and the level are lost.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from analysis.neural import taggers
from analysis.neural.taggers import FRAMES_PER_SECOND, PATCH_FRAMES, compressed
from analysis.sound.mel import COLUMNS_PER_SECOND, SAMPLE_RATE, TOP_DB, mel_edges_hz

# Columns of a picture that hold one patch of frames, with a column to spare.
PATCH_COLUMNS = 40
# Power of the loudest mel cell of real recordings: the median over 12 tracks of GTZAN.
LOUDEST_CELL = 66.0
# What the log of the loudest cell comes to.
LOUDEST_FRAME = float(np.log10(10_000.0 * LOUDEST_CELL + 1.0))


def imagine(windows: Tensor) -> Tensor:
    """Log-mel frames (n, frames, 96) of pictures (n, 128, width) in 0..1."""
    decibels = windows.to(torch.float32) * TOP_DB - TOP_DB
    rows, columns = (
        torch.from_numpy(matrix).to(windows.device)
        for matrix in (_bands(windows.shape[1]), _frames(windows.shape[2]))
    )
    grid = columns @ (rows @ decibels).transpose(1, 2)
    return compressed(LOUDEST_CELL * 10.0 ** (grid / 10.0))


def patches_of(frames: Tensor, length: int = PATCH_FRAMES) -> Tensor:
    """Patches (n, k, ``length``, bands) that cover frames (n, T, bands) evenly, as many as fit in
    without overlap; what is shorter than one patch is repeated."""
    if frames.shape[1] < length:
        frames = frames.repeat(1, -(-length // frames.shape[1]), 1)[:, :length]
    last = frames.shape[1] - length
    starts = np.linspace(0, last, frames.shape[1] // length).round().astype(int)
    return torch.stack([frames[:, s : s + length] for s in starts.tolist()], dim=1)


@cache
def _bands(n_bands: int) -> npt.NDArray[np.float32]:
    """Matrix (96, n_bands) from the picture's bands to the tagger's."""
    ours = mel_edges_hz(SAMPLE_RATE, n_bands)[1:-1]
    theirs = mel_edges_hz(taggers.SAMPLE_RATE, taggers.N_MELS)[1:-1]
    return interpolation(np.interp(theirs, ours, np.arange(ours.size)), n_bands)


@cache
def _frames(width: int) -> npt.NDArray[np.float32]:
    """Matrix (frames, width) from the picture's columns to the tagger's frames."""
    seconds = np.arange(0.0, width / COLUMNS_PER_SECOND, 1.0 / FRAMES_PER_SECOND)
    return interpolation(seconds * COLUMNS_PER_SECOND, width)


def interpolation(at: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float32]:
    """Matrix (len(at), size) that reads a vector at fractional places; the ends are held."""
    places = np.arange(size)
    return np.maximum(0.0, 1.0 - np.abs(np.clip(at, 0, size - 1)[:, None] - places)).astype(
        np.float32
    )
