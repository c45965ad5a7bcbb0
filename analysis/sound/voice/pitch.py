"""Pitch and periodicity of a voice, after Boersma (1993), "Accurate short-term analysis of the
fundamental frequency and the harmonics-to-noise ratio of a sampled sound".

Frames of 60 ms are autocorrelated; dividing by the autocorrelation of the window takes the window's
taper out. The highest peaks are candidates, and the cheapest path through them is the pitch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

HOP_S = 0.010
WINDOW_S = 0.060
LOWEST_HZ = 65.0
HIGHEST_HZ = 1_200.0

_CANDIDATES = 6
# Boersma's is 0.01; a rough voice repeats best after several periods, and is to keep its pitch.
_OCTAVE_COST = 0.05
_OCTAVE_JUMP_COST = 0.35
_VOICING_COST = 0.14
_VOICING_THRESHOLD = 0.45
_SILENCE_THRESHOLD = 0.03
_FRAMES_AT_ONCE = 512
_SINC_REACH = 24
_STRONGEST = 1.0 - 1e-6

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PitchTrack:
    """One entry per 10 ms, arrays of shape (n,).

    ``time_s`` is the middle of a frame; ``f0_hz`` is NaN where there is no pitch; ``strength`` is
    the height of the autocorrelation at the chosen period (0..1; NaN without pitch); ``rms`` is the
    level of the frame, linear.
    """

    time_s: Float
    f0_hz: Float
    strength: Float
    rms: Float

    @property
    def voiced(self) -> npt.NDArray[np.bool_]:
        """Where there is a pitch."""
        return np.isfinite(self.f0_hz)

    def between(self, start_s: float, end_s: float) -> PitchTrack:
        """The frames whose middle lies in [start_s, end_s), their times counted from start_s."""
        inside = (self.time_s >= start_s) & (self.time_s < end_s)
        return PitchTrack(
            time_s=self.time_s[inside] - start_s,
            f0_hz=self.f0_hz[inside],
            strength=self.strength[inside],
            rms=self.rms[inside],
        )


def track(samples: npt.NDArray[np.floating], rate: int) -> PitchTrack:
    """Follow the pitch of one voice.

    Parameters
    ----------
    samples : shape (n,), mono, any level
    rate : Hz, at least 8,000

    Only ratios of levels count: a louder copy has the same track. Raises ValueError for another
    shape or a lower rate.
    """
    if samples.ndim != 1 or rate < 8_000:
        raise ValueError(f"needs mono samples at 8 kHz or more, got {samples.shape} at {rate} Hz")
    hop, size = round(HOP_S * rate), round(WINDOW_S * rate)
    count = max(1, 1 + (len(samples) - 1) // hop)
    padded = np.pad(samples.astype(np.float32), (size // 2, size))
    peak = float(np.abs(padded).max())
    if peak == 0.0:
        nothing = np.full(count, np.nan)
        times_s = np.arange(count, dtype=np.float64) * HOP_S
        return PitchTrack(times_s, nothing, nothing.copy(), np.zeros(count))
    padded /= peak
    parts = list(_candidates(padded, rate, hop, size, count))
    f0, strength, rms, frame_peak = (np.concatenate(column) for column in zip(*parts, strict=True))
    loudest = float(frame_peak.max())
    path = _cheapest(f0, strength, _unvoiced_strength(frame_peak / loudest))
    rows = np.arange(count)
    voiced = path > 0
    at = np.maximum(path - 1, 0)
    return PitchTrack(
        time_s=np.arange(count) * hop / rate,
        f0_hz=np.where(voiced, f0[rows, at], np.nan),
        strength=np.where(voiced, strength[rows, at], np.nan),
        rms=rms * peak,
    )


def harmonics_to_noise_db(strength: npt.NDArray[np.floating]) -> Float:
    """10 log10(r / (1 - r)) of autocorrelation heights r; NaN stays NaN."""
    r = np.clip(strength, 1e-3, _STRONGEST)
    return 10.0 * np.log10(r / (1.0 - r))


def _unvoiced_strength(relative_peak: Float) -> Float:
    silence = _SILENCE_THRESHOLD / (1.0 + _VOICING_THRESHOLD)
    return _VOICING_THRESHOLD + np.maximum(0.0, 2.0 - relative_peak / silence)


def _candidates(
    padded: npt.NDArray[np.float32], rate: int, hop: int, size: int, count: int
) -> Iterator[tuple[Float, Float, Float, Float]]:
    """Per run of frames: frequencies and heights (n, k) of peaks, level and peak (n,)."""
    window = np.hanning(size + 2)[1:-1].astype(np.float32)
    transform = scipy.fft.next_fast_len(size + int(rate / LOWEST_HZ) + 2 * _SINC_REACH, real=True)
    shortest, longest = int(rate / HIGHEST_HZ), int(np.ceil(rate / LOWEST_HZ))
    lags = longest + _SINC_REACH + 2
    window_power = np.abs(scipy.fft.rfft(window, transform)) ** 2
    window_correlation = scipy.fft.irfft(window_power, transform)[:lags]
    window_correlation = (window_correlation / window_correlation[0]).astype(np.float32)
    views = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop][:count]
    for start in range(0, count, _FRAMES_AT_ONCE):
        frames = views[start : start + _FRAMES_AT_ONCE]
        frames = frames - frames.mean(axis=1, keepdims=True)
        spectrum = scipy.fft.rfft(frames * window, transform, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        correlation = scipy.fft.irfft(power, transform, axis=1)[:, :lags]
        energy = correlation[:, :1]
        correlation = correlation / np.maximum(energy, 1e-20) / window_correlation
        f0, strength = _peaks(correlation.astype(np.float32), rate, shortest, longest)
        middle = frames[:, size // 4 : -(size // 4)]
        yield f0, strength, np.sqrt((frames**2).mean(axis=1)), np.abs(middle).max(axis=1)


def _peaks(
    correlation: npt.NDArray[np.float32], rate: int, shortest: int, longest: int
) -> tuple[Float, Float]:
    """The best peaks of each row, refined between the samples."""
    inside = correlation[:, shortest : longest + 1]
    is_peak = (inside > correlation[:, shortest - 1 : longest]) & (
        inside >= correlation[:, shortest + 1 : longest + 2]
    )
    lag = np.arange(shortest, longest + 1)
    # Between two equally good periods the shorter one is meant.
    score = np.where(is_peak, inside - _OCTAVE_COST * np.log2(lag * LOWEST_HZ / rate), -np.inf)
    best = np.argpartition(-score, _CANDIDATES, axis=1)[:, :_CANDIDATES]
    found = np.take_along_axis(is_peak, best, axis=1)
    at, height = _refined(correlation, best + shortest)
    f0 = np.where(found, rate / at, LOWEST_HZ)
    return f0, np.where(found, np.clip(height, 0.0, _STRONGEST), -1.0)


def _refined(
    correlation: npt.NDArray[np.float32], lag: npt.NDArray[np.intp]
) -> tuple[Float, Float]:
    """Place and height of peaks by windowed-sinc interpolation on a grid, then a parabola."""
    offsets = np.linspace(-0.75, 0.75, 7)
    taps = np.arange(-_SINC_REACH, _SINC_REACH + 1)
    distance = offsets[:, None] - taps[None]
    kernel = np.sinc(distance) * (0.5 + 0.5 * np.cos(np.pi * distance / (_SINC_REACH + 1)))
    rows = np.arange(lag.shape[0])[:, None, None]
    near = correlation[rows, np.abs(lag[..., None] + taps)]
    values = near @ kernel.T.astype(np.float32)
    top = np.clip(values.argmax(axis=2), 1, offsets.size - 2)[..., None]
    left, middle, right = (
        np.take_along_axis(values, top + step, axis=2)[..., 0].astype(np.float64)
        for step in (-1, 0, 1)
    )
    bend = left - 2.0 * middle + right
    shift = np.where(bend < 0.0, 0.5 * (left - right) / np.where(bend < 0.0, bend, -1.0), 0.0)
    shift = np.clip(shift, -1.0, 1.0)
    step = offsets[1] - offsets[0]
    return lag + offsets[top[..., 0]] + shift * step, middle - 0.25 * (left - right) * shift


def _cheapest(f0: Float, strength: Float, unvoiced: Float) -> npt.NDArray[np.intp]:
    """Path of Viterbi's algorithm: 0 is unvoiced, i + 1 candidate i."""
    count = f0.shape[0]
    octaves = np.log2(f0)
    gain = np.concatenate(
        [unvoiced[:, None], strength + _OCTAVE_COST * np.log2(f0 / LOWEST_HZ)], axis=1
    )
    came_from = np.zeros(gain.shape, dtype=np.intp)
    total = gain[0].copy()
    cost = np.zeros((gain.shape[1], gain.shape[1]))
    cost[0, 1:] = cost[1:, 0] = _VOICING_COST
    for frame in range(1, count):
        cost[1:, 1:] = _OCTAVE_JUMP_COST * np.abs(octaves[frame - 1][:, None] - octaves[frame])
        choices = total[:, None] - cost
        came_from[frame] = choices.argmax(axis=0)
        total = choices.max(axis=0) + gain[frame]
    path = np.empty(count, dtype=np.intp)
    path[-1] = total.argmax()
    for frame in range(count - 1, 0, -1):
        path[frame - 1] = came_from[frame, path[frame]]
    return path
