"""What a separation tells the rest of the report: genre by stem, and whose sound lies where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.neural.ears import load_ears
from analysis.sound.measure import MonoCollector
from analysis.sound.mel import log_mel
from analysis.stem_genre import LONGEST_S, genre_by_stem
from tests.analysis.stems.conftest import RATE


@pytest.fixture(scope="module")
def whole(mix) -> np.ndarray:
    """The mix as the listening stage takes it."""
    collector = MonoCollector(sample_rate=RATE, expected_s=60.0)
    collector.add(mix.mean(axis=0))
    return collector.result().copy()


def test_with_all_stems_on_it_is_the_mix(segments, whole):
    _, made = segments
    found = genre_by_stem(made)
    ears = load_ears()
    heard = ears.hear(log_mel(whole), tagged=ears.tag(whole))
    first = found["genres"][0]
    assert first["label"] == heard.label
    assert first["probability"] == pytest.approx(heard.confidence, abs=0.01)
    assert {stem["name"] for stem in first["stems"]} == {"vocals", "drums", "bass", "other"}
    assert any(abs(stem["drop"]) > 0.01 for stem in first["stems"])


def test_what_is_too_long_is_left_alone(segments):
    _, made = segments
    assert genre_by_stem(replace(made, n_samples=int((LONGEST_S + 1) * RATE))) is None


def test_the_mix_engineer_learns_whose_sound_it_is(separated, whole):
    document = separated[1]
    levels = document["mix"]["stems_db"]
    assert set(levels) == {"vocals", "drums", "bass", "other"}
    power = sum(10 ** (np.array(rows) / 10) for rows in levels.values())
    assert 0.5 < power.sum() < 1.05, "third octaves of all stems hold nearly all of the power"
