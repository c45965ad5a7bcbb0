"""Hum, resonances and the wall of a lossy encoder, in signals built to have or not to have them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from analysis.sound.equaliser import Equaliser, Move
from analysis.sound.history import MOST_ROWS
from analysis.sound.hum import find_hum
from analysis.sound.spectrum import SpectrumMeter
from tests.analysis.sound.demo_truth import demo_tracks, measured
from tests.analysis.sound.signals import encode, noise, sine

RATE = 44_100
SLOW = 22_050


def spectrum(sound, *, rate: int = RATE):
    meter = SpectrumMeter(sample_rate=rate)
    for start in range(0, sound.shape[1], rate):
        meter.add(sound[:, start : start + rate])
    return meter.result()


def pink(seconds: float, *, rate: int = RATE) -> np.ndarray:
    """Noise that falls by about 5 dB per octave in density, as music does."""
    white = noise(seconds, rate=rate)
    return scipy.signal.lfilter([0.2], [1, -0.95], white, axis=1).astype(np.float32)


def beating(sound: np.ndarray, *, rate: int = RATE) -> np.ndarray:
    """Louder and softer by 20 dB twice a second, so that levels through time differ."""
    at = np.arange(sound.shape[1]) / rate
    gain = 10 ** (-(at * 2 % 1))
    return (sound * gain).astype(np.float32)


@pytest.mark.parametrize(("hz", "q"), [(1_200.0, 20.0), (2_500.0, 12.0), (6_300.0, 20.0)])
def test_a_bell_in_noise_is_a_resonance_with_its_frequency(hz, q):
    hurt = Equaliser([Move("bell", hz, 9.0, q)], sample_rate=RATE, channels=2)(beating(pink(30)))
    (found,) = spectrum(hurt).resonances
    assert abs(np.log2(found.freq_hz / hz)) < 1 / 24
    assert found.q == pytest.approx(q, rel=0.5)
    assert 3.0 < found.level_db <= 9.5
    assert found.share > 0.8


def test_noise_without_a_bell_has_no_resonance():
    assert spectrum(beating(pink(30))).resonances == []


@pytest.mark.parametrize("hz", [1_000.0, 3_000.0])
def test_a_held_note_is_no_resonance(hz):
    """It stands 30 dB out of its cell, for the whole sound, but fills only a few bins of it."""
    note = np.repeat(sine(30, dbfs=-30, hz=hz, rate=RATE)[None], 2, axis=0)
    assert spectrum(beating(pink(30)) + note).resonances == []


def test_short_sounds_are_not_accused_of_ringing():
    hurt = Equaliser([Move("bell", 2_500.0, 9.0, 20.0)], sample_rate=RATE, channels=2)(pink(20))
    assert spectrum(hurt).resonances == []


def test_few_demo_tracks_ring():
    flagged = [track for track in demo_tracks() if measured(track.path).spectrum.resonances]
    assert len(flagged) <= 3


def hum(seconds: float, *, mains_hz: float, dbfs: float) -> np.ndarray:
    """Fundamental and three multiples, each 4 dB below the one before."""
    parts = [
        sine(seconds, dbfs=dbfs - 4 * index, hz=mains_hz * (index + 1), rate=SLOW, phase=index)
        for index in range(4)
    ]
    return np.sum(parts, axis=0, dtype=np.float32)


@pytest.mark.parametrize("mains_hz", [50.0, 60.0, 49.95, 60.04])
def test_hum_under_noise_is_found_with_frequency_and_level(mains_hz):
    music = beating(pink(40, rate=SLOW), rate=SLOW)[0]
    found = find_hum(music + hum(40, mains_hz=mains_hz, dbfs=-45), sample_rate=SLOW)
    assert found is not None
    assert found.mains_hz == round(mains_hz / 10) * 10
    assert found.freq_hz == pytest.approx(mains_hz, abs=0.02)
    assert found.lines_hz[:3] == pytest.approx([mains_hz * n for n in (1, 2, 3)], abs=0.1)
    # -45, -49, -53 and -57 dBFS add up to -43.0
    assert found.level_dbfs == pytest.approx(-43.0, abs=1.5)
    power_db = 10 * np.log10(2 * float(np.mean(music.astype(float) ** 2)))
    assert found.level_db == pytest.approx(found.level_dbfs - power_db, abs=0.2)


def test_noise_alone_does_not_hum():
    assert find_hum(beating(pink(40, rate=SLOW), rate=SLOW)[0], sample_rate=SLOW) is None
    assert find_hum(np.zeros(SLOW * 20, np.float32), sample_rate=SLOW) is None


def test_bass_notes_do_not_hum():
    """G1 and B1, the notes nearest to 50 and 60 Hz, with their harmonics, half a second each."""
    notes = [hum(0.5, mains_hz=hz, dbfs=-20) for hz in (49.0, 61.74, 51.91, 58.27) * 15]
    assert find_hum(np.concatenate(notes), sample_rate=SLOW) is None


def test_demo_tracks_do_not_hum():
    flagged = [track for track in demo_tracks() if measured(track.path).hum is not None]
    assert len(flagged) <= 1


@pytest.mark.parametrize(
    ("codec", "container", "low_hz", "high_hz"),
    [("libmp3lame", "mp3", 15_500, 19_500), ("aac", "adts", 15_500, 20_500)],
)
def test_what_an_encoder_cut_off_is_seen(tmp_path, codec, container, low_hz, high_hz):
    from analysis.sound.decode import stream

    path = encode(
        tmp_path / "x", pink(8), codec=codec, container=container, rate=RATE, layout="stereo"
    )
    decoded = np.concatenate(list(stream(path)), axis=1)
    assert low_hz < (spectrum(decoded).codec_cutoff_hz or 0) < high_hz


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
def test_noise_up_to_the_limit_was_never_encoded(rate):
    assert spectrum(pink(5, rate=rate), rate=rate).codec_cutoff_hz is None


def test_a_gentle_fall_and_a_converters_filter_are_no_encoder():
    gentle = scipy.signal.sosfilt(scipy.signal.butter(2, 9_000, fs=RATE, output="sos"), pink(8))
    assert spectrum(gentle.astype(np.float32)).codec_cutoff_hz is None
    sharp = scipy.signal.firwin(401, 21_000, fs=RATE)
    converter = scipy.signal.fftconvolve(pink(8), sharp[None], mode="same")
    assert spectrum(converter.astype(np.float32)).codec_cutoff_hz is None


def test_bands_are_followed_through_time_on_the_scale_of_the_average():
    quiet, loud = pink(20), 10 * pink(20)
    result = spectrum(np.concatenate([quiet, loud], axis=1))
    course = result.band_course
    steps = len(course.levels_db["mids"])
    assert steps * course.step_s == pytest.approx(40, abs=1.5)
    for band in result.bands:
        levels = np.array(course.levels_db[band.name])
        rise = np.median(levels[steps // 2 + 2 :]) - np.median(levels[: steps // 2 - 2])
        assert rise == pytest.approx(20.0, abs=1.5)
        mean = 10 * np.log10(np.mean(10 ** (levels / 10)))
        assert mean == pytest.approx(band.level_db, abs=0.3)


def test_the_course_of_an_hour_is_compact_and_still_in_place():
    meter = SpectrumMeter(sample_rate=8_000)
    quiet = 0.1 * noise(1.0, rate=8_000)
    for second in range(3_600):
        meter.add(quiet if second < 3_000 else 10 * quiet)
    course = meter.result().band_course
    assert meter.history.power.shape[0] <= MOST_ROWS
    levels = np.array(course.levels_db["mids"])
    assert levels.size <= 600
    rise_at_s = float(np.flatnonzero(np.diff(levels) > 10)[0] + 1) * course.step_s
    assert rise_at_s == pytest.approx(3_000, abs=2 * course.step_s)


def test_levels_relative_to_the_k_weighted_whole():
    """A 1 kHz tone is weighted by +0.7 dB; a 40 Hz tone loses some 5 dB."""
    from scipy.signal import sosfreqz

    from analysis.sound.k_weighting import k_weighting_sos

    for hz in (40.0, 1_000.0, 8_000.0):
        tone = np.repeat(sine(5, dbfs=-20, hz=hz, rate=RATE)[None], 2, axis=0)
        _, response = sosfreqz(k_weighting_sos(RATE), worN=[hz], fs=RATE)
        expected = -20 * np.log10(abs(response[0]))
        assert spectrum(tone).k_offset_db == pytest.approx(expected, abs=0.15)
