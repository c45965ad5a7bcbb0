"""The single cycles of a voice, and how irregular they are: jitter and shimmer.

A cycle ends where the waveform is most like itself a period earlier (waveform matching, as in
Titze & Liang 1993). Vibrato and glides are no irregularity: what a parabola through eleven
neighbouring cycles explains is taken out first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.sound.voice.pitch import PitchTrack

_SEARCH = 0.2  # of a period, on both sides
_TREND_CYCLES = 11
_LEAST_CYCLES = 12
_LARGEST_FACTOR = 1.3  # between neighbours; more is a wrong cycle (Praat's "maximum period factor")
_LEAST_MATCH = 0.3

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """Neighbouring cycles: their lengths in seconds and levels (RMS), shape (n,).

    RMS, and not the distance of the peaks, since samples meet a narrow peak only by chance.
    """

    period_s: Float
    level: Float


@dataclass(frozen=True)
class Irregularity:
    """Jitter and shimmer in percent over ``cycles`` cycles; None where there are too few."""

    jitter_percent: float | None
    shimmer_percent: float | None
    cycles: int


def runs(samples: npt.NDArray[np.floating], rate: int, pitch: PitchTrack) -> list[Run]:
    """The cycles of every voiced stretch; ``samples`` mono of shape (n,)."""
    sound = np.ascontiguousarray(samples, dtype=np.float32)
    voiced = pitch.voiced
    edges = np.flatnonzero(np.diff(np.concatenate([[False], voiced, [False]]).astype(np.int8)))
    found: list[Run] = []
    for first, last in edges.reshape(-1, 2):
        at_s, f0 = pitch.time_s[first:last], pitch.f0_hz[first:last]
        if (at_s[-1] - at_s[0]) * f0.mean() >= _LEAST_CYCLES:
            found += _follow(sound, rate, at_s, f0)
    return found


def irregularity(cycles: list[Run]) -> Irregularity:
    """Jitter = mean |T_i - T_(i-1)| / mean T and shimmer alike on levels, both detrended."""
    long = [run for run in cycles if run.period_s.size >= _LEAST_CYCLES]
    if not long:
        return Irregularity(None, None, 0)
    return Irregularity(
        jitter_percent=_perturbation([run.period_s for run in long]),
        shimmer_percent=_perturbation([run.level for run in long]),
        cycles=sum(run.period_s.size for run in long),
    )


def _perturbation(courses: list[Float]) -> float:
    steps = [np.abs(np.diff(course - _trend(course))) for course in courses]
    mean = float(np.concatenate(courses).mean())
    return 100.0 * float(np.concatenate(steps).mean()) / mean


def _trend(course: Float) -> Float:
    # Every process of the site loads this module, and few ever get here.
    from scipy.signal import savgol_filter

    return savgol_filter(course, _TREND_CYCLES, 2, mode="interp")


def _follow(sound: npt.NDArray[np.float32], rate: int, at_s: Float, f0: Float) -> list[Run]:
    """Step from cycle to cycle through one voiced stretch."""
    end = min(int(at_s[-1] * rate), len(sound) - 1)
    first_period = rate / f0[0]
    start = int(at_s[0] * rate)
    opening = sound[start : start + int(first_period) + 1]
    mark = start + float(np.abs(opening - opening.mean()).argmax())
    found: list[Run] = []
    periods: list[float] = []
    levels: list[float] = []

    def close() -> None:
        if len(periods) >= _LEAST_CYCLES:
            found.append(Run(np.array(periods) / rate, np.array(levels)))
        periods.clear()
        levels.clear()

    frame_s = at_s[1] - at_s[0]
    while True:
        expected = rate / f0[min(int((mark / rate - at_s[0]) / frame_s + 0.5), f0.size - 1)]
        if mark + 2.0 * expected > end:
            break
        period, match, level = _next_cycle(sound, mark, expected)
        unlike = periods and not 1 / _LARGEST_FACTOR < period / periods[-1] < _LARGEST_FACTOR
        if match < _LEAST_MATCH or unlike:
            close()
            mark += expected
            continue
        periods.append(period)
        levels.append(level)
        mark += period
    close()
    return found


def _next_cycle(
    sound: npt.NDArray[np.float32], mark: float, expected: float
) -> tuple[float, float, float]:
    """Distance to the next cycle (samples), how alike both are (-1..1), and this one's RMS."""
    length = round(expected)
    begin = round(mark) - length // 2
    least = max(2, int((1.0 - _SEARCH) * expected))
    most = int(np.ceil((1.0 + _SEARCH) * expected))
    if begin < 1 or begin + most + length + 1 > len(sound):
        return expected, -1.0, 0.0
    here = sound[begin : begin + length]
    later = sound[begin + least - 1 : begin + most + 1 + length]
    products = np.correlate(later, here, "valid")
    squares = np.cumsum(np.square(later, dtype=np.float64))
    energy = squares[length - 1 :].copy()
    energy[1:] -= squares[:-length]
    alike = products / np.sqrt(np.maximum(energy * float(here @ here), 1e-30))
    top = int(alike[1:-1].argmax()) + 1
    left, middle, right = alike[top - 1], alike[top], alike[top + 1]
    bend = left - 2.0 * middle + right
    shift = float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0
    return least - 1 + top + shift, float(middle), float(np.sqrt(here @ here / length))
