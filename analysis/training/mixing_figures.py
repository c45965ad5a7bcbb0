"""Known damage to the tone of real music: is it found, where it is, and does the advice heal it?

Bells and shelves are filtered into mono recordings at 22,050 Hz. Two targets: the undamaged track
itself, as an artist has it who compares with the version before, and the genre.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from analysis.mixing.judge import curve_verdict, deviation_db
from analysis.mixing.own_targets import ReferenceTrack, target_of_tracks
from analysis.mixing.targets import GenreTarget, load_targets
from analysis.mixing.tonal import advisable_moves, advised_gain_db
from analysis.mixing.tonal_moves import Deviation
from analysis.sound.balance import third_octaves_db
from analysis.sound.equaliser import Equaliser, Move
from analysis.sound.mel import SAMPLE_RATE, log_mel
from analysis.sound.spectrum import band_levels_from_mel

DAMAGES_DB = (4.0, 6.0, 8.0)
FEW_FINDINGS = 2
_THIRD_OCTAVE = 1 / 3 + 1e-6

Mono = npt.NDArray[np.float32]
Name = TypeVar("Name")


@dataclass(frozen=True)
class Rates:
    """Shares of cases; ``healed`` is of those that were found."""

    found: float
    healed: float
    cases: int


def found_in(sound: Mono, target: GenreTarget) -> list[Deviation]:
    """The tonal moves that are advised for a sound (n_samples,)."""
    targets = load_targets()
    curve = [float(level) for level in third_octaves_db(log_mel(sound))]
    verdict = curve_verdict(curve, target)
    deviation = deviation_db(verdict, targets)
    return advisable_moves(targets.model_for(target), target, verdict, deviation)


def itself(sound: Mono) -> GenreTarget:
    """A target made of one sound alone."""
    picture = log_mel(sound)
    bands = [band.level_db for band in band_levels_from_mel(picture)]
    reference = ReferenceTrack(list(third_octaves_db(picture)), bands)
    return target_of_tracks("itself", [reference], targets=load_targets())


def filtered(sound: Mono, moves: list[Move]) -> Mono:
    """A sound (n_samples,) through an equaliser."""
    return Equaliser(moves, sample_rate=SAMPLE_RATE, channels=1)(sound[None])[0]


def damages(gain_db: float) -> Iterator[Move]:
    """Four bells anywhere from 90 Hz to 7 kHz, and four shelves, always the same."""
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
        return abs(octaves) <= _THIRD_OCTAVE
    beyond = octaves < 0 if damage.type == "low_shelf" else octaves > 0
    return found.move.type == damage.type or beyond


def advised(found: Deviation) -> Move:
    """The move that is advised against a deviation."""
    return replace(found.move, gain_db=advised_gain_db(found))


def rates(
    gain_db: float,
    target_of: Callable[[Name], GenreTarget],
    tracks: Iterable[tuple[Name, Mono]],
) -> Rates:
    """How often damage of ``gain_db`` is found and healed in tracks, each a name that
    ``target_of`` knows and its sound."""
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


def genre_of(name: str) -> GenreTarget:
    """Target of a recording named like ``rock.00012``."""
    return load_targets().of(name.split(".")[0])


def figures_against_themselves(tracks: Mapping[str, Mono]) -> dict[str, Any]:
    """Damage of 4 dB against the undamaged version of each track."""
    found = rates(DAMAGES_DB[0], lambda name: itself(tracks[name]), tracks.items())
    return {"version before, 4 dB": asdict(found)}


def figures_against_genres(recordings: Mapping[str, Mono]) -> dict[str, Any]:
    """Findings on recordings as they are, and damage to those without any, against their genre."""
    counts = {name: len(found_in(sound, genre_of(name))) for name, sound in recordings.items()}
    calm = [(name, recordings[name]) for name, count in counts.items() if not count]
    few = float(np.mean([count <= FEW_FINDINGS for count in counts.values()]))
    figures: dict[str, Any] = {
        "own genre, undamaged": {"recordings": len(counts), "at most two findings": few}
    }
    for size_db in DAMAGES_DB:
        figures[f"own genre, {size_db:g} dB"] = asdict(rates(size_db, genre_of, calm))
    return figures
