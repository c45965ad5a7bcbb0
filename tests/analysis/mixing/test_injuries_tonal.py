"""Known damage to the tone of real music: is it found, where it is, and does the advice heal it?

Bells and shelves of 4 dB are filtered into demo tracks. Two targets: the undamaged track itself, as
an artist has it who compares with the version before, and the genre. Finished tracks of one genre
differ by more than 4 dB along most moves (the corridors say so), so against a genre a damage of
4 dB often stays within what is usual, where nothing may be advised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.mixing import load_targets
from analysis.mixing.judge import curve_verdict, deviation_db
from analysis.mixing.own_targets import ReferenceTrack, target_of_tracks
from analysis.mixing.targets import GenreTarget
from analysis.mixing.tonal import advisable_moves, advised_gain_db
from analysis.mixing.tonal_moves import Deviation
from analysis.sound.balance import third_octaves_db
from analysis.sound.equaliser import Equaliser, Move
from analysis.sound.mel import SAMPLE_RATE, log_mel
from analysis.sound.spectrum import band_levels_from_mel
from analysis.training.sound_files import mono_of_file
from tests.analysis.sound.demo_truth import demo_tracks, measured

THIRD = 1 / 3 + 1e-6


@cache
def mono(number: int) -> np.ndarray:
    return measured(demo_tracks()[number].path).mono_22k


def curve(sound: np.ndarray) -> list[float]:
    return [float(level) for level in third_octaves_db(log_mel(sound))]


def filtered(sound: np.ndarray, moves: list[Move]) -> np.ndarray:
    return Equaliser(moves, sample_rate=SAMPLE_RATE, channels=1)(sound[None])[0]


def found_in(sound: np.ndarray, target: GenreTarget) -> list[Deviation]:
    targets = load_targets()
    verdict = curve_verdict(curve(sound), target)
    deviation = deviation_db(verdict, targets)
    return advisable_moves(targets.model_for(target), target, verdict, deviation)


@cache
def itself(number: int) -> GenreTarget:
    picture = log_mel(mono(number))
    bands = [band.level_db for band in band_levels_from_mel(picture)]
    reference = ReferenceTrack(list(third_octaves_db(picture)), bands)
    return target_of_tracks("itself", [reference], targets=load_targets())


def damages(gain_db: float) -> Iterator[Move]:
    generator = np.random.default_rng(4)
    for _ in range(4):
        sign = generator.choice([-1.0, 1.0])
        hz, q = np.exp(generator.uniform(np.log(90), np.log(7_000))), generator.choice([1.0, 1.4])
        yield Move("bell", float(hz), float(sign * gain_db), float(q))
    yield Move("low_shelf", 150.0, gain_db)
    yield Move("low_shelf", 120.0, -gain_db)  # the bass cut
    yield Move("high_shelf", 4_000.0, gain_db)
    yield Move("high_shelf", 3_000.0, -gain_db)


def is_right(found: Deviation, damage: Move) -> bool:
    """The sign, and the place: a bell's centre within a third of an octave; for a shelf, a shelf
    of its side or a bell on the side that it changed."""
    if found.size_db * damage.gain_db < 0:
        return False
    octaves = float(np.log2(found.move.freq_hz / damage.freq_hz))
    if damage.type == "bell":
        return abs(octaves) <= THIRD
    beyond = octaves < 0 if damage.type == "low_shelf" else octaves > 0
    return found.move.type == damage.type or beyond


def advised(found: Deviation) -> Move:
    return replace(found.move, gain_db=advised_gain_db(found))


@dataclass
class Rates:
    """Shares of cases; ``healed`` is of those that were found."""

    found: float
    healed: float
    cases: int


def rates(
    gain_db: float,
    target_of: Callable[[Any], GenreTarget],
    tracks: Sequence[tuple[Any, np.ndarray]],
) -> Rates:
    """Of tracks, each a name that ``target_of`` knows and its mono sound."""
    found, healed = [], []
    for name, sound in tracks:
        target = target_of(name)
        for damage in damages(gain_db):
            hurt = filtered(sound, [damage])
            findings = found_in(hurt, target)
            right = [one for one in findings if is_right(one, damage)]
            found.append(bool(right))
            if right:
                treated = filtered(hurt, [advised(one) for one in findings])
                again = found_in(treated, target)
                healed.append(not any(is_right(one, damage) for one in again))
    return Rates(float(np.mean(found)), float(np.mean(healed)) if healed else 0.0, len(found))


def test_four_decibels_are_found_against_the_version_before():
    """Bars: nine in ten found where they are, four in five healed by the advice."""
    result = rates(4.0, itself, [(number, mono(number)) for number in range(0, 28, 3)])
    assert result.cases == 80
    assert result.found >= 0.9, result
    assert result.healed >= 0.8, result


def test_undamaged_tracks_have_no_finding_against_themselves():
    assert not any(found_in(mono(number), itself(number)) for number in range(0, 28, 3))


DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "gtzan_audio"
needs_corpus = pytest.mark.skipif(
    not DATA.is_dir(), reason="the research data (gtzan_audio) is not here"
)


@cache
def corpus() -> dict[str, np.ndarray]:
    return {path.stem: mono_of_file(path) for path in sorted(DATA.rglob("*.flac"))}


def own_genre(name: str) -> GenreTarget:
    return load_targets().of(name.split(".")[0])


@needs_corpus
@pytest.mark.data
def test_four_in_five_reference_tracks_have_at_most_two_findings():
    counts = [len(found_in(sound, own_genre(name))) for name, sound in corpus().items()]
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
    balanced = [name for name, sound in corpus().items() if not found_in(sound, own_genre(name))]
    assert rates(4.0, own_genre, [(name, corpus()[name]) for name in balanced]).found >= 0.9
