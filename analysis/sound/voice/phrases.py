"""Where somebody sings: clips of 3 to 5 s, chosen by energy and voicing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from analysis.sound.voice.pitch import HOP_S, PitchTrack

SHORTEST_S = 3.0
LONGEST_S = 5.0
# A recording that holds less than three seconds of voice in a piece is heard in shorter clips.
LEAST_S = 1.0

_PAUSE_S = 0.35
_QUIET_DB = 30.0  # beneath the voice's loud level
_LOUD_QUANTILE = 0.95
_LEAST_VOICED = 0.25


@dataclass(frozen=True)
class Phrase:
    """A stretch in which somebody sings. ``voiced_share`` is that of its frames with a pitch,
    ``level_db`` its level relative to the loud parts of the recording (RMS)."""

    start_s: float
    end_s: float
    voiced_share: float
    level_db: float


def loud_level(pitch: PitchTrack) -> float:
    """Level that the voiced frames seldom exceed; 0 where nothing is voiced."""
    levels = pitch.rms[pitch.voiced]
    return float(np.quantile(levels, _LOUD_QUANTILE)) if levels.size else 0.0


def find(pitch: PitchTrack) -> list[Phrase]:
    """Clips of 3 to 5 s in the order of time; shorter ones where there is nothing longer."""
    loud = loud_level(pitch)
    if loud <= 0.0:
        return []
    sounding = pitch.rms > loud * 10.0 ** (-_QUIET_DB / 20.0)
    stretches = _bridged(sounding)
    found = [
        phrase
        for first, last in stretches
        for start, end in _pieces(first, last)
        if (phrase := _phrase(pitch, start, end, loud)).voiced_share >= _LEAST_VOICED
    ]
    long = [phrase for phrase in found if phrase.end_s - phrase.start_s >= SHORTEST_S - 1e-6]
    return long or found


def _bridged(sounding: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches of frames that sound, joined over short pauses and grown to a clip's length."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], sounding, [False]]).astype(np.int8)))
    joined: list[list[int]] = []
    for first, last in edges.reshape(-1, 2).tolist():
        short = joined and joined[-1][1] - joined[-1][0] < SHORTEST_S / HOP_S
        pause = (first - joined[-1][1]) * HOP_S if joined else np.inf
        if pause <= _PAUSE_S or (short and pause <= 3 * _PAUSE_S):
            joined[-1][1] = last
        else:
            joined.append([first, last])
    return [(first, last) for first, last in joined if (last - first) * HOP_S >= LEAST_S]


def _pieces(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Equal pieces of at most five seconds."""
    count = -(-(last - first) // round(LONGEST_S / HOP_S))
    edges = np.linspace(first, last, count + 1).round().astype(int).tolist()
    yield from pairwise(edges)


def _phrase(pitch: PitchTrack, first: int, last: int, loud: float) -> Phrase:
    level = float(np.sqrt(np.mean(pitch.rms[first:last] ** 2)))
    return Phrase(
        start_s=round(first * HOP_S, 3),
        end_s=round(last * HOP_S, 3),
        voiced_share=float(pitch.voiced[first:last].mean()),
        level_db=float(20.0 * np.log10(max(level, 1e-12) / loud)),
    )
