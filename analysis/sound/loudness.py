"""Loudness by ITU-R BS.1770-4 with EBU Tech 3341 meters and EBU Tech 3342 range, streaming.

Only one number per 10 ms is kept, so an hour of sound costs three megabytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
import numpy.typing as npt
import scipy.signal

from analysis.sound.decibels import power_db
from analysis.sound.k_weighting import k_weighting_sos

STEPS_PER_SECOND = 100
"""Meter hop of 10 ms: at 100 ms, EBU 3341 case 13's short bursts miss by up to 0.57 LU."""

MOMENTARY_STEPS = 40
SHORT_TERM_STEPS = 300
GATING_HOP_STEPS = 10
MOST_MOMENTARY_VALUES = 600
ABSOLUTE_GATE_LUFS = -70.0
INTEGRATED_RELATIVE_GATE_LU = -10.0
RANGE_RELATIVE_GATE_LU = -20.0
LOUDNESS_OFFSET_LUFS = -0.691

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Loudness:
    """Loudness and peaks of a whole file; None where it is too quiet or too short to say.

    Loudness in LUFS, ranges in LU, true peak in dBTP, sample peak in dBFS. ``short_term_lufs``
    holds the 3 s loudness ending at 1, 2, 3 ... steps of ``short_term_step_s`` seconds (shorter
    windows at the beginning), None below the absolute gate. ``plr_lu`` is true peak minus
    integrated loudness.

    ``momentary_lufs`` is the loudest 400 ms that end within each step of ``momentary_step_s``
    seconds, at most 600 values. ``psr_min_lu`` and ``psr_median_lu`` sum up the peak to short-term
    loudness ratio of every second, ``psr_min_at_s`` is the end of the 3 s with the smallest one.
    ``inter_sample_overs`` counts the places where the wave between samples exceeds full scale
    while the samples around do not; ``inter_sample_overs_at_s`` lists the first of them.
    """

    integrated_lufs: float | None
    loudness_range_lu: float | None
    true_peak_dbtp: float | None
    sample_peak_dbfs: float | None
    plr_lu: float | None
    momentary_max_lufs: float | None
    short_term_max_lufs: float | None
    short_term_step_s: float
    short_term_lufs: list[float | None]
    momentary_step_s: float
    momentary_lufs: list[float | None]
    psr_min_lu: float | None
    psr_median_lu: float | None
    psr_min_at_s: float | None
    inter_sample_overs: int
    inter_sample_overs_at_s: list[float]


@dataclass(frozen=True)
class ProgrammeLoudness:
    """What the K-weighted energies alone give (see :class:`Loudness` for the units)."""

    integrated_lufs: float | None
    loudness_range_lu: float | None
    momentary_max_lufs: float | None
    short_term_max_lufs: float | None
    short_term_step_s: float
    short_term_lufs: list[float | None]
    momentary_step_s: float
    momentary_lufs: list[float | None]


def channel_weights(channel_layout: str) -> Array:
    """BS.1770-4 weight of each channel of an FFmpeg layout name, shape (channels,).

    1.41 for speakers at 60 to 120 degrees to the side, 0 for LFE, 1 for all others. The "back"
    pair of a layout without side speakers (5.1, quad) stands at 110 degrees.
    """
    names = [channel.name for channel in av.AudioLayout(channel_layout).channels]
    has_sides = "SL" in names
    weights = []
    for name in names:
        if name.startswith("LFE"):
            weights.append(0.0)
        elif name in ("SL", "SR") or (name in ("BL", "BR") and not has_sides):
            weights.append(1.41)
        else:
            weights.append(1.0)
    return np.array(weights)


