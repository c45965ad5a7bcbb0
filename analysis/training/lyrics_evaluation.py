"""Transcribe and align annotated songs in every way that is to be compared.

A run can be broken off and goes on where it was: what is measured is kept in one JSON file, for
each song and way.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis.neural.lyrics import engines
from analysis.neural.lyrics import sound as sounds
from analysis.neural.lyrics.align import align
from analysis.neural.lyrics.document import Lyrics
from analysis.neural.lyrics.sound import SAMPLE_RATE, Samples
from analysis.neural.lyrics.transcribe import Settings, transcribe
from analysis.training.lyrics_figures import (
    Figures,
    Song,
    TimedWords,
    compare,
    of_lyrics,
    together,
)

# An excerpt begins this long before the first line of five words or more.
_BEFORE_S = 4.0
_LINE_OF_WORDS = 5
ALIGNED = "the words given, only their times looked for"
_SHIPPED = Settings()
_VOICE, _MIX = replace(_SHIPPED, mix_share=0.0), replace(_SHIPPED, mix_share=1.0)
WAYS: dict[str, Settings] = {
    f"voice and {_SHIPPED.mix_share:g} of the rest, gate": _SHIPPED,
    "voice, gate": _VOICE,
    "voice, no gate": replace(_VOICE, gate=None),
    "mix, gate": _MIX,
    "mix, no gate": replace(_MIX, gate=None),
}


@dataclass(frozen=True)
class Excerpt:
    """Part of a song, or all of it: sounds (n,) at 16 kHz and what is sung in it."""

    song: Song
    voice: Samples
    mix: Samples
    truth: TimedWords
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One way's figures over all songs; times are seconds per second of sound."""

    engine: str
    way: str
    figures: Figures
    cpu: float
    wall: float
    songs: int


def excerpt(song: Song, voice_path: Path, seconds: float | None) -> Excerpt:
    """The first ``seconds`` of a song from shortly before its words begin; None for all of it."""
    voice, mix = sounds.load(voice_path), sounds.load(song.path)
    length = min(len(voice), len(mix))
    start_s, end_s = 0.0, length / SAMPLE_RATE
    if seconds is not None:
        long_lines = [line for line in song.lines if len(line.words) >= _LINE_OF_WORDS]
        start_s = max(0.0, (long_lines or song.lines)[0].start_s - _BEFORE_S)
        end_s = min(end_s, start_s + seconds)
    samples = slice(round(start_s * SAMPLE_RATE), round(end_s * SAMPLE_RATE))
    lines = [line.between(start_s, end_s) for line in song.lines]
    inside = [line for line in lines if line.words]
    return Excerpt(
        song,
        voice[:length][samples],
        mix[:length][samples],
        TimedWords(
            tuple(word for line in inside for word in line.words),
            tuple(onset for line in inside for onset in line.onsets_s),
        ),
        tuple(line.text for line in inside),
    )


def evaluate(
    excerpts: Callable[[Song], Excerpt],
    songs: list[Song],
    results: Path,
    *,
    engine_names: tuple[str, ...] = engines.NAMES,
    ways: tuple[str, ...] = (*WAYS, ALIGNED),
) -> Iterator[Row]:
    """A row for each engine and way as soon as all songs are done."""
    known: dict[str, Any] = (
        json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}
    )
    for engine in engine_names:
        engines.load(engine)  # not part of any song's time
        for way in ways:
            for song in songs:
                key = f"{engine} | {way} | {song.name}"
                if key not in known:
                    known[key] = _measured(excerpts(song), engine, way)
                    unfinished = results.with_suffix(".part")
                    unfinished.write_text(json.dumps(known, indent=1), encoding="utf-8")
                    unfinished.replace(results)
            yield _row(engine, way, [known[f"{engine} | {way} | {song.name}"] for song in songs])


def _measured(part: Excerpt, engine: str, way: str) -> dict[str, Any]:
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    found = _listen(part, engine, way)
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    figures = compare(part.truth, of_lyrics(found))
    return {
        "words": figures.words,
        "substitutions": figures.substitutions,
        "deletions": figures.deletions,
        "insertions": figures.insertions,
        "onset_errors_s": [round(error, 3) for error in figures.onset_errors_s],
        "cpu_s": round(cpu_s, 2),
        "wall_s": round(wall_s, 2),
        "duration_s": round(found.duration_s, 2),
    }


def _listen(part: Excerpt, engine: str, way: str) -> Lyrics:
    language = part.song.language or None
    if way == ALIGNED:
        return align(part.voice, part.lines, mix=part.mix, language=language, engine=engine)
    return transcribe(
        part.voice, mix=part.mix, language=language, engine=engine, settings=WAYS[way]
    )


def _row(engine: str, way: str, measured: list[dict[str, Any]]) -> Row:
    figures = together(
        [
            Figures(
                one["words"],
                one["substitutions"],
                one["deletions"],
                one["insertions"],
                tuple(one["onset_errors_s"]),
            )
            for one in measured
        ]
    )
    duration_s = float(np.sum([one["duration_s"] for one in measured]))
    return Row(
        engine,
        way,
        figures,
        float(np.sum([one["cpu_s"] for one in measured])) / duration_s,
        float(np.sum([one["wall_s"] for one in measured])) / duration_s,
        len(measured),
    )
