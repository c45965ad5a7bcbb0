"""What is not believed: loops, texts without singing under them, and credits of subtitles.

Whisper was trained on subtitles. Over instruments it writes what often stands there without speech
("Subtitles by ..."), or says its last phrase again and again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from analysis.neural.lyrics.gate import Singing
from analysis.neural.lyrics.recognise import Phrase
from analysis.neural.lyrics.recogniser import TimedText


@dataclass(frozen=True)
class RefusalSettings:
    """Limits below which words are dropped.

    ``least_voiced_share`` of a phrase's time must be sung. A phrase is dropped if its passage was
    less probable than ``least_log_probability`` per token (natural logarithm), or less than
    ``least_log_probability_if_silent`` where the network found that nothing is said with
    ``no_speech_probability``. Groups of up to ``longest_loop_words`` words that come more than
    ``most_repeats`` times in a row are a loop if they go faster than ``fastest_word_s`` per word;
    texts more compressible than ``most_compressible`` are cut to ``most_repeats`` in any case.
    """

    least_voiced_share: float = 0.3
    least_log_probability: float = -1.5
    least_log_probability_if_silent: float = -1.0
    no_speech_probability: float = 0.6
    longest_loop_words: int = 10
    most_repeats: int = 3
    fastest_word_s: float = 0.12
    most_compressible: float = 2.4


# Ends of subtitle files in Whisper's training data, in the languages where they are common.
_CREDITS = re.compile(
    r"amara\.org|sous-titr(?:es|age)|untertitel(?:ung)?\b.*\b(?:zdf|ard|wdr|swr|funk|von|der|im)\b"
    r"|subt[ií]tulos|subtitles? by|subtitled by|legendas? (?:por|pela)|sottotitoli"
    r"|thank(?:s| you)(?: (?:so much|very much))? for watching|ご視聴|字幕|www\.\S+\.\w+"
    r"|copyright|soustitreur|substitles|radio-canada|abonne(?:z-vous|ert)|suscr[ií]b",
    re.IGNORECASE,
)


# A cry held for ten seconds becomes hundreds of letters.
_CRY = re.compile(r"(.{1,3}?)\1{5,}")
_CRY_REPEATS = 5


def believed(
    phrases: Sequence[Phrase], singing: Singing, settings: RefusalSettings
) -> list[Phrase]:
    """The phrases, and the words of each, that there is reason to believe."""
    kept = []
    for phrase in phrases:
        if _is_guess(phrase, settings) or _CREDITS.search(phrase.text):
            continue
        if voiced_share(phrase, singing) < settings.least_voiced_share:
            continue
        words = without_loops(
            phrase.words, settings, always=phrase.compressible > settings.most_compressible
        )
        shortened = (replace(word, text=_shortened(word.text)) for word in words)
        kept.append(replace(phrase, words=tuple(shortened)))
    return _without_repeated_phrases(kept, settings)


def voiced_share(phrase: Phrase, singing: Singing) -> float:
    """Share of a phrase's time with singing in it."""
    start_s, end_s = phrase.words[0].start_s, phrase.words[-1].end_s
    if end_s <= start_s:
        return 1.0 if singing.voiced_s(start_s - 0.05, start_s + 0.05) > 0 else 0.0
    return singing.voiced_s(start_s, end_s) / (end_s - start_s)


def without_loops(
    words: Sequence[TimedText], settings: RefusalSettings, *, always: bool = False
) -> list[TimedText]:
    """Words without groups that are said again and again faster than anybody sings.

    With ``always``, at whatever pace.
    """
    kept = list(words)
    for size in range(1, settings.longest_loop_words + 1):
        start = 0
        while start + size <= len(kept):
            repeats = _repeats(kept, start, size)
            if repeats > settings.most_repeats and (
                always or _word_s(kept[start : start + repeats * size]) < settings.fastest_word_s
            ):
                del kept[start + settings.most_repeats * size : start + repeats * size]
            start += 1
    return kept


def _repeats(words: Sequence[TimedText], start: int, size: int) -> int:
    """How many times in a row the ``size`` words at ``start`` are said."""
    pattern = [plain(word.text) for word in words[start : start + size]]
    count, at = 1, start + size
    while [plain(word.text) for word in words[at : at + size]] == pattern:
        count, at = count + 1, at + size
    return count


def _word_s(words: Sequence[TimedText]) -> float:
    """Mean time of a word."""
    return (words[-1].end_s - words[0].start_s) / len(words)


def _without_repeated_phrases(phrases: Sequence[Phrase], settings: RefusalSettings) -> list[Phrase]:
    """The same phrase over and over is a loop where it goes by faster than anybody sings."""
    kept: list[Phrase] = []
    repeats = 0
    for phrase in phrases:
        same = bool(kept) and plain(kept[-1].text) == plain(phrase.text)
        repeats = repeats + 1 if same else 0
        too_fast = _word_s(phrase.words) < settings.fastest_word_s
        if repeats >= settings.most_repeats and too_fast:
            continue
        kept.append(phrase)
    return kept


def _shortened(text: str) -> str:
    """A word whose letters go round and round, with a few of the rounds."""
    return _CRY.sub(lambda found: found[1] * _CRY_REPEATS, text)


def _is_guess(phrase: Phrase, settings: RefusalSettings) -> bool:
    silent = phrase.no_speech_probability > settings.no_speech_probability
    least = settings.least_log_probability_if_silent if silent else settings.least_log_probability
    return phrase.average_log_probability < least


def plain(text: str) -> str:
    """A text in small letters, without marks."""
    return "".join(char for char in text.casefold() if char.isalnum() or char == " ").strip()
