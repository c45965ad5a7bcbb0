"""The signals of EBU Tech 3341 and 3342, and two independent meters on real sound."""

from __future__ import annotations

import av
import numpy as np
import pyloudnorm
import pytest

from analysis.sound.loudness import LoudnessMeter, ProgrammeLoudness, channel_weights
from tests.analysis.sound.ffmpeg_meter import ebur128
from tests.analysis.sound.signals import noise, sine, tones

RATE = 48_000


def loudness(sound, *, rate: int = RATE, layout: str = "stereo", block: int = 48_000):
    """Programme loudness of (channels, n), fed in blocks."""
    meter = LoudnessMeter(sample_rate=rate, channel_layout=layout)
    for start in range(0, sound.shape[1], block):
        meter.add(sound[:, start : start + block])
    return meter.result()


INTEGRATED = {
    "3341-1": ([(-23, 20)], -23.0),
    "3341-2": ([(-33, 20)], -33.0),
    "3341-3": ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
    "3341-4": ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
    "3341-5": ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
}


@pytest.mark.parametrize("case", INTEGRATED)
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_integrated_loudness_of_tech_3341(case, rate):
    parts, expected = INTEGRATED[case]
    result = loudness(tones(parts, rate=rate), rate=rate)
    assert result.integrated_lufs == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("rate", [8_000, 22_050, 32_000, 96_000, 192_000])
def test_the_weighting_holds_at_any_rate(rate):
    # Near half of 8 kHz the bilinear map bends the shelf, hence the wider bound.
    result = loudness(tones([(-23, 10)], rate=rate), rate=rate)
    assert result.integrated_lufs == pytest.approx(-23.0, abs=0.25 if rate == 8_000 else 0.1)


@pytest.mark.parametrize("layout", ["5.1", "5.1(side)"])
def test_case_6_surround(layout):
    levels = {
        "FL": -28,
        "FR": -28,
        "FC": -24,
        "LFE": -3,
        "BL": -30,
        "BR": -30,
        "SL": -30,
        "SR": -30,
    }
    names = [channel.name for channel in av.AudioLayout(layout).channels]
    sound = np.stack([sine(20, dbfs=levels[name]) for name in names])
    assert loudness(sound, layout=layout).integrated_lufs == pytest.approx(-23.0, abs=0.1)


def test_the_weights_of_seven_point_one_are_those_of_bs_1770_4():
    # FL FR FC LFE BL BR SL SR: 1.41 only between 60 and 120 degrees
    assert channel_weights("7.1").tolist() == [1, 1, 1, 0, 1, 1, 1.41, 1.41]


def test_case_9_short_term_is_constant_after_three_seconds():
    sound = tones([(-20, 1.34), (-30, 1.66)] * 5)
    result = loudness(sound)
    assert result.short_term_max_lufs == pytest.approx(-23.0, abs=0.1)
    assert result.short_term_lufs[2:] == pytest.approx([-23.0] * 13, abs=0.1)


@pytest.mark.parametrize("index", range(20))
def test_case_10_short_term_maximum_of_a_shifted_tone(index):
    silence = np.zeros((2, round(0.15 * index * RATE)), np.float32)
    sound = np.concatenate([silence, tones([(-23, 3)]), np.zeros((2, RATE), np.float32)], axis=1)
    assert loudness(sound).short_term_max_lufs == pytest.approx(-23.0, abs=0.1)


def test_case_12_momentary_is_constant_after_one_second():
    result = loudness(tones([(-20, 0.18), (-30, 0.22)] * 25))
    assert result.momentary_max_lufs == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("index", range(20))
def test_case_13_momentary_maximum_of_a_shifted_burst(index):
    silence = np.zeros((2, round(0.02 * index * RATE)), np.float32)
    sound = np.concatenate([silence, tones([(-23, 0.4)]), np.zeros((2, RATE), np.float32)], axis=1)
    assert loudness(sound).momentary_max_lufs == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([-20, -30], 10),
        ([-20, -15], 5),
        ([-40, -20], 20),
        ([-50, -35, -20, -35, -50], 15),
    ],
)
def test_loudness_range_of_tech_3342(levels, expected):
    result = loudness(tones([(level, 20) for level in levels]))
    assert result.loudness_range_lu == pytest.approx(expected, abs=1.0)


