"""Reading lyrics that an artist already has: plain text, LRC (with word times), SubRip, WebVTT.

No Django here. What the text is, is seen in the text and not in a file's name. Where it carries
times they are read, so that an artist's own timing can be kept as it is.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from analysis.lyrics_document import (
    MOST_LINE_CHARS,
    MOST_LINES,
    MOST_TEXT_BYTES,
    LyricsError,
    LyricsRefused,
    TimedLine,
    TimedWord,
    clean_text,
)

LONGEST_OPEN_LINE_S = 8.0
"""How long a line of LRC lasts when nothing says where it ends."""

_LRC_TIME = re.compile(r"\[(\d{1,3}):(\d{1,2})(?:[.:](\d{1,3}))?\]")
_LRC_LINE = re.compile(rf"^(?:{_LRC_TIME.pattern}\s*)+")
_LRC_OFFSET = re.compile(r"^\[offset:\s*([+-]?\d{1,7})\s*\]", re.IGNORECASE)
_WORD_TIME = re.compile(r"<(?:(\d{1,3}):)?(\d{1,3}):(\d{1,2})[.:](\d{1,3})>")
_CUE = re.compile(
    r"^\s*(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})\s*-->"
    r"\s*(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
)
_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|\{\\[^{}]*\}")
_HEADING = re.compile(r"^\[[^\[\]]*\]$")


@dataclass(frozen=True)
class ReadLyrics:
    """What was read: ``lines`` of text in their order, and ``timed`` lines where the text has
    times. ``headings`` is how many lines like ``[Chorus]`` were left out: nobody sings them."""

    kind: str
    lines: tuple[str, ...]
    timed: tuple[TimedLine, ...] = ()
    headings: int = 0


def decode_text(content: bytes) -> str:
    """The text of a file: UTF-8, UTF-16 with its mark, else the Western encoding of Windows.

    Raises LyricsRefused for files that are too long or no text.
    """
    if len(content) > 2 * MOST_TEXT_BYTES:
        raise _refused(f"This is longer than {MOST_TEXT_BYTES // 1024} KB. Is it the right file?")
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise _refused("This file is no text. Save your lyrics as plain text, LRC, SRT or WebVTT.")


def read_lyrics(text: str) -> ReadLyrics:
    """Read lyrics of any of the formats. Raises LyricsRefused."""
    if len(text.encode(errors="replace")) > MOST_TEXT_BYTES:
        raise _refused(f"The text is longer than {MOST_TEXT_BYTES // 1024} KB.")
    rows = text.removeprefix("\ufeff").splitlines()
    timed_rows = sum(bool(_LRC_LINE.match(row.strip())) for row in rows)
    if any(_CUE.match(row) for row in rows):
        is_vtt = bool(rows) and rows[0].startswith("WEBVTT")
        return _of_timed("WebVTT" if is_vtt else "SRT", _read_cues(rows, unescape=is_vtt))
    if timed_rows and 2 * timed_rows >= sum(bool(row.strip()) for row in rows) - 8:
        return _of_timed("LRC", _read_lrc(rows))
    kept, headings = [], 0
    for row in rows:
        line = clean_text(row)
        if _HEADING.match(line):
            headings += 1
        elif line:
            kept.append(line)
    return ReadLyrics("text", _judged(kept), headings=headings)


def _of_timed(kind: str, timed: list[TimedLine]) -> ReadLyrics:
    timed.sort(key=lambda line: line.start_s)
    return ReadLyrics(kind, _judged([line.text for line in timed]), tuple(timed))


def _judged(lines: list[str]) -> tuple[str, ...]:
    if not lines:
        raise _refused("There are no words in it.")
    if len(lines) > MOST_LINES:
        raise _refused(f"These are more than {MOST_LINES:,} lines.")
    for number, line in enumerate(lines, 1):
        if len(line) > MOST_LINE_CHARS:
            raise LyricsRefused(
                [LyricsError(f"It is longer than {MOST_LINE_CHARS} characters. Split it.", number)]
            )
    return tuple(lines)


def _refused(message: str) -> LyricsRefused:
    return LyricsRefused([LyricsError(message)])


# --- LRC ------------------------------------------------------------------------------------------


def _read_lrc(rows: list[str]) -> list[TimedLine]:
    """A line ends where the next time stands, an empty one included, at the latest after its last
    word or eight seconds. A line with several times is sung several times."""
    offset_s = 0.0
    begun: list[tuple[float, str]] = []
    for row in rows:
        offset = _LRC_OFFSET.match(row.strip())
        if offset:
            offset_s = int(offset[1]) / 1_000
            continue
        tags = _LRC_LINE.match(row.strip())
        if tags:
            text = row.strip()[tags.end() :]
            begun += [(_seconds(None, *time), text) for time in _LRC_TIME.findall(tags[0])]
    # A positive offset makes the words appear sooner.
    begun.sort(key=lambda pair: pair[0])
    lines = []
    for number, (start_s, text) in enumerate(begun):
        following = (at for at, _ in begun[number + 1 :] if at > start_s)
        until_s = min(next(following, start_s + LONGEST_OPEN_LINE_S), start_s + LONGEST_OPEN_LINE_S)
        line = _line_with_words(text, start_s, until_s)
        if line is not None:
            lines.append(_moved(line, -offset_s))
    return lines


def _line_with_words(text: str, start_s: float, end_s: float) -> TimedLine | None:
    """A line out of a text with times before its words (``<mm:ss.xx>``), None without a word."""
    marks = list(_WORD_TIME.finditer(text))
    plain = clean_text(_WORD_TIME.sub("", text))
    if not plain:
        return None
    pieces: list[tuple[float, str]] = []
    if marks and (before := clean_text(text[: marks[0].start()])):
        pieces.append((start_s, before))
    for number, mark in enumerate(marks):
        upto = marks[number + 1].start() if number + 1 < len(marks) else len(text)
        pieces.append((_seconds(*mark.groups()), clean_text(text[mark.end() : upto])))
    words: list[TimedWord] = []
    for number, (begins, word) in enumerate(pieces):
        ends = pieces[number + 1][0] if number + 1 < len(pieces) else max(begins, end_s)
        if word:
            words.append(TimedWord(begins, max(begins, ends), word))
    last_s = pieces[-1][0] if pieces and not pieces[-1][1] else None
    if last_s is not None and start_s < last_s < end_s:
        end_s = last_s
    ordered = all(one.end_s <= two.start_s for one, two in itertools.pairwise(words))
    within = words and words[0].start_s >= start_s and words[-1].end_s <= end_s
    return TimedLine(start_s, end_s, plain, tuple(words) if ordered and within else ())


def _moved(line: TimedLine, by_s: float) -> TimedLine:
    if not by_s:
        return line

    def at(seconds: float) -> float:
        return round(max(0.0, seconds + by_s), 3)

    words = tuple(
        TimedWord(at(word.start_s), at(word.end_s), word.text, word.confidence)
        for word in line.words
    )
    return TimedLine(at(line.start_s), at(line.end_s), line.text, words)


# --- SubRip and WebVTT ----------------------------------------------------------------------------


def _read_cues(rows: list[str], *, unescape: bool) -> list[TimedLine]:
    """Cues, the rows of each joined; notes, styles and cues without words are left out."""
    lines = []
    for times, texts in _cue_blocks(rows):
        text = _MARKUP.sub("", " ".join(texts))
        start_s, end_s = _seconds(*times[:4]), _seconds(*times[4:])
        line = _line_with_words(html.unescape(text) if unescape else text, start_s, end_s)
        if line is not None and end_s > start_s:
            lines.append(line)
    return lines


def _cue_blocks(rows: list[str]) -> Iterator[tuple[tuple[str | None, ...], list[str]]]:
    times: tuple[str | None, ...] | None = None
    texts: list[str] = []
    for row in [*rows, ""]:
        cue = _CUE.match(row)
        if cue and times is not None:
            # No empty row before this cue: the number of it is no text.
            if texts and texts[-1].strip().isdigit():
                texts.pop()
            yield times, texts
        if cue:
            times, texts = cue.groups(), []
        elif not row.strip():
            if times is not None:
                yield times, texts
            times = None
        elif times is not None:
            texts.append(row)


def _seconds(
    hours: str | None, minutes: str | None, seconds: str | None, part: str | None
) -> float:
    """The fraction has one to three digits: ``.5``, ``.50`` and ``.500`` are the same."""
    fraction = int(part) / 10 ** len(part) if part else 0.0
    whole = int(hours or 0) * 3_600 + int(minutes or 0) * 60 + int(seconds or 0)
    return round(whole + fraction, 3)
