"""Known changes do what they say, as independent measures see it."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.sound.voice.measures import RATE_HZ, measure
from analysis.training.timbre import changes
from analysis.training.timbre.families import HELD_OUT, NEUTRAL, TRAINING
from tests.analysis.sound.voice import voices


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    sound = voices.with_noise(voices.harmonics(voices.vibrato(220.0, seconds=1.2), seconds=1.2), 30)
    return (0.1 * sound).astype(np.float32)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("snr_db", [5.0, 12.0])
def test_breath_noise_has_the_level_it_says(voice, rng, snr_db):
    noisy = changes.breath_noise(
        voice, RATE_HZ, rng, snr_db=snr_db, slope=0.0, high_pass_hz=20.0, follow=1.0
    )
    assert 20 * np.log10(voice.std() / (noisy - voice).std()) == pytest.approx(snr_db, abs=0.1)
    assert measure(noisy).hnr_db == pytest.approx(snr_db, abs=1.5)


def test_a_whisper_has_no_pitch(voice, rng):
    assert measure(changes.aspirate(voice, RATE_HZ, rng, share=0.98)).voiced_share < 0.1


def test_clipping_cuts_the_share_it_says(voice, rng):
    cut = changes.clip(voice, RATE_HZ, rng, share=0.1)
    assert np.mean(np.abs(cut) >= np.abs(cut).max() * 0.9999) == pytest.approx(0.1, abs=0.01)
    assert measure(cut).clipped_percent == pytest.approx(10.0, abs=2.0)


def test_a_growl_shakes_the_envelope(voice, rng):
    growled = changes.growl(voice, RATE_HZ, rng, centre_hz=70.0, depth=0.6, drive_db=6.0)
    assert measure(growled).modulation_percent > 10 * measure(voice).modulation_percent


def test_shelf_and_bell_move_the_balance(voice, rng):
    plain = measure(voice)
    bright = measure(changes.high_shelf(voice, RATE_HZ, rng, freq_hz=3e3, gain_db=6.0))
    warm = measure(changes.low_mid(voice, RATE_HZ, rng, freq_hz=250.0, gain_db=6.0, q=0.7))
    assert bright.above_6k_db - plain.above_6k_db == pytest.approx(6.0, abs=1.0)
    assert warm.low_mid_db > plain.low_mid_db + 2.0


@pytest.mark.parametrize("change", [*TRAINING, *NEUTRAL, *HELD_OUT], ids=lambda change: change.name)
def test_every_change_keeps_length_and_level(voice, rng, change):
    changed = change(voice, RATE_HZ, rng)
    assert changed.dtype == np.float32
    assert abs(changed.size - voice.size) <= 1
    assert np.isfinite(changed).all()
    if change.family not in ("clip", "breath_noise"):
        assert changed.std() == pytest.approx(voice.std(), rel=0.02)