@pytest.mark.parametrize("block", [1_000, 44_100, 100_003])
def test_the_block_size_changes_nothing(block):
    sound = noise(6.3) * np.linspace(0.1, 1, round(6.3 * 44_100), dtype=np.float32)
    assert loudness(sound, rate=44_100, block=block) == loudness(sound, rate=44_100, block=10**7)


@pytest.mark.parametrize("rate", [11_025, 22_050])
def test_rates_that_are_no_multiple_of_a_hundred_do_not_drift(rate):
    quiet_then_loud = np.concatenate(
        [noise(60, rate=rate) * np.float32(0.1), noise(10, rate=rate)], axis=1
    )
    result = loudness(quiet_then_loud, rate=rate)
    curve = result.short_term_lufs
    assert len(curve) == 70
    assert curve[59] == pytest.approx(curve[30], abs=0.2)
    assert curve[62] == pytest.approx(curve[69], abs=0.2)
    assert curve[62] - curve[59] == pytest.approx(20.0, abs=0.3)


def test_silence_and_very_short_sound_have_no_loudness():
    nothing = ProgrammeLoudness(None, None, None, None, 1.0, [None] * 5, 0.5, [None] * 10)
    assert loudness(np.zeros((2, 5 * RATE), np.float32)) == nothing
    assert loudness(noise(0.2, rate=RATE)).integrated_lufs is None


def test_agrees_with_pyloudnorm_and_ffmpeg_on_noise_with_dynamics():
    generator = np.random.default_rng(5)
    steps = np.repeat(10 ** (generator.uniform(-30, 0, 60) / 20), RATE // 2)
    sound = (noise(30, rate=RATE) * steps).astype(np.float32)
    ours = loudness(sound)
    theirs = pyloudnorm.Meter(RATE).integrated_loudness(sound.T.astype(np.float64))
    assert ours.integrated_lufs == pytest.approx(theirs, abs=0.1)
    reference = ebur128(sound, rate=RATE)
    assert ours.integrated_lufs == pytest.approx(reference.integrated_lufs, abs=0.1)
    assert ours.loudness_range_lu == pytest.approx(reference.loudness_range_lu, abs=0.3)


def test_seven_point_one_adds_up_as_its_weights_say():
    """The same tone in every speaker: 2 + 1 + 2 + 2 x 1.41 powers of one, the LFE left out."""
    level = -33.0
    sound = np.repeat(sine(10, dbfs=level)[None], 8, axis=0)
    one = loudness(sound[:1], layout="mono").integrated_lufs
    expected = one + 10 * np.log10(3 + 2 + 2 * 1.41)
    assert loudness(sound, layout="7.1").integrated_lufs == pytest.approx(expected, abs=0.05)


def test_the_momentary_curve_shows_each_burst_where_it_is():
    parts = [(-23, 5.0), (-60, 5.0), (-13, 5.0)]
    result = loudness(tones(parts))
    assert result.momentary_step_s == 0.5
    assert len(result.momentary_lufs) == 30
    assert result.momentary_lufs[4] == pytest.approx(-23.0, abs=0.1)
    assert result.momentary_lufs[15] == pytest.approx(-60.0, abs=0.1)
    assert result.momentary_lufs[-1] == pytest.approx(-13.0, abs=0.1)
    assert max(result.momentary_lufs) == pytest.approx(result.momentary_max_lufs, abs=0.05)


def test_the_momentary_curve_of_an_hour_is_compact():
    meter = LoudnessMeter(sample_rate=8_000, channel_layout="mono")
    second = sine(1.0, dbfs=-20, rate=8_000)[None]
    for _ in range(3_600):
        meter.add(second)
    result = meter.result()
    assert result.momentary_step_s == 6.0
    assert len(result.momentary_lufs) == 600
