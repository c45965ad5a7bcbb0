"""Minimum and maximum of the mono mix per column, for drawing the waveform."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

COLUMNS = 1_800
_FIRST_BLOCK = 4
_MOST_BLOCKS = 1 << 15


@dataclass(frozen=True)
class Waveform:
    """Peaks of the mono mix: two lists of equal length (at most 1,800), clipped to -1..1."""

    minima: list[float]
    maxima: list[float]


class WaveformMeter:
    """Feed mono blocks; the resolution halves by itself whenever the sound grows too long."""

    def __init__(self) -> None:
        self._size = _FIRST_BLOCK
        self._pending: npt.NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self._low: list[npt.NDArray[np.float32]] = []
        self._high: list[npt.NDArray[np.float32]] = []
        self._count = 0

    def add(self, mono: npt.NDArray[np.float32]) -> None:
        """Take the next samples of the mono mix, shape (n,)."""
        sound = np.concatenate([self._pending, mono]) if self._pending.size else mono
        whole = sound.size // self._size
        # Transposed, so that numpy reduces over long rows instead of many tiny ones.
        blocks = sound[: whole * self._size].reshape(whole, self._size).T
        self._pending = sound[whole * self._size :].copy()
        if whole:
            blocks = np.ascontiguousarray(blocks)
            self._low.append(blocks.min(axis=0))
            self._high.append(blocks.max(axis=0))
            self._count += whole
        while self._count > _MOST_BLOCKS:
            self._halve()

    def _halve(self) -> None:
        low, high = np.concatenate(self._low), np.concatenate(self._high)
        if low.size % 2:
            # An odd block out is merged into its neighbour; it shifts the picture by one block
            # in 32,768.
            low = np.append(low, low[-1])
            high = np.append(high, high[-1])
        self._low = [np.minimum(low[::2], low[1::2])]
        self._high = [np.maximum(high[::2], high[1::2])]
        self._count = self._low[0].size
        self._size *= 2

    def result(self) -> Waveform:
        """The columns of everything heard so far."""
        low, high = list(self._low), list(self._high)
        if self._pending.size:
            low.append(self._pending.min(keepdims=True))
            high.append(self._pending.max(keepdims=True))
        if not low:
            return Waveform(minima=[], maxima=[])
        lows, highs = np.concatenate(low), np.concatenate(high)
        columns = min(COLUMNS, lows.size)
        starts = np.linspace(0, lows.size, columns, endpoint=False).astype(int)
        minima = np.clip(np.minimum.reduceat(lows, starts), -1.0, 1.0)
        maxima = np.clip(np.maximum.reduceat(highs, starts), -1.0, 1.0)
        return Waveform(
            minima=[round(float(value), 4) for value in minima],
            maxima=[round(float(value), 4) for value in maxima],
        )
