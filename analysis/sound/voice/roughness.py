"""Roughness of a voice: fast fluctuations of its envelope and tones between its harmonics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.sound.voice.pitch import PitchTrack
from analysis.sound.voice.spectrum import TONE_WINDOW_S, Frames, harmonic_levels

MODULATION_HZ = (50.0, 200.0)
_ENVELOPE_RATE_HZ = 1_000.0
_FRAME_S = 0.128
_HARMONICS = 10
_UP_TO_HZ = 2_000.0
# Nearer to the pitch, the envelope that follows single cycles says nothing.
_OF_PITCH = 0.7

Float = npt.NDArray[np.float64]


def modulation_percent(
    samples: npt.NDArray[np.floating], rate: int, pitch: PitchTrack
) -> float | None:
    """Depth of the envelope's fluctuations between 50 and 200 Hz in percent of its mean (RMS).

    The envelope is the level of exactly one period around each moment, so that the pitch itself and
    its harmonics do not count; what this average takes from slower fluctuations is given back.
    Fluctuations above 0.7 of the pitch cannot be told from it and are left out. None where no
    voiced stretch lasts an eighth of a second, or the voice is too low to leave anything.
    """
    size = round(_FRAME_S * _ENVELOPE_RATE_HZ)
    step = size // 2
    depths = []
    for at_s, f0 in _voiced_stretches(pitch):
        moments = np.arange(at_s[0], at_s[-1], 1.0 / _ENVELOPE_RATE_HZ)
        if moments.size < size:
            continue
        tones = np.interp(moments, at_s, f0)
        envelope = _envelope(samples, rate, moments, tones)
        for start in range(0, moments.size - size + 1, step):
            depth = _depth(
                envelope[start : start + size], float(tones[start : start + size].mean())
            )
            if depth is not None:
                depths.append(depth)
    return 100.0 * float(np.sqrt(np.mean(np.square(depths)))) if depths else None


def subharmonics_db(
    samples: npt.NDArray[np.floating], rate: int, pitch: PitchTrack
) -> float | None:
    """Energy half-way between the harmonics over that on them (after Sun 2002), up to 2 kHz.

    None where nothing is voiced. A pure harmonic tone gives what its window leaks.
    """
    frames = Frames.of(samples, rate, pitch, window_s=TONE_WINDOW_S)
    if frames is None or not frames.voiced.any():
        return None
    power, f0 = frames.power[frames.voiced], frames.f0_hz[frames.voiced]
    on = np.zeros(len(power))
    between = np.zeros(len(power))
    for number in range(1, _HARMONICS + 1):
        counts = number * f0 <= _UP_TO_HZ
        on += counts * harmonic_levels(frames, power, number * f0)
        between += counts * harmonic_levels(frames, power, (number - 0.5) * f0)
    return float(np.mean(10.0 * np.log10(between / on)))


def _voiced_stretches(pitch: PitchTrack) -> list[tuple[Float, Float]]:
    edges = np.flatnonzero(
        np.diff(np.concatenate([[False], pitch.voiced, [False]]).astype(np.int8))
    )
    return [
        (pitch.time_s[first:last], pitch.f0_hz[first:last])
        for first, last in edges.reshape(-1, 2)
        if last - first > 1
    ]


def _envelope(samples: npt.NDArray[np.floating], rate: int, moments: Float, tones: Float) -> Float:
    """RMS over one period around each moment."""
    energy = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    at = np.arange(energy.size)
    half = 0.5 / tones
    until = np.interp((moments + half) * rate, at, energy)
    since = np.interp((moments - half) * rate, at, energy)
    return np.sqrt(np.maximum(until - since, 0.0) / (2.0 * half * rate))


def _depth(envelope: Float, f0: float) -> float | None:
    highest = min(MODULATION_HZ[1], _OF_PITCH * f0)
    mean = float(envelope.mean())
    if highest <= MODULATION_HZ[0] or mean <= 0.0:
        return None
    moments = np.arange(envelope.size)
    flat = envelope - np.polyval(np.polyfit(moments, envelope, 2), moments)
    window = np.hanning(envelope.size)
    spectrum = np.abs(np.fft.rfft(flat / mean * window)) ** 2
    hz = np.fft.rfftfreq(envelope.size, 1.0 / _ENVELOPE_RATE_HZ)
    inside = (hz >= MODULATION_HZ[0]) & (hz <= highest)
    given_back = np.sinc(hz[inside] / f0) ** 2
    # Parseval for one-sided power under a window.
    power = 2.0 * (spectrum[inside] / given_back).sum() / (envelope.size * (window**2).sum())
    return float(np.sqrt(power))
