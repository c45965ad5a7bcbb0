"""How well words and their times are found, on songs whose words are known.

Word error rate is the least number of words to be put in, left out or exchanged, over the number of
words that are sung (jiwer). Onset errors are those of the words that were recognised, against the
annotated beginning of the word that they stand for.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.neural.lyrics.document import Lyrics

_APOSTROPHES_AND_HYPHENS = re.compile(r"['’‘`´\-‐-―]")
LANGUAGES = {
    "Confession": "fr",
    "Fantasma": "es",
    "Le_royaume": "fr",
    "Séculaire": "fr",
    "Veränderung": "de",
    "te_amo": "es",
}


@dataclass(frozen=True)
class TimedWords:
    """Normalised words and when each begins, in seconds; NaN for the later parts of a word."""

    words: tuple[str, ...]
    onsets_s: tuple[float, ...]


@dataclass(frozen=True)
class SungLine:
    """A line as annotated: its text, its normalised words and their onsets in seconds."""

    text: str
    start_s: float
    words: tuple[str, ...]
    onsets_s: tuple[float, ...]

    def between(self, start_s: float, end_s: float) -> SungLine:
        """The words that begin in a stretch of time, which becomes the clock's beginning."""
        kept: list[tuple[str, float]] = []
        inside = False
        for word, onset_s in zip(self.words, self.onsets_s, strict=True):
            if np.isfinite(onset_s):
                inside = start_s <= onset_s < end_s
            if inside:
                kept.append((word, onset_s - start_s))
        whole = len(kept) == len(self.words)
        return SungLine(
            self.text if whole else " ".join(word for word, _ in kept),
            self.start_s - start_s,
            tuple(word for word, _ in kept),
            tuple(onset_s for _, onset_s in kept),
        )


@dataclass(frozen=True)
class Song:
    """An annotated song: its files' common name, its language, its sound and its words."""

    name: str
    language: str
    path: Path
    lines: tuple[SungLine, ...]

    @property
    def truth(self) -> TimedWords:
        return TimedWords(
            tuple(word for line in self.lines for word in line.words),
            tuple(onset_s for line in self.lines for onset_s in line.onsets_s),
        )


@dataclass(frozen=True)
class Figures:
    """Errors of one song, or of several together.

    ``onset_errors_s`` are signed (late is positive), one for each recognised word.
    """

    words: int
    substitutions: int
    deletions: int
    insertions: int
    onset_errors_s: tuple[float, ...]

    @property
    def word_error_rate(self) -> float:
        return (self.substitutions + self.deletions + self.insertions) / max(self.words, 1)

    @property
    def median_onset_error_s(self) -> float:
        if not self.onset_errors_s:
            return float("nan")
        return float(np.median(np.abs(self.onset_errors_s)))

    def share_within(self, limit_s: float) -> float:
        """Share of the recognised words whose beginning is that near."""
        if not self.onset_errors_s:
            return float("nan")
        return float(np.mean(np.abs(self.onset_errors_s) <= limit_s))


def normalised(text: str) -> list[str]:
    """Words without what no singer can be heard to sing: case, marks and typography.

    NFKC, small letters; apostrophes and hyphens part words (``l'eau`` is ``l eau`` on both sides);
    everything that is neither letter nor digit goes. Accents stay, numbers stay as written.
    """
    spaced = _APOSTROPHES_AND_HYPHENS.sub(" ", unicodedata.normalize("NFKC", text).casefold())
    words = ("".join(char for char in word if char.isalnum()) for word in spaced.split())
    return [word for word in words if word]


def timed_words(words: Sequence[tuple[str, float]]) -> TimedWords:
    """Normalised words of (text, onset in seconds) pairs."""
    texts: list[str] = []
    onsets: list[float] = []
    for text, onset_s in words:
        parts = normalised(text)
        texts += parts
        onsets += [onset_s, *[float("nan")] * (len(parts) - 1)][: len(parts)]
    return TimedWords(tuple(texts), tuple(onsets))


def songs(folder: Path) -> list[Song]:
    """The songs of a folder in JamendoLyrics' form: NAME.mp3, NAME.words.csv, NAME.lyrics.txt.

    Raises
    ------
    ValueError
        If there is none.
    """
    found = []
    for path in sorted(folder.glob("*.mp3")):
        code = next(
            (code for start, code in LANGUAGES.items() if _same_start(path.stem, start)), ""
        )
        found.append(Song(path.stem, code, path, _sung_lines(path)))
    if not found:
        raise ValueError(f"no annotated songs in {folder}")
    return found


def _sung_lines(path: Path) -> tuple[SungLine, ...]:
    """The annotated lines beside a song's sound; words without a line are lines of their own."""
    texts = path.with_suffix(".lyrics.txt").read_text(encoding="utf-8").split()
    with path.with_suffix(".words.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if len(texts) != len(rows):
        raise ValueError(f"{path.stem}: {len(texts)} words and {len(rows)} times")
    lines: list[SungLine] = []
    words: list[tuple[str, float]] = []
    for number, (text, row) in enumerate(zip(texts, rows, strict=True)):
        words.append((text, float(row["word_start"])))
        if row["line_end"] not in ("", "nan") or number == len(rows) - 1:
            timed = timed_words(words)
            written = " ".join(word for word, _ in words)
            lines.append(SungLine(written, words[0][1], timed.words, timed.onsets_s))
            words = []
    return tuple(lines)


def compare(truth: TimedWords, found: TimedWords) -> Figures:
    """Errors of found words against those that are sung."""
    import jiwer

    if not found.words:
        return Figures(len(truth.words), 0, len(truth.words), 0, ())
    output = jiwer.process_words(" ".join(truth.words), " ".join(found.words))
    errors = []
    for chunk in output.alignments[0]:
        if chunk.type != "equal":
            continue
        for offset in range(chunk.ref_end_idx - chunk.ref_start_idx):
            error_s = (
                found.onsets_s[chunk.hyp_start_idx + offset]
                - truth.onsets_s[chunk.ref_start_idx + offset]
            )
            if np.isfinite(error_s):
                errors.append(float(error_s))
    return Figures(
        len(truth.words), output.substitutions, output.deletions, output.insertions, tuple(errors)
    )


def of_lyrics(lyrics: Lyrics) -> TimedWords:
    """The words of a transcription."""
    return timed_words([(word.text, word.start_s) for line in lyrics.lines for word in line.words])


def together(figures: Sequence[Figures]) -> Figures:
    """Several songs as one."""
    return Figures(
        sum(one.words for one in figures),
        sum(one.substitutions for one in figures),
        sum(one.deletions for one in figures),
        sum(one.insertions for one in figures),
        tuple(error for one in figures for error in one.onset_errors_s),
    )


def _same_start(name: str, start: str) -> bool:
    return unicodedata.normalize("NFC", name).startswith(unicodedata.normalize("NFC", start))
