"""Tempo, its certainty, and the times of the beats.

Tempo is the period at which a comb of metrical levels fits the onset strength's autocorrelation
best: sixteenths and eighths below the beat, and two, four and eight beats above it, weighted by
how common a tempo is (after Klapuri, Eronen & Astola 2006, "Analysis of the meter of acoustic
musical signals"). Levels below the beat are what keeps a dotted rhythm (3 + 3 + 2) from being
taken for a beat of three sixteenths. Weights and prior were chosen on the 89 annotated recordings
of GTZAN that are at hand, among those that hear a bare metronome at its own tempo from 70 to 160;
``manage.py evaluate_measurements`` prints what they give there and on the demo tracks.

Beats are found by dynamic programming (Ellis, "Beat tracking by dynamic programming", JNMR 2007).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.ndimage

from analysis.sound.frames import FRAMES_PER_SECOND

SLOWEST_BPM = 40.0
FASTEST_BPM = 240.0
_PRIOR_BPM = 135.0
_PRIOR_OCTAVES = 1.5
_WINDOW_S = 12.0
_LONGEST_S = 8.0
_LEVELS = ((0.25, 0.2), (0.5, 0.5), (1.0, 1.0), (2.0, 1.0), (4.0, 0.75), (8.0, 0.5))
"""Metrical levels in beats, with their weights in the comb."""
_LEAST_OVERLAP = 0.1
_TIGHTNESS = 100.0
_LEAST_CONFIDENCE = 0.02
_LEAST_STRENGTH = 0.01
"""Root mean square below which a window's onsets are numerical dust; music lies near 0.15."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rhythm:
    """Tempo and beats; ``tempo_bpm`` is None for a sound without any regular pulse.

    ``confidence`` is 0..1: how strongly the onsets repeat after a beat or two. ``onset_rate_hz`` is
    the number of clear onsets per second.
    """

    tempo_bpm: float | None
    confidence: float
    beat_times_s: list[float]
    onset_rate_hz: float


def rhythm(onset: npt.NDArray[np.float32]) -> Rhythm:
    """Rhythm of an onset strength curve (n_frames,) of :mod:`analysis.sound.frames`."""
    strength = np.maximum(_without_trend(onset.astype(np.float64)), 0.0)
    repeats = repetition(strength)
    bpm, confidence = tempo(repeats)
    if confidence < _LEAST_CONFIDENCE:
        return Rhythm(None, 0.0, [], round(onset_rate_hz(strength), 3))
    beats = track_beats(strength, frames_per_beat=60.0 * FRAMES_PER_SECOND / bpm)
    return Rhythm(
        tempo_bpm=round(bpm, 2),
        confidence=round(confidence, 3),
        beat_times_s=[round(float(beat) / FRAMES_PER_SECOND, 3) for beat in beats],
        onset_rate_hz=round(onset_rate_hz(strength), 3),
    )


