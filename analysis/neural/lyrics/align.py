"""The artist's own words laid over the voice: forced alignment.

The voice is transcribed first. Where heard and written words agree, the time of the written ones is
known; the others lie in between, as far apart as their letters say. So each passage of the singing
gets its words, and within it the network is made to say just these, while its attention shows when
each of them is sung.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.neural.lyrics import engines, lines, matching, word_times
from analysis.neural.lyrics.document import Lyrics
from analysis.neural.lyrics.gate import Singing
from analysis.neural.lyrics.passages import Passage
from analysis.neural.lyrics.recogniser import TimedText
from analysis.neural.lyrics.sound import Source
from analysis.neural.lyrics.transcribe import (
    Prepared,
    Progress,
    Settings,
    find_language,
    heard_phrases,
    prepare,
    stop_if,
)

MOST_CHARACTERS = 20_000
# Of the decoder's 448 tokens some are taken by marks.
_MOST_TOKENS = 440
# A passage's end is moved to a line's end that is at most this many words away.
_SNAP_WORDS = 3


@dataclass(frozen=True)
class WrittenWord:
    """A word of the artist's text and the line it stands in."""

    text: str
    line: int


def align(
    vocals: Source,
    text: str | Sequence[str],
    *,
    mix: Source | None = None,
    language: str | None = None,
    engine: str = engines.AUTO,
    model: str = engines.AUTO,
    settings: Settings | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Lyrics:
    """The lines of a text with the times at which they are sung.

    ``text`` is one string or a list of its lines. Every word of it is in the result, in its order
    and spelling; its ``confidence`` is the probability that the network gives to it. The other
    parameters and errors are those of :func:`analysis.neural.lyrics.transcribe.transcribe`; a text
    without words, one of more than 20,000 characters, and a recording without singing are
    ValueErrors too.
    """
    chosen = settings or Settings()
    if not isinstance(text, str):
        text = "\n".join(text)
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"the text has more than {MOST_CHARACTERS:,} characters")
    ready = prepare(vocals, mix, engine, model, chosen)
    if not ready.passages:
        raise ValueError("no singing was found in the recording")
    spoken, source, confidence = find_language(ready, language)
    spaced = lines.is_spaced(spoken)
    written = words_of(text, spaced=spaced)
    if not written:
        raise ValueError("the text has no words")

    def tell(share: float) -> None:
        if progress:
            progress(0.8 * share)

    phrases = heard_phrases(ready, spoken, chosen, tell, cancelled)
    heard = [word for phrase in phrases for word in phrase]
    expected_s = expected_times_s(written, heard, ready.singing)
    timed: list[TimedText] = []
    shares = share_out(written, expected_s, ready.passages)
    for number, (passage, (first, last)) in enumerate(zip(ready.passages, shares, strict=True)):
        stop_if(cancelled)
        timed += _align_passage(ready, passage, spoken, written[first:last], expected_s[first:last])
        if progress:
            progress(0.8 + 0.2 * (number + 1) / len(shares))
    lengths = list(Counter(word.line for word in written).values())
    tidy = [word_times.without_long_beginning(line) for line in _cut(timed, lengths)]
    repaired = word_times.repaired([word for line in tidy for word in line], ready.singing)
    return Lyrics(
        engine=ready.recogniser.name,
        model=ready.recogniser.model,
        language=spoken,
        language_source=source,
        language_confidence=confidence,
        singing=True,
        lines=tuple(lines.as_line(line, spoken) for line in _cut(repaired, lengths)),
        duration_s=ready.singing.duration_s,
        voiced=tuple((region.start_s, region.end_s) for region in ready.singing.voiced),
    )


def words_of(text: str, *, spaced: bool) -> list[WrittenWord]:
    """The words of a text; a mark alone goes with the word before it, or after it in a line."""
    found: list[WrittenWord] = []
    for number, line in enumerate(text.splitlines()):
        pieces = line.split() if spaced else list("".join(line.split()))
        waiting = ""
        in_line: list[str] = []
        for piece in pieces:
            if any(char.isalnum() for char in piece):
                in_line.append(waiting + piece)
                waiting = ""
            elif in_line:
                in_line[-1] += (" " if spaced else "") + piece
            else:
                waiting += piece + (" " if spaced else "")
        found += [WrittenWord(word, number) for word in in_line]
    return found


