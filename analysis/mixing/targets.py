"""Measured tonal balance per genre: corridors to judge a mix against, not lines to hit.

A site that runs a model with genres of its own measures corridors for them (``manage.py
measure_targets``) and lays ``targets.json`` beside the model, into the folder ``MODELS_DIR``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from analysis.mixing.tonal_moves import Reach, TonalModel
from analysis.sound.spectrum import BandLevel

TARGETS_FILE = Path(__file__).with_name("targets.json")
ANY_GENRE = "any"


@dataclass(frozen=True)
class Corridor:
    """Where 80 % of a genre's tracks lie in one band, in dB relative to the whole.

    Levels are aligned: see :func:`alignment_db`.
    """

    name: str
    low_hz: float
    high_hz: float
    p10_db: float
    median_db: float
    p90_db: float

    def outside_db(self, level_db: float) -> float:
        """How far a level lies above (positive) or below (negative) the corridor; 0 inside."""
        if level_db > self.p90_db:
            return level_db - self.p90_db
        return min(0.0, level_db - self.p10_db)


@dataclass(frozen=True)
class Curve:
    """Third-octave spectrum of a genre for drawing, dB relative to the whole.

    Points above ``measured_up_to_hz`` continue the curve with the mean slope of Elowsson &
    Friberg (2017): drawn differently, never judged against.
    """

    frequencies_hz: list[float]
    p10_db: list[float]
    median_db: list[float]
    p90_db: list[float]
    measured_up_to_hz: float


@dataclass(frozen=True)
class VocalRange:
    """Where the voices of 80 % of a genre's sung tracks stand against the rest, in LU; see
    :mod:`analysis.sound.vocal_balance`. ``n_tracks`` are the sung ones; ``genre`` is ``any`` where
    too little is sung in a genre to measure its own."""

    genre: str
    n_tracks: int
    p10_lu: float
    median_lu: float
    p90_lu: float

    def outside_db(self, ratio_lu: float) -> float:
        """How far a voice stands above (positive) or below (negative) the range; 0 inside."""
        return max(0.0, ratio_lu - self.p90_lu) + min(0.0, ratio_lu - self.p10_lu)


@dataclass(frozen=True)
class GenreTarget:
    """Tonal balance to judge a mix against, from ``n_tracks`` tracks: that of a genre, or one of
    an artist's own (``is_own``; see :mod:`analysis.mixing.own_targets`).

    ``moves`` is the corridor of each equaliser move; ``vocals`` that of the voice, None where it
    was not measured.
    """

    genre: str
    n_tracks: int
    bands: list[Corridor]
    curve: Curve
    moves: Reach
    is_own: bool = False
    vocals: VocalRange | None = None

    @property
    def tracks_in_words(self) -> str:
        """``finished rock tracks``, ``finished tracks`` or ``the tracks of “Night”``."""
        if self.is_own:
            return f"the tracks of “{self.genre}”"
        return "finished tracks" if self.genre == ANY_GENRE else f"finished {self.genre} tracks"


@dataclass(frozen=True)
class Targets:
    """All genres, how finished tracks of a genre differ, and where the figures come from."""

    version: str
    provenance: dict[str, Any]
    tonal: TonalModel
    genres: dict[str, GenreTarget]

    def find(self, genre: str) -> GenreTarget | None:
        """The genre's target, whatever its capitals; None if none was measured."""
        if genre in self.genres:
            return self.genres[genre]
        wanted = genre.casefold()
        return next((t for name, t in self.genres.items() if name.casefold() == wanted), None)

    def check(self, genre: str) -> None:
        """Raise ValueError, naming the known ones, if no target of that very name was measured."""
        if genre not in self.genres:
            raise ValueError(f"no target for {genre!r}; known: {', '.join(self.genres)}")

    def of(self, genre: str) -> GenreTarget:
        """The genre's target, or that of all tracks together for an unknown genre."""
        return self.find(genre) or self.genres[ANY_GENRE]

    def model_for(self, target: GenreTarget) -> TonalModel:
        """What finds the moves that explain a deviation from *target*."""
        return self.plain if target.is_own else self.tonal

    @cached_property
    def plain(self) -> TonalModel:
        """The model of own targets: see :meth:`TonalModel.plain`."""
        return TonalModel.plain(self.tonal.frequencies_hz)


def targets_file() -> Path:
    """The targets that serve: those in ``MODELS_DIR``, or the ones that ship with the product."""
    own = Path(os.environ.get("MODELS_DIR") or "") / TARGETS_FILE.name
    return own if os.environ.get("MODELS_DIR") and own.is_file() else TARGETS_FILE


def load_targets(path: Path | None = None) -> Targets:
    """The measured targets that serve, or those of a file.

    Raises ValueError for a file that an earlier version measured.
    """
    return _load(path or targets_file())


@cache
def _load(path: Path) -> Targets:
    document = json.loads(path.read_text(encoding="utf-8"))
    if "tonal" not in document:
        raise ValueError(f"{path} lacks the equaliser moves: run manage.py measure_targets again")
    genres = {}
    voices = {
        name: VocalRange(genre=name, **entry["vocals"])
        for name, entry in document["genres"].items()
        if "vocals" in entry
    }
    for name, entry in document["genres"].items():
        genres[name] = GenreTarget(
            genre=name,
            n_tracks=entry["n_tracks"],
            bands=[Corridor(**band) for band in entry["bands"]],
            curve=Curve(**entry["curve"]),
            moves=Reach(**entry["moves"]),
            vocals=voices.get(name, voices.get(ANY_GENRE)),
        )
    return Targets(
        version=document["version"],
        provenance=document["provenance"],
        tonal=TonalModel(document["tonal"]["frequencies_hz"], document["tonal"]["covariance_db2"]),
        genres=genres,
    )


def alignment_db(levels_db: list[float], medians_db: list[float]) -> float:
    """Offset that lays a track's band levels over a genre's: the median difference.

    Levels relative to the whole depend on each other: three decibels more bass push every other
    band down. The median difference ignores the band that stands out, so that it alone does.
    """
    return float(np.median(np.array(levels_db) - np.array(medians_db)))


def aligned_levels_db(levels: list[BandLevel], corridors: list[Corridor]) -> list[float]:
    """Band levels laid over a genre's corridors.

    Raises
    ------
    ValueError
        If the bands are not those of the corridors.
    """
    if [level.name for level in levels] != [corridor.name for corridor in corridors]:
        raise ValueError("the measured bands are not those of the targets")
    values = [level.level_db for level in levels]
    offset = alignment_db(values, [corridor.median_db for corridor in corridors])
    return [value - offset for value in values]
