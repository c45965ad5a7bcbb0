"""Lines of lyrics with their times, and the judging of what somebody wants to keep as such.

No Django here. A lyrics document is JSON: ``{"language", "duration_s", "lines": [{"start_s",
"end_s", "text", "words": [{"start_s", "end_s", "text", "confidence"}]}], ...}``, times in seconds
from the beginning of the file. The words of a line, put together without spaces, are its text
without spaces: so languages that do not write spaces keep their words too.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any

MOST_TEXT_BYTES = 64 * 1024
"""Of all text of one song, as UTF-8."""

MOST_ALIGNED_CHARACTERS = 20_000
"""Of a text that is timed to the voice (:mod:`analysis.neural.lyrics.align`)."""

MOST_LINES = 2_000
MOST_LINE_CHARS = 500
_MOST_WORDS = 250
_MOST_ERRORS = 20
_TOLERANCE_S = 1.0
_SHORTEST_S = 0.05


@dataclass(frozen=True)
class TimedWord:
    """One word; ``confidence`` is 0..1, None where nobody judged it (an artist wrote it)."""

    start_s: float
    end_s: float
    text: str
    confidence: float | None = None


@dataclass(frozen=True)
class TimedLine:
    """One line; without ``words`` only its own times are known."""

    start_s: float
    end_s: float
    text: str
    words: tuple[TimedWord, ...] = ()


@dataclass(frozen=True)
class LyricsError:
    """What is wrong, for people; ``line`` counts from 1, None where it is no single line."""

    message: str
    line: int | None = None


class LyricsRefused(Exception):
    """Lyrics that cannot be kept, with every reason that was found (twenty at most)."""

    def __init__(self, errors: Sequence[LyricsError]) -> None:
        super().__init__(" ".join(error.message for error in errors))
        self.errors = list(errors)


def lines_of(document: dict[str, Any]) -> list[TimedLine]:
    """The lines of a document that was made or judged here, in the order of their beginnings."""
    lines = [
        TimedLine(
            start_s=float(line["start_s"]),
            end_s=float(line["end_s"]),
            text=str(line["text"]).strip(),
            words=tuple(
                TimedWord(
                    start_s=float(word["start_s"]),
                    end_s=float(word["end_s"]),
                    text=str(word["text"]).strip(),
                    confidence=word.get("confidence"),
                )
                for word in line.get("words") or ()
            ),
        )
        for line in document.get("lines", ())
    ]
    return sorted(lines, key=lambda line: line.start_s)


def to_json(lines: Iterable[TimedLine]) -> list[dict[str, Any]]:
    """Lines as they stand in a document."""
    return [{**asdict(line), "words": [asdict(word) for word in line.words]} for line in lines]


def clean_text(text: str) -> str:
    """Text on one line: composed (NFC), without control characters, single spaces."""
    composed = unicodedata.normalize("NFC", text)
    kept = (
        " " if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} else char for char in composed
    )
    return " ".join("".join(kept).split())


def spaceless(text: str) -> str:
    """A text without any white space: what a line and its words must have in common."""
    return "".join(text.split())


# --- Judging --------------------------------------------------------------------------------------


def judge_lines(posted: object, *, duration_s: float) -> list[TimedLine]:
    """Lines that somebody sent, as they may be kept: cleaned, in order, words within their lines.

    Words that do not make up the text of their line are timed anew (:func:`words_for`).
    Raises LyricsRefused.
    """
    if not isinstance(posted, list):
        raise LyricsRefused([LyricsError("The lyrics did not arrive as a list of lines.")])
    if len(posted) > MOST_LINES:
        raise LyricsRefused([LyricsError(f"These are more than {MOST_LINES:,} lines.")])
    lines: list[TimedLine] = []
    errors: list[LyricsError] = []
    for number, line in enumerate(posted, 1):
        try:
            lines.append(_judge_line(line, duration_s))
        except ValueError as error:
            errors.append(LyricsError(str(error), number))
            if len(errors) >= _MOST_ERRORS:
                break
    if sum(len(line.text.encode()) for line in lines) > MOST_TEXT_BYTES:
        errors.append(LyricsError(f"The text is longer than {MOST_TEXT_BYTES // 1024} KB."))
    if errors:
        raise LyricsRefused(errors)
    return sorted(lines, key=lambda line: line.start_s)


def _judge_line(line: object, duration_s: float) -> TimedLine:
    if not isinstance(line, dict) or not isinstance(line.get("text"), str):
        raise ValueError("It did not arrive whole.")
    text = clean_text(line["text"])
    if not text:
        raise ValueError("It has no text. Write some, or delete it.")
    if len(text) > MOST_LINE_CHARS:
        raise ValueError(f"It is longer than {MOST_LINE_CHARS} characters. Split it.")
    start_s, end_s = _seconds(line.get("start_s")), _seconds(line.get("end_s"))
    if start_s is None or end_s is None:
        raise ValueError("Its times are not numbers.")
    if start_s < 0.0 or end_s > duration_s + _TOLERANCE_S:
        raise ValueError("Its times lie outside the song.")
    if end_s < start_s:
        raise ValueError("It ends before it begins.")
    end_s = max(end_s, start_s + _SHORTEST_S)
    words = _judge_words(line.get("words"), start_s, end_s)
    if words and spaceless("".join(word.text for word in words)) != spaceless(text):
        words = words_for(text, start_s, end_s, words)
    return TimedLine(start_s, end_s, text, words)


def _judge_words(posted: object, start_s: float, end_s: float) -> tuple[TimedWord, ...]:
    """Words within a line, one after the other; a word that is none is left out."""
    if not isinstance(posted, list):
        return ()
    words: list[TimedWord] = []
    reached_s = start_s
    for word in posted[:_MOST_WORDS]:
        if not isinstance(word, dict) or not isinstance(word.get("text"), str):
            continue
        text = clean_text(word["text"])
        begins, ends = _seconds(word.get("start_s")), _seconds(word.get("end_s"))
        if not text or begins is None or ends is None:
            continue
        reached_s = min(max(begins, reached_s), end_s)
        sure = _seconds(word.get("confidence"))
        confidence = sure if sure is not None and 0.0 <= sure <= 1.0 else None
        words.append(TimedWord(reached_s, min(max(ends, reached_s), end_s), text, confidence))
    return tuple(words)


def _seconds(value: object) -> float | None:
    """A finite number in thousandths, None for everything else (also for true and false)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return round(number, 3) if math.isfinite(number) else None


