"""Every damage does what its name says, measured on the written file by other means."""

import mutagen.mp3
import numpy as np
import pyloudnorm
import pytest
import scipy.signal
import soundfile

from analysis.sound.measure import measure
from analysis.sound.mel import log_mel
from analysis.sound.mono import mono_of_file
from analysis.training.damage import (
    FOR_GENRE,
    FOR_RETRIEVAL,
    Damage,
    equalised,
    random_equaliser,
)
from analysis.training.sound_files import music_files, read_excerpt

RATE = 44_100
BY_NAME = {damage.name: damage for damage in (*FOR_GENRE, *FOR_RETRIEVAL)}


def noise(seconds: float = 2.0, channels: int = 1, seed: int = 0) -> np.ndarray:
    sound = np.random.default_rng(seed).normal(0, 0.05, (channels, round(seconds * RATE)))
    return sound.astype(np.float32)


def tone(hz: float, seconds: float = 2.0, peak: float = 0.1) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (peak * np.sin(2 * np.pi * hz * time)).astype(np.float32)[None]


def written(name: str, sound: np.ndarray, tmp_path):
    path = BY_NAME[name].write(sound, RATE, stem=tmp_path / "sound", seed=1)
    return path, *soundfile.read(path, always_2d=True)


def strongest_hz(sound: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size), 1 << 20))
    return float(spectrum.argmax() * rate / (1 << 20))


def level_db(sound: np.ndarray, rate: int, low: float, high: float) -> float:
    hz, power = scipy.signal.welch(sound, rate, nperseg=8192)
    inside = (hz >= low) & (hz < high)
    return 10 * np.log10(power[inside].mean())


def test_mp3_has_the_promised_bit_rate_and_the_whole_length(tmp_path):
    path, sound, rate = written("mp3_64k", noise(5.0), tmp_path)
    info = mutagen.mp3.MP3(path).info
    assert info.bitrate == 64_000
    assert (info.sample_rate, info.channels, info.layer) == (44_100, 2, 3)
    assert len(sound) / rate == pytest.approx(5.0, abs=0.1)
    # So few bits leave nothing of the top.
    top = (17_000, 20_000)
    assert level_db(sound[:, 0], rate, *top) < level_db(noise(5.0)[0], RATE, *top) - 20


@pytest.mark.parametrize(("name", "factor"), [("speed_plus_3", 1.03), ("speed_minus_3", 0.97)])
def test_speed_moves_pitch_and_length_by_three_percent(tmp_path, name, factor):
    _, sound, rate = written(name, tone(1_000.0), tmp_path)
    assert strongest_hz(sound[:, 0], rate) == pytest.approx(1_000.0 * factor, abs=0.5)
    assert len(sound) / rate == pytest.approx(2.0 / factor, abs=0.01)


@pytest.mark.parametrize(("name", "db"), [("gain_minus_20", -20.0), ("gain_plus_20", 20.0)])
def test_gain_moves_loudness_by_twenty_decibels(tmp_path, name, db):
    sound = noise(channels=2)
    _, louder, rate = written(name, sound, tmp_path)
    meter = pyloudnorm.Meter(rate)
    before = meter.integrated_loudness(sound.T.astype(float))
    assert meter.integrated_loudness(louder) - before == pytest.approx(db, abs=0.05)


def test_gain_quantises_in_16_bit_files_and_passes_full_scale_in_float_files(tmp_path):
    path, soft, _ = written("gain_minus_20", tone(1_000.0, peak=1e-3), tmp_path)
    assert soundfile.info(path).subtype == "PCM_16"
    steps = np.unique(soft * 32_768)
    np.testing.assert_array_equal(steps, np.round(steps))
    assert 7 <= steps.size <= 8  # -3.3 to 3.3 of the smallest steps, rounded down
    _, loud, _ = written("gain_plus_20", tone(1_000.0, peak=0.5), tmp_path)
    assert np.abs(loud).max() == pytest.approx(5.0, rel=0.01)
    _, clipped, _ = written("gain_plus_20_clipped", tone(1_000.0, peak=0.5), tmp_path)
    assert (np.abs(clipped) > 0.999).mean() > 0.8


@pytest.mark.parametrize(("name", "rate"), [("rate_16k", 16_000), ("rate_48k", 48_000)])
def test_rates(tmp_path, name, rate):
    path, sound, found = written(name, tone(1_000.0) + tone(9_000.0), tmp_path)
    assert found == rate
    assert measure(path).info.sample_rate == rate
    assert strongest_hz(sound[:, 0], rate) == pytest.approx(1_000.0, abs=0.5) or rate == 48_000
    beyond = level_db(mono_of_file(path), 22_050, 8_900, 9_100)
    assert (beyond < -90) == (rate == 16_000)


def test_pieces(tmp_path):
    _, clip, rate = written("clip_3s", noise(10.0), tmp_path)
    assert len(clip) == 3 * rate
    np.testing.assert_array_equal(clip[:, 0], noise(10.0)[0, round(3.5 * RATE) : round(6.5 * RATE)])
    long = noise(25.0)
    _, crop, rate = written("crop_10s", long, tmp_path)
    assert len(crop) == 10 * rate
    starts = np.flatnonzero(long[0] == crop[0, 0])
    assert any(np.array_equal(long[0, s : s + len(crop)], crop[:, 0]) for s in starts)


