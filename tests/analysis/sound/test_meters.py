"""Offset, clipping, silence, waveform, stereo image and spectrum of signals built to measure."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from analysis.sound import mel
from analysis.sound.fold import Fold, stereo_matrix
from analysis.sound.levels import LevelsMeter
from analysis.sound.spectrum import BANDS, SpectrumMeter, band_levels_from_mel
from analysis.sound.stereo import StereoMeter
from analysis.sound.waveform import WaveformMeter
from tests.analysis.sound.signals import noise, sine

RATE = 44_100


def fed(meter, sound, *, block: int = RATE):
    for start in range(0, sound.shape[-1], block):
        meter.add(sound[..., start : start + block])
    return meter.result()


def levels(sound, *, block: int = RATE):
    return fed(LevelsMeter(sample_rate=RATE, channels=sound.shape[0]), sound, block=block)


def test_offset_of_each_channel():
    sound = noise(5.0) + np.array([[0.02], [-0.005]], np.float32)
    assert levels(sound).dc_offset == pytest.approx([0.02, -0.005], abs=5e-4)


@pytest.mark.parametrize("block", [10, 1_000, RATE])
def test_clipped_runs_are_counted_once_also_across_blocks(block):
    sound = np.zeros((2, 5_000), np.float32)
    sound[0, 998:1_003] = 1.0  # five samples across a block's edge
    sound[1, 2_000:2_003] = -1.0
    sound[0, 3_000:3_002] = 1.0  # two samples: a peak, not a cut
    sound[1, -4:] = 1.0  # up to the very end
    result = levels(sound, block=block)
    assert result.clipped_runs == 3
    assert result.clipped_samples == 12
    assert result.clipped_at_s == pytest.approx([998 / RATE, 2_000 / RATE, 4_996 / RATE], abs=1e-3)


def test_a_hot_sine_that_does_not_clip_is_not_reported():
    sound = sine(2.0, dbfs=-0.01, hz=997, rate=RATE)[None]
    assert levels(sound).clipped_runs == 0


def test_silence_at_both_ends():
    sound = np.concatenate(
        [np.zeros((2, 2 * RATE)), noise(3.0), np.zeros((2, RATE // 2))], axis=1
    ).astype(np.float32)
    result = levels(sound, block=7_000)
    assert result.silence_head_s == pytest.approx(2.0, abs=0.01)
    assert result.silence_tail_s == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("seconds", [1.0, 3.7, 40.0])
def test_waveform_columns_hold_the_extremes_of_their_stretch(seconds):
    mono = noise(seconds, channels=1)[0] * np.linspace(0, 1, round(seconds * RATE))
    result = fed(WaveformMeter(), mono.astype(np.float32))
    minima, maxima = np.array(result.minima), np.array(result.maxima)
    assert minima.size == maxima.size == 1_800
    edges = np.linspace(0, mono.size, 1_801)
    slack = max(8, 2 * mono.size // 16_384)
    for column in range(1_800):
        low, high = round(edges[column]), round(edges[column + 1])
        around = mono[max(0, low - slack) : high + slack]
        assert maxima[column] <= around.max() + 1e-4
        assert minima[column] >= around.min() - 1e-4
        within = mono[low + slack : high - slack]
        if within.size:
            assert maxima[column] >= within.max() - 1e-4
            assert minima[column] <= within.min() + 1e-4
    assert maxima.max() == pytest.approx(mono.max(), abs=1e-4)
    assert minima.min() == pytest.approx(mono.min(), abs=1e-4)


def stereo(sound):
    return fed(StereoMeter(channels=2), sound)


def test_stereo_image_of_known_signals():
    left = noise(10.0, channels=1)[0]
    other = noise(10.0, channels=1, seed=2)[0]
    same = stereo(np.stack([left, left]))
    assert (same.correlation, same.width, same.mono_loss_db) == (1.0, 0.0, 0.0)
    assert same.side_mid_db is None
    unrelated = stereo(np.stack([left, other]))
    assert unrelated.correlation == pytest.approx(0.0, abs=0.01)
    assert unrelated.mono_loss_db == pytest.approx(3.01, abs=0.05)
    assert unrelated.width == pytest.approx(0.5, abs=0.01)
    opposite = stereo(np.stack([left, -left]))
    assert opposite.correlation == -1.0
    assert opposite.mono_loss_db == 60.0
    louder_right = stereo(np.stack([left, 2 * left]))
    assert louder_right.balance_db == pytest.approx(6.02, abs=0.01)
    one_side = stereo(np.stack([left, 0 * left]))
    assert (one_side.balance_db, one_side.correlation) == (None, None)


def test_correlation_is_followed_second_by_second():
    left = noise(4.0, channels=1)[0]
    right = left.copy()
    right[RATE : 2 * RATE] *= -1
    assert stereo(np.stack([left, right])).correlation_curve == [1.0, -1.0, 1.0, 1.0]


def spectrum(sound, *, rate: int = RATE):
    return fed(SpectrumMeter(sample_rate=rate), sound, block=rate)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
def test_white_noise_has_the_power_of_each_bands_width(rate):
    result = spectrum(noise(30.0, rate=rate), rate=rate)
    top = min(20_000.0, rate / 2)
    for band, (name, low, high) in zip(result.bands, BANDS, strict=True):
        share = (min(high, top) - low) / (top - 20.0)
        assert band.name == name
        assert band.level_db == pytest.approx(10 * np.log10(share), abs=0.4)
        assert band.correlation == pytest.approx(0.0, abs=0.1)
    assert result.tilt_db_per_octave == pytest.approx(0.0, abs=0.1)
    middle = len(result.levels_db) // 2
    step = result.levels_db[middle + 6] - result.levels_db[middle]
    assert step == pytest.approx(3.01, abs=0.3)  # twice the width an octave higher


def test_average_spectrum_is_that_of_scipys_welch():
    sound = scipy.signal.lfilter([0.1], [1, -0.9], noise(20.0), axis=1).astype(np.float32)
    result = spectrum(sound)
    hz, density = scipy.signal.welch(sound.astype(np.float64), RATE, nperseg=16_384, axis=1)
    power = density.mean(axis=0)
    inside = (hz >= 20) & (hz <= 20_000)
    for low_index, centre in enumerate(result.frequencies_hz):
        if not 500 < centre < 16_000:
            continue
        near = (hz >= centre * 2 ** (-1 / 12)) & (hz < centre * 2 ** (1 / 12))
        expected = 10 * np.log10(power[near].sum() / power[inside].sum())
        assert result.levels_db[low_index] == pytest.approx(expected, abs=0.35)


def test_a_tone_stands_in_its_band_and_correlates_there():
    tone = sine(5.0, dbfs=-20, hz=350, rate=RATE)
    result = spectrum(np.stack([tone, -tone]))
    by_name = {band.name: band for band in result.bands}
    assert by_name["low_mids"].level_db == pytest.approx(0.0, abs=0.01)
    assert by_name["low_mids"].correlation == pytest.approx(-1.0, abs=1e-3)
    assert result.centroid_hz == pytest.approx(350, abs=2)


def test_the_end_of_a_lossy_spectrum_is_seen():
    sos = scipy.signal.butter(12, 15_000, fs=RATE, output="sos")
    sound = scipy.signal.sosfilt(sos, noise(10.0), axis=1)
    sound = scipy.signal.sosfilt(sos, sound, axis=1).astype(np.float32)
    assert 15_000 <= spectrum(sound).cutoff_hz <= 18_500
    assert spectrum(noise(5.0)).cutoff_hz > 17_500


def test_mel_bands_agree_with_the_spectrum_below_eleven_kilohertz():
    sound = scipy.signal.lfilter([0.1], [1, -0.85], noise(20.0, rate=22_050), axis=1)
    sound = np.pad(sound, ((0, 0), (0, 22_050))).astype(np.float32)  # reaches the -80 dB floor
    mono = np.repeat(sound[:1], 2, axis=0)
    full = {band.name: band for band in spectrum(mono, rate=22_050).bands}
    pictured = band_levels_from_mel(mel.log_mel(sound[0]))
    for band in pictured:
        # The first mel filters are as wide as the lowest band.
        bound = 1.5 if band.name == "sub" else 0.5
        assert band.level_db == pytest.approx(full[band.name].level_db, abs=bound)
    assert pictured[-1].high_hz == 11_025.0


def test_a_picture_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="128"):
        band_levels_from_mel(np.zeros((64, 10), np.uint8))


@pytest.mark.parametrize("layout", ["mono", "3.0", "quad", "5.1", "5.1(side)", "7.1"])
def test_folding_down_leaves_no_channel_but_lfe_out(layout):
    matrix = stereo_matrix(layout)
    channels = matrix.shape[1]
    silent = [at for at in range(channels) if not matrix[:, at].any()]
    assert len(silent) == (1 if layout in ("5.1", "5.1(side)", "7.1") else 0)


def test_mono_of_stereo_is_the_mean():
    sound = noise(1.0)
    fold = Fold("stereo")
    assert fold.mono(fold.stereo(sound)) == pytest.approx(sound.mean(axis=0), abs=1e-7)
    centre = Fold("mono")
    assert centre.mono(centre.stereo(sound[:1])) == pytest.approx(sound[0], abs=1e-7)
