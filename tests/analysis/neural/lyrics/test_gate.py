"""The gate opens where somebody sings, on sounds whose singing is known to the sample."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from analysis.neural.lyrics import gate, passages
from analysis.neural.lyrics.gate import Region
from analysis.neural.lyrics.sound import SAMPLE_RATE


def voice(duration_s: float, sung: list[tuple[float, float]], level_db: float = -20) -> np.ndarray:
    """A vibrating tone with partials at the given times, silence elsewhere."""
    t = np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * (220 * t + 0.8 * np.sin(2 * np.pi * 5.5 * t))
    tone = sum(np.sin(k * phase) / k for k in range(1, 6))
    tone *= 10 ** (level_db / 20) / np.sqrt(np.mean(tone**2))
    heard = np.zeros_like(t)
    for start, end in sung:
        heard[(t >= start) & (t < end)] = 1.0
    return (tone * heard).astype(np.float32)


def band(duration_s: float, level_db: float = -18) -> np.ndarray:
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 1, round(duration_s * SAMPLE_RATE))
    return (noise * 10 ** (level_db / 20)).astype(np.float32)


SUNG = [(2.0, 5.0), (6.5, 9.0), (14.0, 17.5)]


def test_it_opens_with_the_voice_and_closes_in_rests():
    accompaniment = band(20)
    vocals = voice(20, SUNG) + 10 ** (-26 / 20) * accompaniment  # with a ghost of the band
    found = gate.find_singing(vocals, accompaniment)
    assert len(found.voiced) == 3
    for region, (start, end) in zip(found.voiced, SUNG, strict=True):
        assert region.start_s == pytest.approx(start, abs=0.1)
        assert region.end_s == pytest.approx(end, abs=0.15)
    limits = gate.GateSettings()
    for region, strict in zip(found.regions, found.voiced, strict=True):
        assert region.start_s == pytest.approx(strict.start_s - limits.before_s)
        assert region.end_s == pytest.approx(strict.end_s + limits.after_s)


@pytest.mark.parametrize("gain_db", [-20, 0, 12])
def test_it_does_not_depend_on_the_recordings_level(gain_db):
    gain = np.float32(10 ** (gain_db / 20))
    accompaniment = band(20)
    vocals = voice(20, SUNG) + 10 ** (-26 / 20) * accompaniment
    found = gate.find_singing(gain * vocals, gain * accompaniment)
    expected = gate.find_singing(vocals, accompaniment)
    assert len(found.voiced) == len(expected.voiced)
    for region, same in zip(found.voiced, expected.voiced, strict=True):
        assert region.start_s == pytest.approx(same.start_s, abs=0.05)
        assert region.end_s == pytest.approx(same.end_s, abs=0.05)


def test_the_ghost_of_an_instrumental_is_no_singing():
    accompaniment = band(20)
    found = gate.find_singing(10 ** (-24 / 20) * accompaniment, accompaniment)
    assert found.voiced == ()
    assert gate.find_singing(np.zeros(20 * SAMPLE_RATE, np.float32), accompaniment).voiced == ()


def test_a_quiet_verse_under_a_loud_chorus_is_heard():
    vocals = voice(20, [(12, 19)]) + voice(20, [(2, 8)], level_db=-42)
    found = gate.find_singing(vocals, band(20, level_db=-55))
    assert [round(region.start_s) for region in found.voiced] == [2, 12]


def test_passages_hold_all_singing_in_30_s_each():
    regions = [Region(1, 9), Region(12, 30), Region(33, 110), Region(115, 116)]
    sound = voice(120, [(0, 60.2), (60.6, 120)])
    packed = passages.pack(regions, sound)
    assert all(passage.duration_s <= 30.0 for passage in packed)
    pieces = [piece for passage in packed for piece in passage.pieces]
    assert sum(piece.duration_s for piece in pieces) == pytest.approx(8 + 18 + 77 + 1)
    assert all(a.end_s <= b.start_s for a, b in itertools.pairwise(pieces))
    # The long region is cut in the one breath within reach.
    assert any(60.2 < piece.end_s < 60.6 for piece in pieces)


def test_a_passage_knows_where_its_moments_were():
    passage = passages.Passage((Region(10, 14), Region(20, 23)))
    assert passage.duration_s == 7
    assert passage.time_s(1.5) == 11.5
    assert passage.time_s(5.0) == 21.0
    assert passage.time_s(4.0) == 20.0  # a beginning
    assert passage.time_s(4.0, is_end=True) == 14.0
    assert passage.rest_from(5.0) == passages.Passage((Region(21, 23),))
    assert passage.rest_from(7.0) is None
    ramp = np.arange(30 * SAMPLE_RATE, dtype=np.float32)
    heard = passage.samples(ramp)
    assert heard.shape == (7 * SAMPLE_RATE,)
    assert heard[5 * SAMPLE_RATE] == ramp[21 * SAMPLE_RATE]


def test_a_passage_is_halved_in_a_rest_or_a_breath():
    sound = voice(30, [(0, 12.6), (12.9, 30)])
    first, second = passages.halves(passages.Passage((Region(1, 10), Region(14, 20))), sound)
    assert (first.pieces, second.pieces) == ((Region(1, 10),), (Region(14, 20),))
    first, second = passages.halves(passages.Passage((Region(1, 23), Region(25, 28))), sound)
    assert first.start_s == 1
    assert 12.6 < first.end_s < 12.9
    assert second.pieces == (Region(first.end_s, 23), Region(25, 28))
