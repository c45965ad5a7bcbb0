"""Lyrics as files that other programs take: LRC, enhanced LRC, SubRip, WebVTT and plain text.

No Django here: lines in, text out. Times are rounded once, to the unit of the format, and carried
(59.996 s is ``01:00.00``, never ``00:60.00``). None of the formats but WebVTT can escape its own
signs, so a text that would be read as markup is written with look-alike brackets there.

Sources: WebVTT (W3C, https://www.w3.org/TR/webvtt1/), LRC and its A2 extension
(https://en.wikipedia.org/wiki/LRC_(file_format)), SubRip (https://docs.fileformat.com/video/srt/).
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis.lyrics_cues import one_at_a_time, short_cues, wrapped
from analysis.lyrics_document import TimedLine, separated

PAUSE_S = 4.0
"""A rest this long ends a stanza of the plain text, and a line of the others as soon as it ends."""

_REST_S = 1.0
_LRC_TAG = re.compile(r"([\[<])(\s*\d+:[\d.:]*\s*)([\]>])")
_SRT_TAG = re.compile(r"<(/?[A-Za-z][^<>]*)>")


@dataclass(frozen=True)
class SongNames:
    """What the files say about the song; empty texts are left out."""

    title: str = ""
    artist: str = ""
    album: str = ""
    language: str = ""
    duration_s: float = 0.0


def to_lrc(lines: Sequence[TimedLine], song: SongNames) -> str:
    """One time to a line, in hundredths; an empty line where the singing rests."""
    return _lrc(lines, song, lambda line: _lrc_text(line.text))


def to_enhanced_lrc(lines: Sequence[TimedLine], song: SongNames) -> str:
    """LRC with the time of each word before it (A2), and where the last one ends."""
    return _lrc(lines, song, _enhanced_text)


def to_srt(lines: Sequence[TimedLine], song: SongNames) -> str:
    """SubRip: never two cues at once, two rows of 42 letters at most from one voice."""
    cues = one_at_a_time(short_cues(lines))
    blocks = [
        f"{number}\r\n{_clock(start_ms, ',')} --> {_clock(end_ms, ',')}\r\n"
        + "\r\n".join(_srt_text(row) for text in texts for row in wrapped(text))
        + "\r\n"
        for number, (start_ms, end_ms, texts) in enumerate(cues, 1)
    ]
    return "\r\n".join(blocks)


def to_vtt(lines: Sequence[TimedLine], song: SongNames) -> str:
    """WebVTT with the time of each word inside its cue; lines sung at once overlap."""
    name = " - ".join(part for part in (song.artist, song.title) if part)
    blocks = ["WEBVTT"]
    if name:
        blocks.append(f"NOTE {_vtt_text(name)}")
    for line in short_cues(lines):
        start_ms, end_ms = _ms(line.start_s), _ms(line.end_s)
        end_ms = max(end_ms, start_ms + 1)
        blocks.append(
            f"{_clock(start_ms, '.')} --> {_clock(end_ms, '.')}\n{_vtt_words(line, end_ms)}"
        )
    return "\n\n".join(blocks) + "\n"


def to_txt(lines: Sequence[TimedLine], song: SongNames) -> str:
    """The text alone, an empty line where the singing rests for four seconds."""
    rows: list[str] = []
    reached_s = math.inf
    for line in lines:
        if line.start_s - reached_s >= PAUSE_S:
            rows.append("")
        rows.append(line.text)
        reached_s = line.end_s if math.isinf(reached_s) else max(reached_s, line.end_s)
    return "".join(f"{row}\n" for row in rows)


@dataclass(frozen=True)
class LyricsFormat:
    """One format to save: how it is written, what a server calls it, how its files end."""

    label: str
    about: str
    write: Callable[[Sequence[TimedLine], SongNames], str]
    content_type: str
    ending: str


FORMATS = {
    "lrc": LyricsFormat(
        "LRC", "lines, for music players", to_lrc, "text/plain; charset=utf-8", "(lyrics).lrc"
    ),
    "enhanced-lrc": LyricsFormat(
        "Enhanced LRC",
        "lines and words",
        to_enhanced_lrc,
        "text/plain; charset=utf-8",
        "(lyrics, words).lrc",
    ),
    "srt": LyricsFormat(
        "SRT", "subtitles for video", to_srt, "application/x-subrip; charset=utf-8", "(lyrics).srt"
    ),
    "vtt": LyricsFormat(
        "WebVTT", "subtitles for the web", to_vtt, "text/vtt; charset=utf-8", "(lyrics).vtt"
    ),
    "txt": LyricsFormat(
        "Plain text", "without times", to_txt, "text/plain; charset=utf-8", "(lyrics).txt"
    ),
}


# --- LRC ------------------------------------------------------------------------------------------


def _lrc(lines: Sequence[TimedLine], song: SongNames, text_of: Callable[[TimedLine], str]) -> str:
    tags = [("ar", song.artist), ("ti", song.title), ("al", song.album), ("la", song.language)]
    rows = [f"[{name}:{_lrc_name(value)}]" for name, value in tags if value]
    if song.duration_s > 0:
        minutes, seconds = divmod(math.floor(song.duration_s + 0.5), 60)
        rows.append(f"[length:{minutes:02d}:{seconds:02d}]")
    reached_s = 0.0
    for number, line in enumerate(lines):
        rows.append(f"[{_minutes(line.start_s)}]{text_of(line)}")
        reached_s = max(reached_s, line.end_s)
        is_last = number + 1 == len(lines)
        # Without an end of its own a line would stand until the next one begins.
        if is_last or lines[number + 1].start_s - reached_s >= _REST_S:
            rows.append(f"[{_minutes(reached_s)}]")
    return "".join(f"{row}\n" for row in rows)


def _lrc_name(text: str) -> str:
    return text.replace("[", "(").replace("]", ")")


def _lrc_text(text: str) -> str:
    return _LRC_TAG.sub(r"(\2)", text)


def _enhanced_text(line: TimedLine) -> str:
    words = separated(line)
    if not words:
        return _lrc_text(line.text)
    parts = [f"{gap}<{_minutes(word.start_s)}>{_lrc_text(word.text)}" for gap, word in words]
    return "".join(parts) + f"<{_minutes(words[-1][1].end_s)}>"


def _minutes(seconds: float) -> str:
    """``mm:ss.xx``; minutes go on counting after 99."""
    hundredths = math.floor(max(0.0, seconds) * 100 + 0.5)
    return f"{hundredths // 6_000:02d}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


# --- Subtitles ------------------------------------------------------------------------------------


def _ms(seconds: float) -> int:
    return math.floor(max(0.0, seconds) * 1_000 + 0.5)


def _clock(ms: int, point: str) -> str:
    """``hh:mm:ss.mmm`` with the decimal sign of the format."""
    seconds = ms // 1_000
    return (
        f"{seconds // 3_600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{ms % 1_000:03d}"
    )


def _srt_text(text: str) -> str:
    text = _SRT_TAG.sub("\u2039\\1\u203a", text).replace("-->", "\u2192")
    return text.replace("{\\", "(\\")


def _vtt_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _vtt_words(line: TimedLine, end_ms: int) -> str:
    """The rows of a cue. A word's time may stand before it only if it lies within the cue and after
    the one before it."""
    starts: list[int] = []
    times: dict[int, int] = {}
    at, reached_ms = 0, _ms(line.start_s)
    for gap, word in separated(line):
        at += len(gap)
        begins_ms = _ms(word.start_s)
        if reached_ms < begins_ms < end_ms:
            times[at] = begins_ms
            starts.append(at)
            reached_ms = begins_ms
        at += len(word.text)
    rows, row_at = [], 0
    for row in wrapped(line.text):
        row_at = line.text.index(row, row_at)
        cuts = [0, *(at - row_at for at in starts if row_at <= at < row_at + len(row)), len(row)]
        parts = []
        for first, last in itertools.pairwise(cuts):
            time = times.get(row_at + first)
            mark = f"<{_clock(time, '.')}>" if time is not None else ""
            parts.append(mark + _vtt_text(row[first:last]) if last > first else "")
        rows.append("".join(parts))
        row_at += len(row)
    return "\n".join(rows)