def repetition(strength: Array) -> Array:
    """Mean normalised autocorrelation over 12 s windows, by lag in frames; 1 at lag 0.

    Windows without onsets are left out; if all are, the result is zero everywhere. What the
    windows' taper takes from long lags is given back, so that a perfectly regular pulse has
    peaks of equal height.
    """
    window = min(strength.size, int(_WINDOW_S * FRAMES_PER_SECOND))
    lags = min(window, int(_LONGEST_S * FRAMES_PER_SECOND))
    taper = np.hanning(window + 2)[1:-1]
    total = np.zeros(lags)
    for start in range(0, strength.size - window + 1, max(1, window // 2)):
        products = _autocorrelation(strength[start : start + window] * taper, lags)
        if products[0] > window * _LEAST_STRENGTH**2:
            total += products / products[0]
    if not total.size or total[0] <= 0:
        return total
    overlap = _autocorrelation(taper, lags)
    return total / total[0] / np.maximum(overlap / overlap[0], _LEAST_OVERLAP)


def tempo(repeats: Array) -> tuple[float, float]:
    """(beats per minute, confidence 0..1) from an autocorrelation by lag in frames.

    A level whose lag lies beyond the autocorrelation's end counts as not heard.
    """
    bpm = np.geomspace(SLOWEST_BPM, FASTEST_BPM, 800)
    if repeats.size == 0 or repeats[0] <= 0:
        return float(bpm[0]), 0.0
    lag = 60.0 * FRAMES_PER_SECOND / bpm
    at = np.arange(repeats.size)
    score = np.zeros_like(bpm)
    for beats, weight in _LEVELS:
        score += weight * np.interp(beats * lag, at, repeats, right=0.0)
    common = np.exp(-0.5 * (np.log2(bpm / _PRIOR_BPM) / _PRIOR_OCTAVES) ** 2)
    best = int(np.argmax(score * common))
    shortest = int(60.0 * FRAMES_PER_SECOND / FASTEST_BPM)
    background = float(np.median(repeats[shortest:])) if repeats.size > shortest else 0.0
    peak = float(np.interp([lag[best], 2.0 * lag[best]], at, repeats, right=0.0).max())
    return float(bpm[best]), float(np.clip((peak - background) / max(1 - background, 1e-9), 0, 1))


def _autocorrelation(values: Array, lags: int) -> Array:
    n_fft = scipy.fft.next_fast_len(2 * values.size, real=True)
    power = np.abs(scipy.fft.rfft(values, n_fft)) ** 2
    return np.asarray(scipy.fft.irfft(power, n_fft)[:lags])


def track_beats(strength: Array, *, frames_per_beat: float) -> npt.NDArray[np.int64]:
    """Frames of the beats: strong onsets, about a beat apart.

    Half a beat of frames is solved at a time, because each one's predecessor lies at least half
    a beat before it.
    """
    spread = strength.std()
    if spread <= 0 or strength.size < 2 * frames_per_beat:
        return np.empty(0, dtype=np.int64)
    local = scipy.ndimage.gaussian_filter1d(strength / spread, frames_per_beat / 32.0)
    back = np.arange(-round(2 * frames_per_beat), -round(frames_per_beat / 2))
    cost = -_TIGHTNESS * np.log(-back / frames_per_beat) ** 2
    step = -int(back[-1])
    reach = -int(back[0])
    best = np.concatenate([np.zeros(reach), np.empty(local.size)])
    previous = np.empty(local.size, dtype=np.int64)
    for start in range(0, local.size, step):
        at = np.arange(start, min(local.size, start + step))
        choices = best[at[:, None] + reach + back] + cost
        chosen = choices.argmax(axis=1)
        best[at + reach] = local[at] + choices[np.arange(at.size), chosen]
        previous[at] = at + back[chosen]
    scores = best[reach:]
    last_beat = round(frames_per_beat)
    beat = scores.size - last_beat + int(scores[-last_beat:].argmax())
    beats = []
    while beat >= 0:
        beats.append(beat)
        beat = int(previous[beat])
    return _without_silent_ends(np.array(beats[::-1], dtype=np.int64), local)


def onset_rate_hz(strength: Array) -> float:
    """Clear onsets per second: local maxima one deviation above the local mean."""
    if strength.size < 3:
        return 0.0
    local = scipy.ndimage.uniform_filter1d(strength, int(FRAMES_PER_SECOND * 1.5))
    highest = scipy.ndimage.maximum_filter1d(strength, 5)
    peaks = (strength >= highest) & (strength > local + strength.std())
    return float(peaks.sum() / (strength.size / FRAMES_PER_SECOND))


def _without_trend(onset: Array) -> Array:
    return onset - scipy.ndimage.uniform_filter1d(onset, int(FRAMES_PER_SECOND))


def _without_silent_ends(beats: npt.NDArray[np.int64], local: Array) -> npt.NDArray[np.int64]:
    if beats.size == 0:
        return beats
    loud = np.flatnonzero(local[beats] > 0.5 * np.sqrt(np.mean(local[beats] ** 2)))
    return beats[loud[0] : loud[-1] + 1] if loud.size else beats[:0]
