"""Measures of a voice against synthetic voices whose answers are known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from analysis.sound.voice.measures import measure
from analysis.sound.voice.pitch import track
from tests.analysis.sound.voice import voices

RATE = voices.RATE


@pytest.mark.parametrize("f0", [82.4, 220.0, 659.3, 1046.5])
def test_pitch_of_low_and_high_voices(f0):
    found = track(voices.harmonics(f0, seconds=1.0), RATE)
    assert found.voiced.mean() > 0.97
    assert np.nanmedian(found.f0_hz) == pytest.approx(f0, rel=2e-4)


def test_pitch_follows_a_glide():
    course = np.linspace(150.0, 400.0, 2 * RATE)
    found = track(voices.harmonics(course, seconds=2.0), RATE)
    inside = (found.time_s > 0.1) & (found.time_s < 1.9)
    wanted = np.interp(found.time_s[inside], np.arange(course.size) / RATE, course)
    assert np.nanmax(np.abs(found.f0_hz[inside] / wanted - 1)) < 0.01


@pytest.mark.parametrize(
    "sound",
    [np.zeros(RATE), np.random.default_rng(0).standard_normal(RATE)],
    ids=["silence", "noise"],
)
def test_what_has_no_pitch(sound):
    found = measure(sound)
    assert found.voiced_share == 0.0
    assert found.f0_hz is found.hnr_db is found.cpps_db is found.jitter_percent is None


def test_stereo_is_refused():
    with pytest.raises(ValueError, match="mono"):
        track(np.zeros((2, RATE)), RATE)


@pytest.mark.parametrize("hnr_db", [5.0, 15.0, 25.0])
@pytest.mark.parametrize("f0", [120.0, 310.0])
def test_harmonics_to_noise_ratio(f0, hnr_db):
    sound = voices.with_noise(voices.harmonics(f0, seconds=2.0), hnr_db)
    assert measure(sound).hnr_db == pytest.approx(hnr_db, abs=0.5)


def test_cepstral_peak_falls_with_breath():
    sound = voices.harmonics(200.0)
    found = [measure(voices.with_noise(sound, hnr)).cpps_db for hnr in (40.0, 20.0, 10.0, 0.0)]
    assert all(more - less > 1.5 for more, less in pairwise(found))


@pytest.mark.parametrize("percent", [0.5, 1.04, 2.0])
def test_jitter_of_a_pulse_train(percent):
    factors, jitter = voices.irregular(400, percent)
    found = measure(voices.pulses(factors / 220.0))
    assert found.jitter_percent == pytest.approx(jitter, rel=0.1)
    assert found.shimmer_percent < 0.3


@pytest.mark.parametrize("percent", [2.0, 3.8, 8.0])
def test_shimmer_of_a_pulse_train(percent):
    factors, shimmer = voices.irregular(400, percent)
    found = measure(voices.pulses(np.full(400, 1 / 220.0), factors))
    assert found.shimmer_percent == pytest.approx(shimmer, rel=0.1)
    assert found.jitter_percent < 0.05


def test_vibrato_is_no_jitter():
    found = measure(voices.harmonics(voices.vibrato(220.0)))
    assert found.jitter_percent < 0.05
    assert found.f0_spread_semitones == pytest.approx(0.5 / np.sqrt(2), abs=0.05)


@pytest.mark.parametrize(("f0", "modulated_hz"), [(220.0, 70.0), (220.0, 130.0), (500.0, 190.0)])
def test_modulation_depth(f0, modulated_hz):
    sound = voices.harmonics(f0)
    at = np.arange(sound.size) / RATE
    shaken = sound * (1 + 0.1 * np.cos(2 * np.pi * modulated_hz * at))
    assert measure(shaken).modulation_percent == pytest.approx(10 / np.sqrt(2), rel=0.08)
    assert measure(sound).modulation_percent < 0.3


def test_slow_tremolo_is_no_roughness():
    sound = voices.harmonics(220.0)
    at = np.arange(sound.size) / RATE
    assert measure(sound * (1 + 0.3 * np.cos(2 * np.pi * 6 * at))).modulation_percent < 0.5


def test_subharmonics():
    # Every second pulse is weaker: a tone an octave lower between the harmonics. Of pulses 1 and
    # 1 - d in turn, the lines between have (d / (2 - d)) of the others' amplitude.
    weaker = np.tile([1.0, 0.8], 150)
    found = measure(voices.pulses(np.full(300, 1 / 220.0), weaker))
    assert found.f0_hz == pytest.approx(220.0, rel=0.01)
    assert found.subharmonics_db == pytest.approx(20 * np.log10(0.2 / 1.8), abs=1.0)


@pytest.mark.parametrize("slope", [-12.0, -6.0, -3.0])
@pytest.mark.parametrize("f0", [110.0, 300.0])
def test_tilt_of_a_straight_spectrum(f0, slope):
    found = measure(voices.harmonics(f0, db_per_octave=slope))
    assert found.tilt_db_per_octave == pytest.approx(slope, abs=0.6)
    assert found.h1_h2_db == pytest.approx(-slope, abs=0.3)


def test_energy_ratios_of_two_tones():
    at = np.arange(2 * RATE) / RATE
    sound = np.cos(2 * np.pi * 400 * at) + 0.1 * np.cos(2 * np.pi * 3_000 * at)
    found = measure(sound)
    assert found.alpha_ratio_db == pytest.approx(-20.0, abs=0.1)
    assert found.hammarberg_db == pytest.approx(20.0, abs=1.0)
    assert found.low_mid_db == pytest.approx(20.0, abs=0.1)
    assert found.centroid_hz == pytest.approx((400 + 0.1 * 3_000) / 1.1, rel=0.1)


def test_energy_above_six_kilohertz():
    at = np.arange(2 * RATE) / RATE
    sound = np.cos(2 * np.pi * 400 * at) + 0.05 * np.cos(2 * np.pi * 8_000 * at)
    assert measure(sound).above_6k_db == pytest.approx(20 * np.log10(0.05), abs=0.1)


def test_sibilance_hears_a_short_hiss():
    sound = voices.harmonics(220.0)
    hiss = np.random.default_rng(0).standard_normal(sound.size)
    hiss[: RATE // 2] = hiss[RATE * 7 // 10 :] = 0.0
    assert measure(sound + hiss).sibilance_db > measure(sound).sibilance_db + 15


def test_clipped_share():
    sound = voices.harmonics(110.0)
    top = 0.5 * np.abs(sound).max()
    cut = np.clip(sound, -top, top)
    wanted = 100 * (np.abs(sound) >= top).mean()
    assert measure(cut).clipped_percent == pytest.approx(wanted, rel=0.1)
    assert measure(sound).clipped_percent == 0.0


def test_level_does_not_matter():
    factors, _ = voices.irregular(500, 1.0)
    sound = voices.with_noise(voices.pulses(factors / 180.0), 20.0)
    loud, quiet = measure(sound).as_dict(), measure(0.02 * sound).as_dict()
    assert {name: pytest.approx(value, rel=1e-3, abs=1e-3) for name, value in loud.items()} == quiet
