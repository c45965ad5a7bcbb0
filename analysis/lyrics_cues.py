"""Lines of lyrics as cues of subtitles: short enough to be read, in rows, one at a time if need be.

No Django here. A cue has two rows of 42 columns at most, as the guides of subtitlers have it (BBC,
Netflix); a wide East Asian letter takes two columns.
"""

from __future__ import annotations

import itertools
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from analysis.lyrics_document import TimedLine, TimedWord, separated, spread

ROW_COLUMNS = 42
_ROWS = 2
_LEAST_OVERLAP_MS = 300
_MOST_AT_ONCE = 2

Cue = tuple[int, int, list[str]]
"""Start and end in ms, and the texts that stand there together."""


def columns(text: str) -> int:
    """Width of a text: wide letters count twice, marks that combine with a letter do not count."""
    return sum(
        2 if unicodedata.east_asian_width(char) in "WF" else not unicodedata.combining(char)
        for char in text
    )


def wrapped(text: str) -> list[str]:
    """One row where the text fits, else two of about the same width, broken at a space where there
    is one. A text of more than two rows (see :func:`short_cues`) is broken on."""
    if columns(text) <= ROW_COLUMNS:
        return [text]
    parts, glue = _parts(text)
    n_rows = max(_ROWS, math.ceil(columns(text) / ROW_COLUMNS))
    rows: list[str] = []
    while n_rows > 1 and len(parts) > 1:
        wanted = columns(glue.join(parts)) / n_rows
        cut = min(range(1, len(parts)), key=lambda at: abs(columns(glue.join(parts[:at])) - wanted))
        rows.append(glue.join(parts[:cut]))
        parts, n_rows = parts[cut:], n_rows - 1
    return [*rows, glue.join(parts)]


def _parts(text: str) -> tuple[list[str], str]:
    words = text.split(" ")
    return (words, " ") if len(words) > 1 else (list(text), "")


def short_cues(lines: Sequence[TimedLine]) -> list[TimedLine]:
    """Lines, those of more than two rows cut between words into several of equal length."""
    cues: list[TimedLine] = []
    for line in lines:
        cues += _cut(line) if columns(line.text) > _ROWS * (ROW_COLUMNS - 4) else [line]
    return cues


def _cut(line: TimedLine) -> list[TimedLine]:
    words = separated(line)
    if len(words) < 2:
        words = _evenly(line)
    if len(words) < 2:
        return [line]
    n_cues = math.ceil(columns(line.text) / (_ROWS * (ROW_COLUMNS - 4)))
    share = columns(line.text) / n_cues
    cues: list[TimedLine] = []
    kept: list[tuple[str, TimedWord]] = []
    width = 0
    for gap, word in words:
        wide = columns(gap + word.text)
        if kept and width + wide / 2 > share * (len(cues) + 1):
            cues.append(_cue(kept, line, begins_with=not cues, ends_at_s=word.start_s))
            kept = []
        kept.append((gap, word))
        width += wide
    return [*cues, _cue(kept, line, begins_with=not cues, ends_at_s=line.end_s)]


def _evenly(line: TimedLine) -> list[tuple[str, TimedWord]]:
    """Pieces of a line without words of its own, timed by their lengths."""
    parts, glue = _parts(line.text)
    times = spread([part or " " for part in parts], line.start_s, line.end_s)
    return [(glue if number else "", word) for number, word in enumerate(times)]


def _cue(
    kept: list[tuple[str, TimedWord]], line: TimedLine, *, begins_with: bool, ends_at_s: float
) -> TimedLine:
    text = "".join(gap + word.text for gap, word in kept).strip()
    start_s = line.start_s if begins_with else kept[0][1].start_s
    return replace(
        line,
        start_s=start_s,
        end_s=max(ends_at_s, start_s),
        text=text,
        words=tuple(word for _, word in kept) if line.words else (),
    )


def one_at_a_time(lines: Sequence[TimedLine]) -> list[Cue]:
    """Cues of which never two are there at once, for formats that cannot show that.

    A line that runs a little (300 ms) into the next one ends where that begins; where two lines are
    really sung at once, both stand in one cue for that time.
    """
    spans = [
        (_ms(line.start_s), max(_ms(line.end_s), _ms(line.start_s) + 1), line.text)
        for line in lines
    ]
    spans.sort(key=lambda span: span[0])
    for number, (start, end, text) in enumerate(spans[:-1]):
        next_start = spans[number + 1][0]
        if start < next_start < end <= next_start + _LEAST_OVERLAP_MS:
            spans[number] = (start, next_start, text)
    edges = sorted({edge for start, end, _ in spans for edge in (start, end)})
    cues: list[Cue] = []
    at, sounding = 0, []
    for start, end in itertools.pairwise(edges):
        while at < len(spans) and spans[at][0] <= start:
            sounding.append(spans[at])
            at += 1
        sounding = [span for span in sounding if span[1] > start]
        texts = [text for _, _, text in sounding[-_MOST_AT_ONCE:]]
        if not texts:
            continue
        if cues and cues[-1][1] == start and cues[-1][2] == texts and len(texts) > 1:
            cues[-1] = (cues[-1][0], end, texts)
        else:
            cues.append((start, end, texts))
    return cues


def _ms(seconds: float) -> int:
    return math.floor(max(0.0, seconds) * 1_000 + 0.5)
