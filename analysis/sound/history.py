"""The spectrum through time: power in narrow cells of frequency, row by row, in bounded memory.

A row is one frame of :class:`analysis.sound.spectrum.SpectrumMeter` (0.19 s apart at 44.1 kHz). As
a sound grows long, neighbouring rows are averaged, so that there are never more than
``MOST_ROWS``: an hour costs no more than a song.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CELLS_PER_OCTAVE = 48
MOST_ROWS = 2_400
LOWEST_HZ = 20.0
HIGHEST_HZ = 20_000.0

Array = npt.NDArray[np.float32]


def cell_edges(*, bin_hz: float, nyquist_hz: float) -> npt.NDArray[np.int64]:
    """Edges of the cells as bin numbers, ascending and distinct, shape (n_cells + 1,).

    Cells are 1/48 octave wide, or one bin where a bin is wider, from 20 Hz to 20 kHz.
    """
    octaves = np.log2(min(HIGHEST_HZ, nyquist_hz) / LOWEST_HZ)
    grid = LOWEST_HZ * 2.0 ** (np.arange(int(octaves * CELLS_PER_OCTAVE) + 1) / CELLS_PER_OCTAVE)
    return np.unique(np.round(grid / bin_hz).astype(np.int64))


class History:
    """Feed power rows over FFT bins; read :attr:`power`, shape (rows, cells), at the end."""

    def __init__(self, *, bin_hz: float, nyquist_hz: float) -> None:
        self.edges = cell_edges(bin_hz=bin_hz, nyquist_hz=nyquist_hz)
        self.edges_hz = np.maximum(self.edges - 0.5, 0.0) * bin_hz
        self.frames_per_row = 1
        cells = self.edges.size - 1
        self._rows = np.empty((MOST_ROWS, 2, cells), dtype=np.float32)
        self._filled = 0
        self._open: Array = np.empty((0, 2, cells), dtype=np.float32)

    def add(self, power: Array) -> None:
        """Take the next frames' power over bins 0 .. N / 2, shape (n_frames, bins)."""
        inside = power[:, : int(self.edges[-1])]
        sums = np.add.reduceat(inside, self.edges[:-1], axis=1)
        least = np.minimum.reduceat(inside, self.edges[:-1], axis=1)
        for row in np.stack([sums, least], axis=1):
            self._append(row)

    @property
    def power(self) -> Array:
        """Power of every cell in every row, shape (rows, cells)."""
        return self._closed()[:, 0]

    @property
    def floor(self) -> Array:
        """Power of the weakest bin of every cell in every row, shape (rows, cells).

        It leaves out the lines of single notes, which fill a few bins only.
        """
        return self._closed()[:, 1]

    def _closed(self) -> Array:
        if self._filled == 0 and self._open.shape[0]:
            return self._open.mean(axis=0, keepdims=True)
        return self._rows[: self._filled]

    def _append(self, cells: Array) -> None:
        if self.frames_per_row > 1:
            self._open = np.concatenate([self._open, cells[None]])
            if self._open.shape[0] < self.frames_per_row:
                return
            cells = self._open.mean(axis=0)
            self._open = self._open[:0]
        if self._filled == MOST_ROWS:
            # This row is the mean of as many frames as a row had until now.
            self._open = np.repeat(cells[None], self.frames_per_row, axis=0)
            self._halve()
            return
        self._rows[self._filled] = cells
        self._filled += 1

    def _halve(self) -> None:
        half = MOST_ROWS // 2
        self._rows[:half] = (self._rows[0::2] + self._rows[1::2]) / 2
        self._filled = half
        self.frames_per_row *= 2