# --- Words ----------------------------------------------------------------------------------------


def words_for(
    text: str, start_s: float, end_s: float, known: Sequence[TimedWord] = ()
) -> tuple[TimedWord, ...]:
    """Times for the words of a changed text: words that were there before keep theirs; the others
    share the time between them by their lengths, and nobody has judged them."""
    tokens = text.split()
    matcher = SequenceMatcher(
        None, [_bare(word.text) for word in known], [_bare(token) for token in tokens], False
    )
    words: list[TimedWord] = []
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal":
            words += [
                TimedWord(word.start_s, word.end_s, token, word.confidence)
                for word, token in zip(known[i1:i2], tokens[j1:j2], strict=True)
            ]
        elif j2 > j1:
            from_s = words[-1].end_s if words else start_s
            until_s = known[i2].start_s if i2 < len(known) else end_s
            words += spread(tokens[j1:j2], from_s, max(from_s, until_s))
    return tuple(words)


def spread(tokens: Sequence[str], start_s: float, end_s: float) -> list[TimedWord]:
    """Words one after the other from ``start_s`` to ``end_s``, each as long as it has letters."""
    total = sum(len(token) for token in tokens)
    words, sung = [], 0
    for token in tokens:
        begins = start_s + (end_s - start_s) * sung / total
        sung += len(token)
        ends = start_s + (end_s - start_s) * sung / total
        words.append(TimedWord(round(begins, 3), round(ends, 3), token))
    return words


def _bare(word: str) -> str:
    """A word without case and punctuation, so that a comma more is no other word."""
    return "".join(char for char in word.casefold() if char.isalnum()) or word


def separated(line: TimedLine) -> list[tuple[str, TimedWord]]:
    """The words of a line, each with what stands before it in the text (a space, or nothing).

    Empty where the words do not make up the text.
    """
    found, at = [], 0
    for word in line.words:
        here = line.text.find(word.text, at) if word.text else -1
        if here < 0 or line.text[at:here].strip():
            return []
        found.append((line.text[at:here], word))
        at = here + len(word.text)
    return found if not line.text[at:].strip() else []
