"""Faults that show in the samples themselves: offset, clipping, silence at both ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CLIP_LEVEL = 0.9998
"""Amplitude from which a sample counts as full scale (16-bit files reach 32767/32768)."""

CLIP_RUN_SAMPLES = 3
SILENCE_LEVEL = 10.0 ** (-60.0 / 20.0)
PEAKS_PER_SECOND = 100
_MAX_LISTED = 50


@dataclass(frozen=True)
class Levels:
    """Offset, clipping and silence of a whole file.

    ``dc_offset`` is each channel's mean as a fraction of full scale. A clipped run is three or
    more full-scale samples in a row in one channel; ``clipped_at_s`` lists the first 50 of them.
    ``silence_head_s`` and ``silence_tail_s`` are the seconds before the first and after the last
    sample above -60 dBFS.
    """

    dc_offset: list[float]
    clipped_runs: int
    clipped_samples: int
    clipped_at_s: list[float]
    silence_head_s: float
    silence_tail_s: float


class LevelsMeter:
    """Feed blocks of shape (channels, n), then ask :meth:`result`."""

    def __init__(self, *, sample_rate: int, channels: int) -> None:
        self._rate = sample_rate
        self._sums = np.zeros(channels)
        self._open_runs = np.zeros(channels, dtype=int)
        self._seen = 0
        self._first: int | None = None
        self._last = -1
        self._runs = 0
        self._samples = 0
        self._at_s: list[float] = []
        self._peaks: list[npt.NDArray[np.float32]] = []
        self._step = max(1, round(sample_rate / PEAKS_PER_SECOND))
        self._pending: npt.NDArray[np.float32] = np.empty(0, dtype=np.float32)

    def add(self, block: npt.NDArray[np.float32]) -> None:
        """Take the next samples, shape (channels, n)."""
        n = block.shape[1]
        if n == 0:
            return
        self._sums += block.sum(axis=1, dtype=np.float64)
        magnitude = np.abs(block)
        loudest = magnitude.max(axis=0)
        self._keep_peaks(loudest)
        above = loudest > SILENCE_LEVEL
        if above.any():
            if self._first is None:
                self._first = self._seen + int(above.argmax())
            self._last = self._seen + n - 1 - int(above[::-1].argmax())
        if self._open_runs.any() or float(loudest.max()) >= CLIP_LEVEL:
            for channel, samples in enumerate(magnitude):
                self._count_runs(channel, samples >= CLIP_LEVEL)
        self._seen += n

    @property
    def peaks(self) -> npt.NDArray[np.float32]:
        """Largest amplitude of any channel in every whole hundredth of a second, shape (n,)."""
        return np.concatenate([np.empty(0, np.float32), *self._peaks])

    def _keep_peaks(self, loudest: npt.NDArray[np.float32]) -> None:
        waiting = np.concatenate([self._pending, loudest]) if self._pending.size else loudest
        whole = waiting.size // self._step
        self._pending = waiting[whole * self._step :].copy()
        self._peaks.append(waiting[: whole * self._step].reshape(whole, self._step).max(axis=1))

    def _count_runs(self, channel: int, full: npt.NDArray[np.bool_]) -> None:
        """Count runs that end in this block; one that reaches its end stays open."""
        padded = np.concatenate([[False], full, [False]])
        edges = np.flatnonzero(padded[1:] != padded[:-1])
        starts, ends = edges[::2].copy(), edges[1::2].copy()
        carried = int(self._open_runs[channel])
        self._open_runs[channel] = 0
        if carried:
            if starts.size and starts[0] == 0:
                starts[0] = -carried
            else:
                starts, ends = np.append(-carried, starts), np.append(0, ends)
        if ends.size and ends[-1] == full.size:
            self._open_runs[channel] = ends[-1] - starts[-1]
            starts, ends = starts[:-1], ends[:-1]
        for start, end in zip(starts, ends, strict=True):
            self._close_run(start, end - start)

    def _close_run(self, start: int, length: int) -> None:
        if length < CLIP_RUN_SAMPLES:
            return
        self._runs += 1
        self._samples += int(length)
        if len(self._at_s) < _MAX_LISTED:
            self._at_s.append(round((self._seen + int(start)) / self._rate, 3))

    def result(self) -> Levels:
        """Everything heard so far; call once, at the end."""
        for channel, length in enumerate(self._open_runs):
            self._close_run(-int(length), int(length))
            self._open_runs[channel] = 0
        seen = max(1, self._seen)
        head = self._seen if self._first is None else self._first
        return Levels(
            dc_offset=[round(float(total) / seen, 7) for total in self._sums],
            clipped_runs=self._runs,
            clipped_samples=self._samples,
            clipped_at_s=sorted(self._at_s),
            silence_head_s=round(head / self._rate, 3),
            silence_tail_s=round((self._seen - 1 - self._last) / self._rate, 3),
        )
