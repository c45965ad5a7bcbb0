"""Where somebody sings, and which clips are good enough."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.sound.voice.clips import cut
from tests.analysis.sound.voice import voices

RATE = voices.RATE


def _silence(seconds: float) -> np.ndarray:
    return 1e-4 * np.random.default_rng(1).standard_normal(round(seconds * RATE))


@pytest.fixture(scope="module")
def song() -> np.ndarray:
    """Silence, 4 s of voice, silence, 7 s of voice, silence."""
    long = voices.harmonics(voices.vibrato(220.0, seconds=7.0), seconds=7.0)
    return np.concatenate([_silence(2), long[: 4 * RATE], _silence(2), long, _silence(1)])


def test_phrases_are_found_and_long_ones_divided(song):
    kept = cut(song, RATE).kept
    times = [(clip.phrase.start_s, clip.phrase.end_s) for clip in kept]
    assert times == [
        pytest.approx((2.0, 6.0), abs=0.06),
        pytest.approx((8.0, 11.5), abs=0.06),
        pytest.approx((11.5, 15.0), abs=0.06),
    ]
    assert all(clip.phrase.voiced_share > 0.95 for clip in kept)


def test_what_is_far_quieter_than_the_music_is_left_out(song):
    hiss = np.random.default_rng(0).standard_normal(song.size)
    level = np.sqrt(np.mean(song[3 * RATE : 5 * RATE] ** 2))
    loud = cut(song, RATE, accompaniment=hiss * level * 10)
    assert (len(loud.kept), loud.faint) == (0, 3)
    even = cut(song, RATE, accompaniment=hiss * level)
    assert len(even.kept) == 3
    assert even.kept[0].over_accompaniment_db == pytest.approx(0.0, abs=0.3)


def test_the_same_clips_at_any_level_and_rate(song):
    times = [clip.phrase for clip in cut(song, RATE).kept]
    quiet = [clip.phrase for clip in cut(0.1 * song, RATE).kept]
    assert [(p.start_s, p.end_s) for p in quiet] == [(p.start_s, p.end_s) for p in times]
    other = np.interp(np.arange(song.size * 1.378125) / 44_100, np.arange(song.size) / RATE, song)
    assert len(cut(other, 44_100).kept) == len(times)


def test_no_more_than_asked_for(song):
    few = cut(song, RATE, most=2)
    assert (len(few.kept), few.left_out) == (2, 1)


@pytest.mark.parametrize("sound", [_silence(4), np.zeros(4 * RATE)], ids=["noise", "silence"])
def test_nobody_sings(sound):
    assert cut(sound, RATE).kept == []


def test_a_short_note_is_a_clip_where_there_is_nothing_longer():
    sound = np.concatenate([_silence(1), voices.harmonics(220.0, seconds=1.5), _silence(1)])
    assert [clip.phrase.end_s - clip.phrase.start_s for clip in cut(sound, RATE).kept] == [
        pytest.approx(1.5, abs=0.1)
    ]
