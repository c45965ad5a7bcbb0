"""Singing laid end to end in passages of at most 30 s, as the network hears it.

Rests are left out, so that nothing can be invented in them and no time is spent on them; a passage
knows where each of its pieces was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from analysis.neural.lyrics.gate import HOP_S, Region, frame_levels_db
from analysis.neural.lyrics.recogniser import WINDOW_S
from analysis.neural.lyrics.sound import SAMPLE_RATE, Samples

# A passage is closed where the next region does not fit, unless it would be shorter than this.
_LEAST_FILLED_S = 12.0
# A region too long for a passage is cut at the quietest place of its last part.
_CUT_WITHIN_S = 8.0
_FADE = round(0.01 * SAMPLE_RATE)


@dataclass(frozen=True)
class Passage:
    """Pieces of a recording that are heard together, in the order of time."""

    pieces: tuple[Region, ...]

    @property
    def duration_s(self) -> float:
        return sum(piece.duration_s for piece in self.pieces)

    @property
    def start_s(self) -> float:
        return self.pieces[0].start_s

    @property
    def end_s(self) -> float:
        return self.pieces[-1].end_s

    def samples(self, sound: Samples) -> Samples:
        """The pieces one after the other, with fades of 10 ms where they meet."""
        parts = [cut(sound, piece) for piece in self.pieces]
        if len(parts) > 1:
            parts = [_faded(part) for part in parts]
        return np.concatenate(parts)

    def time_s(self, at_s: float, *, is_end: bool = False) -> float:
        """When a moment of the passage was in the recording.

        Where two pieces meet, an end belongs to the first and a beginning to the second.
        """
        for number, piece in enumerate(self.pieces):
            last = number == len(self.pieces) - 1
            if last or at_s < piece.duration_s or (is_end and at_s <= piece.duration_s):
                return piece.start_s + min(max(at_s, 0.0), piece.duration_s)
            at_s -= piece.duration_s
        raise AssertionError("a passage has at least one piece")

    def rest_from(self, at_s: float) -> Passage | None:
        """What follows a moment of the passage; None if nothing does."""
        pieces = []
        for piece in self.pieces:
            start_s = piece.start_s + max(0.0, at_s)
            if start_s < piece.end_s - HOP_S:
                pieces.append(Region(start_s, piece.end_s))
            at_s -= piece.duration_s
        return Passage(tuple(pieces)) if pieces else None


def cut(sound: Samples, region: Region) -> Samples:
    """The samples of a region."""
    start, end = round(region.start_s * SAMPLE_RATE), round(region.end_s * SAMPLE_RATE)
    return sound[start:end]


def pack(regions: Iterable[Region], sound: Samples) -> list[Passage]:
    """Regions in passages of at most 30 s; longer regions are cut where they are quietest."""
    waiting = list(regions)[::-1]
    passages: list[Passage] = []
    pieces: list[Region] = []
    filled_s = 0.0
    while waiting:
        region = waiting.pop()
        if filled_s + region.duration_s <= WINDOW_S:
            pieces.append(region)
            filled_s += region.duration_s
            continue
        if filled_s < _LEAST_FILLED_S:
            at_s = quietest_s(sound, region.start_s + WINDOW_S - filled_s, region.start_s)
            pieces.append(Region(region.start_s, at_s))
            waiting.append(Region(at_s, region.end_s))
        else:
            waiting.append(region)
        passages.append(Passage(tuple(pieces)))
        pieces, filled_s = [], 0.0
    if pieces:
        passages.append(Passage(tuple(pieces)))
    return passages


def halves(passage: Passage, sound: Samples) -> tuple[Passage, Passage]:
    """A passage in two of about the same length, cut in a rest or at a quiet place."""
    middle_s = passage.duration_s / 2
    ends_s = np.cumsum([piece.duration_s for piece in passage.pieces])[:-1]
    near = [number for number, end_s in enumerate(ends_s) if abs(end_s - middle_s) < middle_s / 2]
    if near:
        behind = min(near, key=lambda number: abs(ends_s[number] - middle_s)) + 1
        return Passage(passage.pieces[:behind]), Passage(passage.pieces[behind:])
    at_s = passage.time_s(middle_s)
    number = next(n for n, piece in enumerate(passage.pieces) if piece.end_s > at_s)
    piece = passage.pieces[number]
    latest_s = min(at_s + _CUT_WITHIN_S / 2, piece.end_s)
    cut_s = min(quietest_s(sound, latest_s, piece.start_s), piece.end_s - HOP_S)
    return (
        Passage((*passage.pieces[:number], Region(piece.start_s, cut_s))),
        Passage((Region(cut_s, piece.end_s), *passage.pieces[number + 1 :])),
    )


def quietest_s(sound: Samples, latest_s: float, earliest_s: float) -> float:
    """Middle of the quietest 20 ms within the last 8 s before ``latest_s``."""
    start_s = max(earliest_s + 1.0, latest_s - _CUT_WITHIN_S)
    levels = frame_levels_db(cut(sound, Region(start_s, latest_s)))
    if not len(levels):
        return latest_s
    return start_s + (int(np.argmin(levels)) + 0.5) * HOP_S


def _faded(part: Samples) -> Samples:
    width = min(_FADE, len(part) // 2)
    if width == 0:
        return part
    faded = part.copy()
    ramp = np.linspace(0.0, 1.0, width, dtype=np.float32)
    faded[:width] *= ramp
    faded[-width:] *= ramp[::-1]
    return faded
