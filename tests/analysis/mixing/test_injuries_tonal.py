"""Known damage to the tone of real music: is it found, where it is, and does the advice heal it?

Finished tracks of one genre differ by more than 4 dB along most moves (the corridors say so), so
against a genre a damage of 4 dB often stays within what is usual, where nothing may be advised.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command

from analysis.mixing.targets import GenreTarget
from analysis.sound.mono import mono_of_file
from analysis.training import mixing_figures
from analysis.training.mixing_figures import found_in, genre_of, rates
from tests.analysis.sound.demo_truth import demo_tracks, measured


@cache
def mono(number: int) -> np.ndarray:
    return measured(demo_tracks()[number].path).mono_22k


@cache
def itself(number: int) -> GenreTarget:
    return mixing_figures.itself(mono(number))


def test_four_decibels_are_found_against_the_version_before():
    """Bars: nine in ten found where they are, four in five healed by the advice."""
    result = rates(4.0, itself, [(number, mono(number)) for number in range(0, 28, 3)])
    assert result.cases == 80
    assert result.found >= 0.9, result
    assert result.healed >= 0.8, result


def test_undamaged_tracks_have_no_finding_against_themselves():
    assert not any(found_in(mono(number), itself(number)) for number in range(0, 28, 3))


def test_the_command_prints_the_figures(tmp_path, capsys):
    call_command("evaluate_mixing", data=tmp_path, json=True)
    figures = json.loads(capsys.readouterr().out)
    assert set(figures) == {"version before, 4 dB"}
    assert figures["version before, 4 dB"]["cases"] == 80
    assert figures["version before, 4 dB"]["found"] >= 0.9


DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "gtzan_audio"
needs_corpus = pytest.mark.skipif(
    not DATA.is_dir(), reason="the research data (gtzan_audio) is not here"
)


@cache
def corpus() -> dict[str, np.ndarray]:
    return {path.stem: mono_of_file(path) for path in sorted(DATA.rglob("*.flac"))}


@needs_corpus
@pytest.mark.data
def test_four_in_five_reference_tracks_have_at_most_two_findings():
    counts = [len(found_in(sound, genre_of(name))) for name, sound in corpus().items()]
    assert len(counts) == 96
    assert np.mean(np.array(counts) <= 2) >= 0.8
    assert max(counts) <= 5


@needs_corpus
@pytest.mark.data
@pytest.mark.xfail(
    strict=True,
    reason="0.32 found: eight of ten finished tracks of a genre span 6 to 9 dB along most moves, "
    "so 4 dB on a track in the middle rarely leave the corridor (6 dB: 0.58, 8 dB: 0.78)",
)
def test_four_decibels_are_found_against_the_genre():
    balanced = [name for name, sound in corpus().items() if not found_in(sound, genre_of(name))]
    assert rates(4.0, genre_of, [(name, corpus()[name]) for name in balanced]).found >= 0.9