@pytest.mark.parametrize(("name", "db"), [("tilt_bright", 6.0), ("tilt_dark", -6.0)])
def test_tilt_changes_the_ends_by_six_decibels_and_the_middle_not(tmp_path, name, db):
    sound = noise(8.0)
    _, tilted, rate = written(name, sound, tmp_path)

    def change(low: float, high: float) -> float:
        return level_db(tilted[:, 0], rate, low, high) - level_db(sound[0], rate, low, high)

    assert change(10_500, 20_000) == pytest.approx(db, abs=0.1)
    assert change(20, 50) == pytest.approx(-db, abs=0.6)
    assert change(650, 770) == pytest.approx(0.0, abs=0.3)


def test_equaliser_follows_its_points():
    sound = noise(8.0)
    points = np.log([40.0, 800.0, 16_000.0])
    shaped = equalised(sound, RATE, points, np.array([0.0, 6.0, -6.0]))
    for hz, db in ((800, 6.0), (16_000, -6.0)):
        found = level_db(shaped[0], RATE, 0.95 * hz, 1.05 * hz)
        before = level_db(sound[0], RATE, 0.95 * hz, 1.05 * hz)
        assert found - before == pytest.approx(db, abs=0.4)


def test_random_equaliser_stays_within_its_bounds_and_depends_on_its_seed():
    impulse = np.zeros((1, RATE), dtype=np.float32)
    impulse[0, 0] = 1.0
    curves = []
    for seed in (1, 2):
        shaped, _ = random_equaliser(6.0)(impulse, RATE, np.random.default_rng(seed))
        curve = 20 * np.log10(np.abs(np.fft.rfft(shaped[0]))[40:16_000])
        assert -6.01 <= curve.min() < curve.max() <= 6.01
        assert np.ptp(curve) > 2
        curves.append(curve)
    assert np.abs(curves[0] - curves[1]).max() > 1


def test_pink_noise_lies_twenty_decibels_below_and_falls_by_three_an_octave(tmp_path):
    sound = tone(1_000.0, seconds=20.0)
    _, noisy, rate = written("pink_noise", sound, tmp_path)
    added = noisy[:, 0] - sound[0]
    ratio = 10 * np.log10((sound.astype(float) ** 2).mean() / (added**2).mean())
    assert ratio == pytest.approx(20.0, abs=0.05)
    slope = level_db(added, rate, 4_000, 8_000) - level_db(added, rate, 500, 1_000)
    assert slope / 3 == pytest.approx(-3.01, abs=0.2)


def test_decorrelated_sides_differ_but_keep_their_spectra(tmp_path):
    sound = noise(4.0)
    _, stereo, rate = written("stereo_decorrelated", sound, tmp_path)
    assert abs(np.corrcoef(stereo.T)[0, 1]) < 0.4
    for side in stereo.T:
        for low, high in ((100, 400), (1_000, 4_000), (6_000, 12_000)):
            change = level_db(side, rate, low, high) - level_db(sound[0], rate, low, high)
            assert change == pytest.approx(0.0, abs=0.3)


def test_off_balance_is_ten_decibels(tmp_path):
    _, stereo, _ = written("stereo_off_balance", noise(), tmp_path)
    ratio = 10 * np.log10((stereo[:, 0] ** 2).mean() / (stereo[:, 1] ** 2).mean())
    assert ratio == pytest.approx(10.0, abs=0.01)


def test_an_unchanged_float_file_gives_the_same_picture(tmp_path):
    from analysis.training.damage import unchanged

    sound = noise(5.0)
    path = Damage("as_it_is", "", unchanged).write(sound, RATE, stem=tmp_path / "s", seed=0)
    np.testing.assert_array_equal(soundfile.read(path, dtype="float32")[0], sound[0])


def test_pictures_of_files_are_those_of_the_listening_stage(tmp_path):
    path = tmp_path / "s.wav"
    soundfile.write(path, noise(3.0, channels=2).T, RATE)
    np.testing.assert_array_equal(log_mel(mono_of_file(path)), log_mel(measure(path).mono_22k))


def test_excerpts_come_from_the_middle(tmp_path):
    sound = noise(9.0, channels=2)
    soundfile.write(tmp_path / "s.wav", sound.T, RATE, subtype="FLOAT")
    excerpt, rate = read_excerpt(tmp_path / "s.wav", seconds=3.0)
    assert rate == RATE
    np.testing.assert_array_equal(excerpt, sound[:, 3 * RATE : 6 * RATE])
    whole, _ = read_excerpt(tmp_path / "s.wav", seconds=30.0)
    np.testing.assert_array_equal(whole, sound)


def test_only_long_enough_music_is_found(tmp_path):
    (tmp_path / "deep").mkdir()
    soundfile.write(tmp_path / "deep" / "long.flac", noise(3.0).T, RATE)
    soundfile.write(tmp_path / "short.ogg", noise(1.0).T, RATE)
    (tmp_path / "torn.mp3").write_bytes(b"torn")
    (tmp_path / "notes.txt").write_text("text")
    assert music_files([tmp_path], least_seconds=2.0) == [tmp_path / "deep" / "long.flac"]
