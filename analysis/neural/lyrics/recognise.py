"""The words of one passage: decode, judge, try again if need be, find when each word is heard."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from analysis.neural.lyrics.passages import Passage, halves
from analysis.neural.lyrics.recogniser import Decoded, Recogniser, TimedText
from analysis.neural.lyrics.sound import Samples
from analysis.neural.lyrics.word_times import placed

_TIMESTAMP_S = 0.02
# Half of what the decoder can hold, as in Whisper; nobody fills it in 30 s but a loop.
_MOST_TOKENS = 224
# Less than this is not listened to again when the network stopped before the passage's end.
_LEAST_REST_S = 2.0
_MOST_ROUNDS = 4


@dataclass(frozen=True)
class DecodingSettings:
    """How the words are searched for, and what makes an attempt a failure.

    The limits are those of Whisper's paper (section 4.5): a text that zlib makes smaller than
    1 : 2.4 repeats itself, and one less probable than exp(-1) per token is a guess. One with hardly
    a word for all the singing failed too. A failed passage is halved: loops need length. One of at
    most ``longest_unhalved_s`` is tried again at the next temperature; the seed is fixed, so that
    the same sound gives the same words.
    """

    beam_size: int = 5
    temperatures: tuple[float, ...] = (0.0, 0.4, 0.8)
    most_compressible: float = 2.4
    least_log_probability: float = -1.0
    no_speech_probability: float = 0.6
    least_tokens_per_s: float = 0.3
    most_tokens_per_s: float = 8.0
    longest_unhalved_s: float = 10.0
    seed: int = 1


@dataclass(frozen=True)
class Attempt:
    """A decoded text with the marks by which it is judged."""

    decoded: Decoded
    compressible: float
    tokens_per_s: float


@dataclass(frozen=True)
class Phrase:
    """Words between two timestamps of the network, in seconds of the recording."""

    words: tuple[TimedText, ...]
    average_log_probability: float
    no_speech_probability: float
    compressible: float

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words).strip()


def recognise(
    recogniser: Recogniser,
    passage: Passage,
    sound: Samples,
    language: str,
    settings: DecodingSettings,
) -> list[Phrase]:
    """Phrases of a passage. Where the network stops early, the rest is listened to again; where it
    fails, both halves are, and what is short at other temperatures."""
    phrases: list[Phrase] = []
    for _ in range(_MOST_ROUNDS):
        encoded = recogniser.encode(passage.samples(sound))
        can_be_halved = passage.duration_s > settings.longest_unhalved_s
        attempt = _best_attempt(
            recogniser,
            encoded,
            language,
            passage.duration_s,
            replace(settings, temperatures=settings.temperatures[:1])
            if can_be_halved
            else settings,
        )
        if _is_silence(attempt, settings):
            return phrases
        if can_be_halved and not _is_good(attempt, settings):
            for half in halves(passage, sound):
                phrases += recognise(recogniser, half, sound, language, settings)
            return phrases
        tokenizer = recogniser.tokenizer(language)
        cut_tokens, heard_s = split_at_timestamps(
            attempt.decoded.tokens,
            tokenizer.timestamp_begin,
            tokenizer.eot,
            passage.duration_s,
        )
        texts = [token for tokens in cut_tokens for token in tokens]
        words = recogniser.align(encoded, language, texts, passage.duration_s)
        phrases += _phrases(words, cut_tokens, passage, attempt)
        rest = passage.rest_from(heard_s)
        if rest is None or rest.duration_s < _LEAST_REST_S or heard_s < 1.0:
            return phrases
        passage = rest
    return phrases


def split_at_timestamps(
    tokens: Sequence[int], timestamp_begin: int, end_mark: int, duration_s: float
) -> tuple[list[list[int]], float]:
    """The text tokens of each phrase, and up to when the network has heard.

    As in Whisper: where a phrase was begun and not ended, the next window starts at its beginning;
    a single timestamp at the end says that nothing more is said in the window.
    """
    phrases: list[list[int]] = []
    open_phrase: list[int] = []
    last_s = 0.0
    before_is_timestamp = False
    for token in tokens:
        is_timestamp = token >= timestamp_begin
        if is_timestamp:
            last_s = (token - timestamp_begin) * _TIMESTAMP_S
            if open_phrase:
                phrases.append(open_phrase)
                open_phrase = []
            closes_pair, before_is_timestamp = before_is_timestamp, True
        elif token < end_mark:
            open_phrase.append(token)
            before_is_timestamp = False
    ends_open = bool(open_phrase)
    ends_with_pair = bool(tokens) and before_is_timestamp and closes_pair
    if ends_open and not phrases:
        return [open_phrase], duration_s
    if ends_open or ends_with_pair:
        return phrases, min(last_s, duration_s)
    return phrases, duration_s


def _best_attempt(
    recogniser: Recogniser,
    encoded: object,
    language: str,
    duration_s: float,
    settings: DecodingSettings,
) -> Attempt:
    attempts: list[Attempt] = []
    most_tokens = min(_MOST_TOKENS, 10 + math.ceil(settings.most_tokens_per_s * duration_s))
    for temperature in settings.temperatures:
        decoded = recogniser.decode(
            encoded,
            language,
            beam_size=settings.beam_size,
            temperature=temperature,
            most_tokens=most_tokens,
            seed=settings.seed,
        )
        tokenizer = recogniser.tokenizer(language)
        text_tokens = [token for token in decoded.tokens if token < tokenizer.eot]
        attempt = Attempt(
            decoded, compressible(tokenizer.decode(text_tokens)), len(text_tokens) / duration_s
        )
        attempts.append(attempt)
        if _is_silence(attempt, settings) or _is_good(attempt, settings):
            return attempt
    full = [one for one in attempts if _has_words(one, settings)] or attempts
    without_loops = [one for one in full if one.compressible <= settings.most_compressible]
    return max(without_loops or full, key=lambda one: one.decoded.average_log_probability)


def compressible(text: str) -> float:
    """Length of a text over its length when compressed: high where it repeats itself."""
    content = text.strip().encode("utf-8")
    return len(content) / len(zlib.compress(content)) if content else 0.0


def _has_words(attempt: Attempt, settings: DecodingSettings) -> bool:
    return attempt.tokens_per_s >= settings.least_tokens_per_s


def _is_good(attempt: Attempt, settings: DecodingSettings) -> bool:
    return (
        _has_words(attempt, settings)
        and attempt.compressible <= settings.most_compressible
        and attempt.decoded.average_log_probability >= settings.least_log_probability
    )


def _is_silence(attempt: Attempt, settings: DecodingSettings) -> bool:
    return (
        attempt.decoded.no_speech_probability > settings.no_speech_probability
        and attempt.decoded.average_log_probability < settings.least_log_probability
    )


def _phrases(
    words: list[TimedText], cut_tokens: list[list[int]], passage: Passage, attempt: Attempt
) -> list[Phrase]:
    """Words shared out among the phrases that their tokens came from, in the recording's time."""
    phrases = []
    waiting = iter(words)
    surplus = 0
    for tokens in cut_tokens:
        taken: list[TimedText] = []
        counted = surplus
        while counted < len(tokens):
            word = next(waiting, None)
            if word is None:
                break
            counted += word.n_tokens
            taken.append(placed(word, passage))
        surplus = counted - len(tokens)
        if taken:
            phrases.append(
                Phrase(
                    tuple(taken),
                    attempt.decoded.average_log_probability,
                    attempt.decoded.no_speech_probability,
                    attempt.compressible,
                )
            )
    return phrases