class LoudnessMeter:
    """Feed blocks of shape (channels, n) to :meth:`add`, then ask :meth:`result` once."""

    def __init__(self, *, sample_rate: int, channel_layout: str) -> None:
        self._rate = sample_rate
        weights = channel_weights(channel_layout)
        self._heard = np.flatnonzero(weights)
        self._weights = weights[self._heard]
        self._sos = k_weighting_sos(sample_rate)
        self._state = np.zeros((2, len(self._heard), 2))
        self._seen = 0
        self._open_energy = 0.0
        self._energies: list[Array] = []

    def add(self, block: npt.NDArray[np.float32]) -> None:
        """Take the next samples, shape (channels, n)."""
        if block.shape[1] == 0:
            return
        heard = block if len(self._heard) == block.shape[0] else block[self._heard]
        weighted, self._state = scipy.signal.sosfilt(
            self._sos, heard.astype(np.float64), axis=1, zi=self._state
        )
        power = np.einsum("cn,cn,c->n", weighted, weighted, self._weights)
        # Step k covers the samples from round(k * rate / 100) on, so that rates which are no
        # multiple of 100 Hz do not drift.
        end = self._seen + block.shape[1]
        per_step = self._rate / STEPS_PER_SECOND
        steps = np.arange(int(self._seen / per_step), int(end / per_step) + 2)
        edges = np.round(steps * per_step).astype(np.int64)
        edges = edges[(edges > self._seen) & (edges <= end)]
        sums = np.add.reduceat(power, np.append(0, edges[edges < end] - self._seen))
        sums[0] += self._open_energy
        closed = edges.size
        self._energies.append(sums[:closed])
        self._open_energy = float(sums[closed]) if sums.size > closed else 0.0
        self._seen = end

    @property
    def powers(self) -> Array:
        """K-weighted power (channel sum) of every whole hundredth of a second, shape (n,)."""
        return np.concatenate([np.empty(0), *self._energies]) / (self._rate / STEPS_PER_SECOND)

    def result(self) -> ProgrammeLoudness:
        """Loudness of everything heard so far."""
        energies = self.powers
        momentary = _moving_mean(energies, MOMENTARY_STEPS)
        short_term = _moving_mean(energies, SHORT_TERM_STEPS)
        return ProgrammeLoudness(
            integrated_lufs=integrated_lufs(momentary[::GATING_HOP_STEPS]),
            loudness_range_lu=loudness_range_lu(short_term[::GATING_HOP_STEPS]),
            momentary_max_lufs=_maximum_lufs(momentary),
            short_term_max_lufs=_maximum_lufs(short_term),
            short_term_step_s=1.0,
            short_term_lufs=_curve(energies),
            momentary_step_s=_momentary_step(energies.size) / STEPS_PER_SECOND,
            momentary_lufs=_momentary_curve(momentary, _momentary_step(energies.size)),
        )


def integrated_lufs(block_power: Array) -> float | None:
    """Gated mean of 400 ms block powers (weighted channel sums), in LUFS."""
    loud = block_power[block_power > _power_of(ABSOLUTE_GATE_LUFS)]
    if loud.size == 0:
        return None
    gate = loud.mean() * 10.0 ** (INTEGRATED_RELATIVE_GATE_LU / 10.0)
    return power_db(float(loud[loud > gate].mean()), offset_db=LOUDNESS_OFFSET_LUFS)


def loudness_range_lu(short_term_power: Array) -> float | None:
    """LRA of EBU Tech 3342: 95th minus 10th percentile of gated short-term loudness, in LU."""
    loud = short_term_power[short_term_power > _power_of(ABSOLUTE_GATE_LUFS)]
    if loud.size == 0:
        return None
    gate = loud.mean() * 10.0 ** (RANGE_RELATIVE_GATE_LU / 10.0)
    low, high = np.percentile(10.0 * np.log10(loud[loud > gate]), [10.0, 95.0])
    return round(float(high - low), 3)


def _power_of(lufs: float) -> float:
    return 10.0 ** ((lufs - LOUDNESS_OFFSET_LUFS) / 10.0)


def _moving_mean(energies: Array, steps: int) -> Array:
    if energies.size < steps:
        return np.empty(0)
    total = np.concatenate([[0.0], np.cumsum(energies)])
    return np.maximum((total[steps:] - total[:-steps]) / steps, 0.0)


def _maximum_lufs(powers: Array) -> float | None:
    return power_db(float(powers.max()), offset_db=LOUDNESS_OFFSET_LUFS) if powers.size else None


def _momentary_step(steps: int) -> int:
    """Meter steps per value of the momentary curve: half a second, longer for long sounds."""
    return max(STEPS_PER_SECOND // 2, -(-steps // MOST_MOMENTARY_VALUES))


def _momentary_curve(momentary: Array, step: int) -> list[float | None]:
    if momentary.size == 0:
        return []
    ends = np.arange(momentary.size) + MOMENTARY_STEPS
    last = (ends - 1) // step
    starts = np.searchsorted(last, np.arange(last[0], last[-1] + 1))
    loudest = np.maximum.reduceat(momentary, starts)
    gate = _power_of(ABSOLUTE_GATE_LUFS)
    levels = [_rounded_lufs(float(power)) if power > gate else None for power in loudest]
    return [None] * int(last[0]) + levels


def _rounded_lufs(power: float) -> float | None:
    level = power_db(power, offset_db=LOUDNESS_OFFSET_LUFS)
    return None if level is None else round(level, 1)


def _curve(energies: Array) -> list[float | None]:
    total = np.concatenate([[0.0], np.cumsum(energies)])
    ends = np.arange(STEPS_PER_SECOND, energies.size + 1, STEPS_PER_SECOND)
    starts = np.maximum(ends - SHORT_TERM_STEPS, 0)
    powers = (total[ends] - total[starts]) / np.maximum(ends - starts, 1)
    gate = _power_of(ABSOLUTE_GATE_LUFS)
    return [
        power_db(float(power), offset_db=LOUDNESS_OFFSET_LUFS) if power > gate else None
        for power in powers
    ]
