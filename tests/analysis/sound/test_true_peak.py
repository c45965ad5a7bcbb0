"""True peak: the tones of EBU Tech 3341, and oversampling everything as the slow truth."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from analysis.sound.true_peak import TruePeakMeter, interpolation_kernels, oversampling_factor
from tests.analysis.sound.signals import noise


def true_peak(sound, *, rate: int = 48_000, block: int = 48_000) -> float:
    meter = TruePeakMeter(sample_rate=rate, channels=sound.shape[0])
    for start in range(0, sound.shape[1], block):
        meter.add(sound[:, start : start + block])
    return meter.finish()


@pytest.mark.parametrize(
    ("divisor", "degrees", "amplitude", "expected"),
    [
        (4, 0, 0.5, -6.0),
        (4, 45, 0.5, -6.0),
        (6, 60, 0.5, -6.0),
        (8, 67.5, 0.5, -6.0),
        (4, 45, 1.41, 3.0),
    ],
)
@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_cases_15_to_19_of_tech_3341(divisor, degrees, amplitude, expected, rate):
    at = np.arange(2 * rate)
    tone = amplitude * np.sin(2 * np.pi * at / divisor + np.deg2rad(degrees))
    # A faded start and end, as in the original signals: a hard cut overshoots.
    fade = np.minimum(1.0, np.minimum(at, at[::-1]) / (0.05 * rate))
    peak = true_peak((tone * fade).astype(np.float32)[None], rate=rate)
    assert -0.4 <= 20 * np.log10(peak) - expected <= 0.2


@pytest.mark.parametrize("rate", [48_000, 96_000])
@pytest.mark.parametrize("block", [777, 48_000])
def test_leaving_out_hopeless_stretches_changes_nothing(rate, block):
    sound = noise(3.0, rate=rate)
    sound[1] = scipy.signal.lfilter([0.2], [1, -0.8], sound[1])
    kernels = interpolation_kernels(oversampling_factor(rate))
    everything = [
        np.convolve(channel.astype(np.float64), kernel[::-1])
        for channel in sound
        for kernel in kernels
    ]
    slow = max(np.abs(sound).max(), *(np.abs(values).max() for values in everything))
    assert true_peak(sound, rate=rate, block=block) == pytest.approx(slow, rel=1e-5)


@pytest.mark.parametrize("block", [777, 44_100])
def test_a_loud_sound_in_blocks_peaks_as_it_does_in_one(block):
    """A block's end is no end of the sound: a square wave cut there would read 1 dB higher."""
    at = np.arange(2 * 44_100) / 44_100
    low = np.tanh(8 * np.sin(2 * np.pi * 50 * at + 1)) * np.minimum(
        1, np.minimum(at, at[::-1]) / 0.1
    )
    sound = low.astype(np.float32)[None]
    slow = np.abs(scipy.signal.resample_poly(sound, 16, 1, axis=1)).max()
    peak = true_peak(sound, rate=44_100, block=block)
    assert 20 * np.log10(peak / slow) == pytest.approx(0.0, abs=0.05)
    assert peak == true_peak(sound, rate=44_100, block=sound.shape[1])


def test_agrees_with_scipys_resampler():
    spectrum_limited = scipy.signal.resample_poly(noise(2.0, rate=24_000), 2, 1, axis=1)
    spectrum_limited = spectrum_limited.astype(np.float32)
    slow = np.abs(scipy.signal.resample_poly(spectrum_limited, 16, 1, axis=1)).max()
    assert 20 * np.log10(true_peak(spectrum_limited) / slow) == pytest.approx(0.0, abs=0.2)


def test_the_last_sample_counts():
    sound = np.zeros((1, 1_000), np.float32)
    sound[0, -2:] = 0.9
    assert true_peak(sound) > 1.0


def test_high_rates_need_less_oversampling():
    assert [oversampling_factor(rate) for rate in (44_100, 48_000, 96_000, 192_000)] == [4, 4, 2, 1]
