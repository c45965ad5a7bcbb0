"""True peak by ITU-R BS.1770-4 Annex 2: the peak of the oversampled signal.

Oversampling every sample is dear and needless. An interpolated value is at most the largest
neighbouring sample times the filter's absolute sum, so rows of samples that cannot reach the
running maximum are left out: the result is exactly that of oversampling everything.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

_HALF_TAPS = 12
_ROW = 32
_KAISER_BETA = 6.0
FULL_SCALE = 0.9998
"""As in :mod:`analysis.sound.levels`: a sample from here on is a clipped one, not one between."""

OVER_NEAR_LEVEL = 0.84
"""An over between samples that are all 1.5 dB below full scale is left out, to bound the cost."""

MOST_ROWS_PER_BLOCK = 400
_MOST_LISTED = 50

Array = npt.NDArray[np.float32]


def oversampling_factor(sample_rate: int) -> int:
    """4 below 96 kHz, 2 below 192 kHz, else 1: the peak is then read at 192 kHz or more."""
    if sample_rate < 88_200:
        return 4
    return 2 if sample_rate < 176_400 else 1


@cache
def interpolation_kernels(factor: int) -> npt.NDArray[np.float64]:
    """Kaiser-windowed sinc of 24 taps for each in-between phase, shape (factor - 1, 24).

    Each phase sums to one, so a constant stays what it is.
    """
    taps = np.arange(-_HALF_TAPS + 1, _HALF_TAPS + 1)
    kernels = []
    for phase in range(1, factor):
        distance = taps - phase / factor
        window = np.i0(
            _KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (distance / _HALF_TAPS) ** 2))
        ) / np.i0(_KAISER_BETA)
        kernel = np.sinc(distance) * window
        kernels.append(kernel / kernel.sum())
    return np.array(kernels).reshape(factor - 1, 2 * _HALF_TAPS)


@cache
def _row_matrix(factor: int) -> tuple[Array, float]:
    """Matrix that turns a row of samples into its in-between values, and its overshoot bound."""
    kernels = interpolation_kernels(factor)
    width = _ROW + 2 * _HALF_TAPS - 1
    matrix = np.zeros((width, _ROW, factor - 1), dtype=np.float32)
    for at in range(_ROW):
        matrix[at : at + 2 * _HALF_TAPS, at, :] = kernels.T
    bound = float(np.abs(kernels).sum(axis=1).max()) if factor > 1 else 1.0
    return matrix.reshape(width, -1), bound


class TruePeakMeter:
    """Feed blocks of shape (channels, n); ``sample_peak`` and ``true_peak`` are amplitudes.

    ``overs`` counts the places where the oversampled wave exceeds full scale and no sample near
    does, and ``overs_at_s`` lists the first 50. Only rows near full scale are looked at, and at
    most the 400 loudest of a block, so on a crushed track the count is a lower bound.
    """

    def __init__(self, *, sample_rate: int, channels: int) -> None:
        self._factor = oversampling_factor(sample_rate)
        self._tail: Array = np.zeros((channels, 2 * _HALF_TAPS - 1), dtype=np.float32)
        self._rate = sample_rate
        self._seen = 0
        self._last_over = -_ROW
        self.sample_peak = 0.0
        self.true_peak = 0.0
        self.overs = 0
        self.overs_at_s: list[float] = []

    def add(self, block: Array) -> None:
        """Take the next samples, shape (channels, n)."""
        if block.shape[1] == 0:
            return
        self.sample_peak = max(self.sample_peak, float(block.max()), -float(block.min()))
        self.true_peak = max(self.true_peak, self.sample_peak)
        if self._factor == 1:
            return
        # Only whole rows are looked at, the rest waits for the next block: filled up with silence,
        # it would read as a cut in the middle of the sound, up to a decibel too high.
        sound = np.concatenate([self._tail, block], axis=1)
        reach = 2 * _HALF_TAPS - 1
        whole = max(0, sound.shape[1] - reach) // _ROW * _ROW
        if whole:
            self._scan(sound[:, : whole + reach])
        self._seen += whole
        self._tail = sound[:, whole:].copy()

    def finish(self) -> float:
        """Let the filter ring out and return the true peak's amplitude."""
        if self._factor > 1:
            flush = np.zeros((self._tail.shape[0], 2 * _HALF_TAPS), dtype=np.float32)
            self._scan(np.concatenate([self._tail, flush], axis=1))
        return self.true_peak

    def _scan(self, sound: Array) -> None:
        matrix, bound = _row_matrix(self._factor)
        width = matrix.shape[0]
        n_values = sound.shape[1] - (2 * _HALF_TAPS - 1)
        n_rows = -(-n_values // _ROW)
        missing = n_rows * _ROW + 2 * _HALF_TAPS - 1 - sound.shape[1]
        if missing:
            sound = np.pad(sound, ((0, 0), (0, missing)))
        rows = np.lib.stride_tricks.sliding_window_view(sound, width, axis=1)[:, ::_ROW]
        magnitude = np.abs(sound)
        reach = 2 * _HALF_TAPS - 1
        whole = magnitude[:, : n_rows * _ROW].reshape(-1, n_rows, _ROW).max(axis=2)
        tail = magnitude[:, n_rows * _ROW : n_rows * _ROW + reach].max(axis=1, keepdims=True)
        peaks = np.maximum(whole, np.concatenate([whole[:, 1:], tail], axis=1))
        self._count_overs(rows, whole, peaks, matrix)
        possible = peaks * bound > self.true_peak
        if not possible.any():
            return
        # The loudest rows first: they raise the maximum, and then fewer others are possible.
        channel, row = np.nonzero(possible)
        order = np.argsort(-peaks[channel, row])
        for part in np.array_split(order, max(1, min(8, order.size // 64))):
            part = part[peaks[channel[part], row[part]] * bound > self.true_peak]
            if part.size == 0:
                return
            values = rows[channel[part], row[part]] @ matrix
            self.true_peak = max(self.true_peak, float(values.max()), -float(values.min()))

    def _count_overs(self, rows: Array, whole: Array, peaks: Array, matrix: Array) -> None:
        """Count rows whose in-between values exceed full scale though their samples do not."""
        channel, row = np.nonzero((whole > OVER_NEAR_LEVEL) & (peaks < FULL_SCALE))
        if row.size == 0:
            return
        if row.size > MOST_ROWS_PER_BLOCK:
            loudest = np.argpartition(-whole[channel, row], MOST_ROWS_PER_BLOCK)
            channel, row = (at[loudest[:MOST_ROWS_PER_BLOCK]] for at in (channel, row))
        values = rows[channel, row] @ matrix
        highest = np.maximum(values.max(axis=1), -values.min(axis=1))
        for over in np.unique(row[highest > 1.0]):
            at = self._seen - _HALF_TAPS + int(over) * _ROW
            if at > self._last_over + _ROW:
                self.overs += 1
                if len(self.overs_at_s) < _MOST_LISTED:
                    self.overs_at_s.append(round(max(0, at) / self._rate, 3))
            self._last_over = at
