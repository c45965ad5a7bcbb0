"""What was heard or written: words with their times, in lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Word:
    """A word, its beginning and end in seconds, and how sure the model is of it (0 to 1)."""

    start_s: float
    end_s: float
    text: str
    confidence: float


@dataclass(frozen=True)
class Line:
    """Words that are sung in one breath; never none. ``separator`` stands between them."""

    words: tuple[Word, ...]
    separator: str = " "

    @property
    def start_s(self) -> float:
        return self.words[0].start_s

    @property
    def end_s(self) -> float:
        return self.words[-1].end_s

    @property
    def text(self) -> str:
        return self.separator.join(word.text for word in self.words)


@dataclass(frozen=True)
class Lyrics:
    """The words of a recording of ``duration_s``.

    ``singing`` says whether anybody sings; without singing there are no lines. ``language`` is an
    ISO 639-1 code ("" without singing), and comes from the ``artist`` or was ``detected``, with
    ``language_confidence`` from 0 to 1 (1 if the artist gave it).
    """

    engine: str
    model: str
    language: str
    language_source: str
    language_confidence: float
    singing: bool
    lines: tuple[Line, ...]
    duration_s: float
    # Where there is voice, in seconds; for pictures and figures, not part of the document.
    voiced: tuple[tuple[float, float], ...] = field(default=(), compare=False)

    @property
    def text(self) -> str:
        """One line of words on each line."""
        return "\n".join(line.text for line in self.lines)

    def to_document(self) -> dict[str, Any]:
        """As JSON: times rounded to milliseconds, keys always in the same order."""
        return {
            "engine": self.engine,
            "model": self.model,
            "language": self.language,
            "language_source": self.language_source,
            "language_confidence": round(self.language_confidence, 3),
            "singing": self.singing,
            "lines": [_line_document(line) for line in self.lines],
            "duration_s": round(self.duration_s, 3),
        }


def _line_document(line: Line) -> dict[str, Any]:
    return {
        "start_s": round(line.start_s, 3),
        "end_s": round(line.end_s, 3),
        "text": line.text,
        "words": [
            {
                "start_s": round(word.start_s, 3),
                "end_s": round(word.end_s, 3),
                "text": word.text,
                "confidence": round(word.confidence, 3),
            }
            for word in line.words
        ],
    }