def expected_times_s(
    written: Sequence[WrittenWord], heard: Sequence[TimedText], singing: Singing
) -> npt.NDArray[np.float64]:
    """About when each written word begins, (n,), never falling.

    Words that were heard are known. Between them singing time passes evenly with the letters; rests
    are jumped over.
    """
    clock = _SingingClock(singing)
    letters = np.array([len(word.text) + 1.0 for word in written])
    position = np.concatenate([[0.0], np.cumsum(letters)])[:-1]
    matched = matching.pairs([word.text for word in written], [word.text for word in heard])
    known_at = [position[row] for row, _ in matched]
    known_s = [clock.sung_s(heard[column].start_s) for _, column in matched]
    total = position[-1] + letters[-1]
    if len(matched) >= 2:
        pace = (known_s[-1] - known_s[0]) / max(known_at[-1] - known_at[0], 1.0)
    else:
        pace = clock.total_s / total
    start_s = max(0.0, known_s[0] - pace * known_at[0]) if matched else 0.0
    end_s = (
        min(clock.total_s, known_s[-1] + pace * (total - known_at[-1]))
        if matched
        else clock.total_s
    )
    if not known_at or known_at[0] > 0.0:
        known_at, known_s = [0.0, *known_at], [start_s, *known_s]
    known_at, known_s = [*known_at, total], [*known_s, end_s]
    sung_s = np.interp(position, known_at, np.maximum.accumulate(known_s))
    return np.array([clock.time_s(one) for one in sung_s])


def share_out(
    written: Sequence[WrittenWord],
    expected_s: npt.NDArray[np.float64],
    passages: Sequence[Passage],
) -> list[tuple[int, int]]:
    """First and behind-last word of every passage; together they are all words."""
    bounds = [0]
    for passage, following in itertools.pairwise(passages):
        middle_s = (passage.end_s + following.start_s) / 2
        at = max(bounds[-1], int(np.searchsorted(expected_s, middle_s)))
        bounds.append(max(bounds[-1], _snapped(written, at)))
    bounds.append(len(written))
    return list(itertools.pairwise(bounds))


def _snapped(written: Sequence[WrittenWord], at: int) -> int:
    """The nearest beginning of a line, if one is near."""
    for distance in range(_SNAP_WORDS + 1):
        for candidate in (at - distance, at + distance):
            if 0 < candidate < len(written) and (
                written[candidate].line != written[candidate - 1].line
            ):
                return candidate
    return at


def _align_passage(
    ready: Prepared,
    passage: Passage,
    spoken: str,
    written: Sequence[WrittenWord],
    expected_s: npt.NDArray[np.float64],
) -> list[TimedText]:
    """The words of one passage with their times in the recording."""
    if not written:
        return []
    recogniser = ready.recogniser
    space = " " if lines.is_spaced(spoken) else ""
    word_tokens = [recogniser.text_tokens(space + spoken_part(word.text)) for word in written]
    ends = np.cumsum([len(tokens) for tokens in word_tokens])
    fitting = int(np.searchsorted(ends, _MOST_TOKENS, side="right"))
    tokens = [token for group in word_tokens[:fitting] for token in group]
    encoded = recogniser.encode(passage.samples(ready.sound))
    pieces = recogniser.align(encoded, spoken, tokens, passage.duration_s)
    piece_ends = np.cumsum([piece.n_tokens for piece in pieces])
    timed = []
    for number, word in enumerate(written):
        if number >= fitting or not pieces:
            at_s = float(expected_s[number])
            timed.append(TimedText(word.text, 0, at_s, at_s, 0.0))
            continue
        begin, end = ends[number] - len(word_tokens[number]), ends[number]
        first = min(int(np.searchsorted(piece_ends, begin, side="right")), len(pieces) - 1)
        last = min(int(np.searchsorted(piece_ends, end, side="left")), len(pieces) - 1)
        whole = TimedText(
            word.text,
            len(word_tokens[number]),
            pieces[first].start_s,
            pieces[last].end_s,
            float(np.mean([piece.confidence for piece in pieces[first : last + 1]])),
        )
        timed.append(word_times.placed(whole, passage))
    return timed


def _cut(words: Sequence[TimedText], lengths: Sequence[int]) -> list[list[TimedText]]:
    """The words in lines of the given lengths."""
    waiting = iter(words)
    return [list(itertools.islice(waiting, length)) for length in lengths]


def spoken_part(word: str) -> str:
    """A word without the marks around it, except apostrophes, which belong to it."""
    start, end = 0, len(word)
    while start < end and not (word[start].isalnum() or word[start] in "'’"):
        start += 1
    while end > start and not (word[end - 1].isalnum() or word[end - 1] in "'’"):
        end -= 1
    return word[start:end]


class _SingingClock:
    """Seconds of singing up to a time, and back; it stands still in rests."""

    def __init__(self, singing: Singing) -> None:
        self._starts_s = np.array([region.start_s for region in singing.voiced])
        self._lengths_s = np.array([region.duration_s for region in singing.voiced])
        self._before_s = np.concatenate([[0.0], np.cumsum(self._lengths_s)])
        self.total_s = float(self._before_s[-1])

    def sung_s(self, time_s: float) -> float:
        inside = np.clip(time_s - self._starts_s, 0.0, self._lengths_s)
        return float(inside.sum())

    def time_s(self, sung_s: float) -> float:
        number = int(np.searchsorted(self._before_s[1:], sung_s, side="right"))
        number = min(number, len(self._starts_s) - 1)
        return float(self._starts_s[number] + sung_s - self._before_s[number])
