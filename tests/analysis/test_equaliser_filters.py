"""The equaliser's filters against torchaudio's and against their analogue prototypes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchaudio.functional as audio
from scipy import signal

from analysis.sound.equaliser import SHELF_Q, Equaliser, Move, response_db, sections

MOVES = [
    Move("bell", 310.0, -2.0, 1.2),
    Move("bell", 3_000.0, 3.0, 0.7),
    Move("bell", 12_000.0, -1.5, 4.0),
    Move("low_shelf", 60.0, 3.0),
    Move("low_shelf", 250.0, -2.5),
    Move("high_shelf", 8_000.0, -3.0),
    Move("high_shelf", 2_000.0, 1.0),
]
RATES = [44_100, 48_000, 96_000]
TORCH = {
    "bell": audio.equalizer_biquad,
    "low_shelf": audio.bass_biquad,
    "high_shelf": audio.treble_biquad,
}
FREQUENCY = {
    "bell": "center_freq",
    "low_shelf": "central_freq",
    "high_shelf": "central_freq",
}


def q_of(move: Move) -> float:
    return move.q if move.type == "bell" else SHELF_Q


def prototype(move: Move) -> tuple[list[float], list[float]]:
    """Numerator and denominator in s of the Audio EQ Cookbook, for a centre of 1 rad/s."""
    amp, q = 10.0 ** (move.gain_db / 40.0), q_of(move)
    if move.type == "bell":
        return [1.0, amp / q, 1.0], [1.0, 1.0 / (amp * q), 1.0]
    low = [1.0, amp**0.5 / q, amp]
    high = [amp, amp**0.5 / q, 1.0]
    pair = (low, high) if move.type == "low_shelf" else (high, low)
    return [amp * value for value in pair[0]], pair[1]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("move", MOVES, ids=str)
def test_sections_are_the_prototypes_through_the_bilinear_transform(move: Move, rate: int):
    numerator, denominator = prototype(move)
    warp = 1.0 / np.tan(np.pi * move.freq_hz / rate)
    b, a = signal.bilinear(numerator, denominator, fs=warp / 2.0)
    assert sections([move], rate)[0] == pytest.approx([*(b / a[0]), *(a / a[0])], abs=1e-9)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("move", MOVES, ids=str)
def test_an_impulse_comes_out_as_from_torchaudio(move: Move, rate: int):
    impulse = np.zeros(2_048)
    impulse[0] = 0.25  # torchaudio clips at 1
    ours = signal.sosfilt(sections([move], rate), impulse)
    theirs = TORCH[move.type](
        torch.from_numpy(impulse)[None],
        rate,
        **{FREQUENCY[move.type]: move.freq_hz, "gain": move.gain_db, "Q": q_of(move)},
    )
    # torchaudio works out its coefficients in single precision.
    assert ours == pytest.approx(theirs[0].numpy(), abs=2e-5)


@pytest.mark.parametrize("move", MOVES, ids=str)
def test_the_gain_is_where_the_move_says(move: Move):
    """A bell's at its centre; half of a shelf's at its frequency, all of it far beyond."""
    at = response_db([move], np.array([move.freq_hz]), 192_000)[0]
    assert at == pytest.approx(move.gain_db if move.type == "bell" else move.gain_db / 2, abs=0.01)
    if move.type != "bell":
        far = 5.0 if move.type == "low_shelf" else 60_000.0
        assert response_db([move], np.array([far]), 192_000)[0] == pytest.approx(
            move.gain_db, abs=0.1
        )


def test_blocks_are_filtered_as_one_sound():
    sound = np.random.default_rng(1).standard_normal((2, 10_000)).astype(np.float32)
    whole = Equaliser(MOVES, sample_rate=48_000, channels=2)(sound)
    equaliser = Equaliser(MOVES, sample_rate=48_000, channels=2)
    parts = [equaliser(block) for block in np.array_split(sound, [1, 700, 701, 9_000], axis=1)]
    assert np.concatenate(parts, axis=1) == pytest.approx(whole, abs=1e-6)
