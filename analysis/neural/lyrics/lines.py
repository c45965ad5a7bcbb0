"""Words put into lines as they are sung: a line for every phrase, cut where the singer rests."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.neural.lyrics.document import Line, Word
from analysis.neural.lyrics.recogniser import TimedText

LONGEST_PAUSE_S = 1.0
LONGEST_LINE = 60  # characters
_CLAUSE_ENDS = (",", ".", ";", ":", "!", "?", "…", "،", "。", "、", "？", "！")
# Languages that are written without spaces between words.
_JOINED = ("zh", "ja", "th", "lo", "my", "yue")


def is_spaced(language: str) -> bool:
    """Whether a language is written with spaces between its words."""
    return language not in _JOINED


def as_line(words: Sequence[TimedText], language: str) -> Line:
    """One line of the words, which must not be none."""
    written = tuple(
        Word(word.start_s, word.end_s, word.text.strip(), word.confidence) for word in words
    )
    return Line(written, separator=" " if is_spaced(language) else "")


def as_lines(words: Sequence[TimedText], language: str) -> list[Line]:
    """The words of a phrase in one or more lines."""
    return [as_line(part, language) for part in _cut_at_pauses(words)]


def _cut_at_pauses(words: Sequence[TimedText]) -> list[Sequence[TimedText]]:
    parts: list[Sequence[TimedText]] = []
    start = 0
    for number in range(1, len(words)):
        if words[number].start_s - words[number - 1].end_s >= LONGEST_PAUSE_S:
            parts += _cut_if_long(words[start:number])
            start = number
    return parts + _cut_if_long(words[start:]) if words else []


def _cut_if_long(words: Sequence[TimedText]) -> list[Sequence[TimedText]]:
    """Long lines in two, at a clause's end or a pause near the middle."""
    length = sum(len(word.text) for word in words)
    if length <= LONGEST_LINE or len(words) < 4:
        return [words]

    def cost(number: int) -> float:
        before = sum(len(word.text) for word in words[:number])
        pause_s = words[number].start_s - words[number - 1].end_s
        ends_clause = words[number - 1].text.rstrip().endswith(_CLAUSE_ENDS)
        return abs(before / length - 0.5) - min(pause_s, 0.5) - (0.3 if ends_clause else 0.0)

    best = min(range(2, len(words) - 1), key=cost)
    return _cut_if_long(words[:best]) + _cut_if_long(words[best:])
