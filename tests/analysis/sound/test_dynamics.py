"""Crest, punch, microdynamics, PSR, limited share, overs and band images of known signals."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from analysis.sound.dynamics import dynamics, limited_share, micro_dynamics_lu
from analysis.sound.levels import LevelsMeter
from analysis.sound.loudness import LoudnessMeter
from analysis.sound.peak_loudness import peak_to_short_term
from analysis.sound.spectrum import SpectrumMeter
from analysis.sound.true_peak import TruePeakMeter
from tests.analysis.sound.signals import noise, sine

SLOW = 22_050
RATE = 48_000


def measured(mono: np.ndarray):
    powers, peaks = metered(mono[None], rate=SLOW, layout="mono")
    return dynamics(mono, powers=powers, peaks=peaks)


def metered(sound: np.ndarray, *, rate: int = RATE, layout: str = "stereo", block: int = 48_000):
    loudness = LoudnessMeter(sample_rate=rate, channel_layout=layout)
    levels = LevelsMeter(sample_rate=rate, channels=sound.shape[0])
    for start in range(0, sound.shape[1], block):
        loudness.add(sound[:, start : start + block])
        levels.add(sound[:, start : start + block])
    return loudness.powers, levels.peaks


@pytest.mark.parametrize(("hz", "band"), [(60.0, "low"), (700.0, "mid"), (6_000.0, "high")])
def test_a_sine_has_three_decibels_of_crest_in_its_band(hz, band):
    result = measured(sine(20, dbfs=-12, hz=hz, rate=SLOW))
    by_name = {one.name: one for one in result.bands}
    # The filter's edge at both ends of the sound overshoots a little.
    assert by_name[band].crest_db == pytest.approx(3.01, abs=0.6)
    assert result.crest_db == pytest.approx(3.01, abs=0.02)


def test_the_bands_are_those_of_a_steep_filter():
    mono = noise(30, rate=SLOW, channels=1)[0]
    sos = scipy.signal.butter(8, [150, 2_000], "bandpass", fs=SLOW, output="sos")
    slow = scipy.signal.sosfiltfilt(sos, mono)
    expected = 20 * np.log10(np.abs(slow).max() / np.sqrt(np.mean(slow**2)))
    mid = next(one for one in measured(mono).bands if one.name == "mid")
    assert mid.crest_db == pytest.approx(expected, abs=0.7)


def drums(seconds: float, *, decay_s: float, floor: float = 0.03) -> np.ndarray:
    """Noise bursts twice a second that decay, over a steady floor of noise."""
    at = np.arange(round(seconds * SLOW)) / SLOW
    envelope = floor + np.exp(-(at % 0.5) / decay_s)
    return (noise(seconds, rate=SLOW, channels=1)[0] * envelope).astype(np.float32)


def test_dry_hits_have_more_punch_and_microdynamics_than_washed_ones():
    dry, washed = measured(drums(20, decay_s=0.04)), measured(drums(20, decay_s=0.4))
    steady = measured(noise(20, rate=SLOW, channels=1)[0])
    assert dry.punch_db > washed.punch_db + 6 > steady.punch_db + 6
    assert dry.micro_dynamics_lu > washed.micro_dynamics_lu + 3
    # The three bands of steady noise hardly move; what is left is their random level.
    assert steady.micro_dynamics_lu < 1.5


def test_punch_is_the_rise_at_an_attack():
    """Half a second of tone 30 dB over what was before it."""
    tone = sine(20, dbfs=-6, hz=700, rate=SLOW)
    soft = np.where(np.arange(tone.size) / SLOW % 2 < 1.5, 10 ** (-15 / 20), 1.0)
    mid = next(one for one in measured((tone * soft).astype(np.float32)).bands if one.name == "mid")
    assert mid.punch_db == pytest.approx(15.0, abs=1.0)


def test_microdynamics_of_a_gated_tone():
    """A tone that is on for a tenth of the time stands 10 dB above its mean."""
    powers = np.where(np.arange(3_000) % 60 < 6, 1.0, 0.0)
    assert micro_dynamics_lu(powers) == pytest.approx(10.0, abs=0.1)
    assert micro_dynamics_lu(powers[:200]) is None


def test_a_limiter_lines_peaks_up_at_any_level():
    free = np.abs(noise(60, rate=1_000, channels=1)[0])
    share, _ = limited_share(free)
    lined, ceiling = limited_share(np.minimum(free, 0.06) * np.float32(0.25))
    assert share < 0.2
    assert lined > 0.9
    assert ceiling == pytest.approx(20 * np.log10(0.015), abs=0.01)
    assert limited_share(free[:300]) == (None, None)


def test_psr_is_peak_over_short_term_loudness():
    """A 1 kHz tone in both channels: -20 dBFS peak, -20 LUFS; a click adds 14 dB to one window."""
    tone = np.repeat(sine(30, dbfs=-20, rate=RATE)[None], 2, axis=0)
    powers, peaks = metered(tone)
    ratio = peak_to_short_term(peaks, powers)
    assert ratio.median_lu == pytest.approx(0.0, abs=0.1)
    clicking = tone.copy()
    clicking[:, ::RATE] = 0.5
    powers, peaks = metered(clicking[:, : 20 * RATE])
    ratio = peak_to_short_term(peaks, powers)
    assert ratio.least_lu == pytest.approx(14.0, abs=0.2)


def test_psr_leaves_fades_out_and_says_where_it_is_least():
    loud = np.repeat(sine(10, dbfs=-6, rate=RATE)[None], 2, axis=0)
    lively = noise(10, rate=RATE)
    quiet = loud * np.float32(0.003)
    powers, peaks = metered(np.concatenate([lively, loud, quiet], axis=1))
    ratio = peak_to_short_term(peaks, powers)
    assert 13.0 <= ratio.least_at_s <= 20.0
    assert ratio.least_lu == pytest.approx(0.0, abs=0.2)
    assert peak_to_short_term(peaks[:200], powers[:200]).median_lu is None


@pytest.mark.parametrize("block", [997, 48_000])
def test_peaks_are_those_of_every_hundredth_of_a_second(block):
    sound = noise(2.0, rate=RATE)
    _, peaks = metered(sound, block=block)
    expected = np.abs(sound).max(axis=0).reshape(-1, 480).max(axis=1)
    assert peaks == pytest.approx(expected)


def overs(sound: np.ndarray, *, rate: int = RATE) -> TruePeakMeter:
    meter = TruePeakMeter(sample_rate=rate, channels=sound.shape[0])
    for start in range(0, sound.shape[1], rate):
        meter.add(sound[:, start : start + rate])
    meter.finish()
    return meter


def burst(at_s: float, *, amplitude: float) -> np.ndarray:
    """A faded tone at a quarter of the rate, 45 degrees off: samples at 0.707 of its peak."""
    sound = np.zeros(4 * RATE)
    n = np.arange(480)
    fade = np.sin(np.pi * n / 480) ** 2
    start = round(at_s * RATE)
    sound[start : start + 480] = amplitude * fade * np.sin(np.pi * n / 2 + np.pi / 4)
    return sound.astype(np.float32)


def test_overs_between_samples_are_counted_once_and_placed():
    meter = overs(np.stack([burst(1.0, amplitude=1.3), burst(3.0, amplitude=1.3)]))
    assert meter.sample_peak < 1.0 < meter.true_peak
    assert meter.overs == 2
    assert meter.overs_at_s == pytest.approx([1.004, 3.004], abs=0.004)


def test_what_stays_below_full_scale_or_clips_is_no_over():
    assert overs(burst(1.0, amplitude=0.95)[None]).overs == 0
    clipped = np.clip(burst(1.0, amplitude=3.0), -1.0, 1.0)
    assert overs(clipped[None]).overs <= 2  # at most where the clipped stretch begins and ends


def images(sound: np.ndarray):
    meter = SpectrumMeter(sample_rate=RATE)
    for start in range(0, sound.shape[1], RATE):
        meter.add(sound[:, start : start + RATE])
    bands, low_end = meter.images()
    return {band.name: band for band in bands}, low_end


def band_noise(low_hz: float, high_hz: float, *, seed: int) -> np.ndarray:
    sos = scipy.signal.butter(6, [low_hz, high_hz], "bandpass", fs=RATE, output="sos")
    return scipy.signal.sosfilt(sos, noise(20, rate=RATE, channels=1, seed=seed)[0])


def test_the_image_of_each_band_is_its_own():
    centre = band_noise(600, 1_800, seed=1)
    wide = band_noise(4_200, 5_800, seed=2)
    leaning = band_noise(2_200, 3_800, seed=3)
    unrelated = band_noise(260, 480, seed=4), band_noise(260, 480, seed=5)
    left = centre + wide + leaning + unrelated[0]
    right = centre - wide + 0.5 * leaning + unrelated[1]
    bands, _ = images(np.stack([left, right]).astype(np.float32))
    # The filters' skirts reach into the neighbouring bands, hence the bounds.
    assert bands["mids"].correlation == pytest.approx(1.0, abs=0.03)
    assert bands["mids"].mono_loss_db == pytest.approx(0.0, abs=0.06)
    assert bands["mids"].width == pytest.approx(0.0, abs=0.02)
    assert bands["presence"].correlation == pytest.approx(-1.0, abs=0.03)
    assert bands["presence"].mono_loss_db > 12
    assert bands["high_mids"].balance_db == pytest.approx(-6.02, abs=0.1)
    assert bands["high_mids"].correlation == pytest.approx(1.0, abs=0.03)
    assert bands["low_mids"].mono_loss_db == pytest.approx(3.01, abs=0.3)


def test_the_low_end_is_judged_below_120_hertz_exactly():
    def tone(hz: float) -> np.ndarray:
        return sine(10, dbfs=-12, hz=hz, rate=RATE)

    inverted_above = np.stack([tone(80) + tone(150), tone(80) - tone(150)])
    _, low = images(inverted_above)
    assert low.correlation == pytest.approx(1.0, abs=0.01)
    inverted_below = np.stack([tone(80) + tone(150), tone(150) - tone(80)])
    _, low = images(inverted_below)
    assert low.correlation == pytest.approx(-1.0, abs=0.01)
    assert low.mono_loss_db > 20


def test_one_silent_side_has_no_correlation():
    sound = np.stack([noise(5, rate=RATE)[0], np.zeros(5 * RATE, np.float32)])
    bands, low = images(sound)
    assert (bands["mids"].correlation, bands["mids"].balance_db) == (None, None)
    assert bands["mids"].mono_loss_db == pytest.approx(3.01, abs=0.05)
    assert low.width == pytest.approx(0.5, abs=0.01)
