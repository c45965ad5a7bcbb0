"""The words of a sung recording: where there is singing, in which language, which words, when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from analysis.neural.lyrics import engines, gate, lines, passages, refusals, word_times
from analysis.neural.lyrics import language as languages
from analysis.neural.lyrics import sound as sounds
from analysis.neural.lyrics.document import Lyrics
from analysis.neural.lyrics.gate import GateSettings, Singing
from analysis.neural.lyrics.recognise import DecodingSettings, Phrase, recognise
from analysis.neural.lyrics.recogniser import Recogniser, TimedText
from analysis.neural.lyrics.refusals import RefusalSettings
from analysis.neural.lyrics.sound import Samples, Source

BY_ARTIST = "artist"
DETECTED = "detected"
Progress = Callable[[float], None]


class Cancelled(Exception):
    """The transcription was stopped on request."""


@dataclass(frozen=True)
class Settings:
    """How words are looked for. What stands here measured best: see docs/lyrics.md.

    ``gate`` None listens everywhere. ``mix_share`` is the gain of the accompaniment under the voice
    that the network hears: 0 is the voice alone, 1 the mix.
    """

    gate: GateSettings | None = field(default_factory=GateSettings)
    decoding: DecodingSettings = field(default_factory=DecodingSettings)
    refusals: RefusalSettings = field(default_factory=RefusalSettings)
    mix_share: float = 0.3


@dataclass(frozen=True)
class Prepared:
    """What both transcription and alignment begin with."""

    recogniser: Recogniser
    sound: Samples  # what the network hears, (n,) at 16 kHz
    singing: Singing
    passages: list[passages.Passage]


def transcribe(
    vocals: Source,
    *,
    mix: Source | None = None,
    language: str | None = None,
    engine: str = engines.AUTO,
    model: str = engines.AUTO,
    settings: Settings | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Lyrics:
    """Words of a voice with their times.

    Parameters
    ----------
    vocals : the separated voice, or a voice alone: a file, or samples (n,) at 16 kHz
    mix : what it was separated from. With it, the gate knows what plays beside the voice
    language : ISO 639-1 code by the artist; None to detect it
    engine, model : see :mod:`engines` and :mod:`models`
    progress : is told the share that is done, 0 to 1
    cancelled : is asked before every passage

    A recording without singing gives ``singing`` False and no lines.

    Raises
    ------
    UndecodableAudio, EngineUnavailable, Cancelled
    ValueError
        For an engine or a language that is not known.
    """
    chosen = settings or Settings()
    ready = prepare(vocals, mix, engine, model, chosen)
    spoken, source, confidence = find_language(ready, language)
    phrases = heard_phrases(ready, spoken, chosen, progress, cancelled)
    written = [line for phrase in phrases for line in lines.as_lines(phrase, spoken)]
    if progress:
        progress(1.0)
    return Lyrics(
        engine=ready.recogniser.name,
        model=ready.recogniser.model,
        language=spoken if written else "",
        language_source=source,
        language_confidence=confidence if written else 0.0,
        singing=bool(written),
        lines=tuple(written),
        duration_s=ready.singing.duration_s,
        voiced=tuple((region.start_s, region.end_s) for region in ready.singing.voiced),
    )


def prepare(
    vocals: Source, mix: Source | None, engine: str, model: str, settings: Settings
) -> Prepared:
    """Decode, find the singing, load the model; raises as :func:`transcribe`."""
    engines.chosen(engine)
    voice = sounds.load(vocals)
    accompaniment = None if mix is None else _difference(sounds.load(mix), voice)
    if settings.gate is None:
        singing = gate.everything(len(voice) / sounds.SAMPLE_RATE)
    else:
        singing = gate.find_singing(voice, accompaniment, settings.gate)
    heard = voice
    if accompaniment is not None and settings.mix_share:
        heard = voice + np.float32(settings.mix_share) * accompaniment
    packed = passages.pack(singing.regions, heard)
    return Prepared(engines.load(engine, model), heard, singing, packed)


def find_language(ready: Prepared, given: str | None) -> tuple[str, str, float]:
    """Code, where it comes from, confidence; raises ValueError for one that is not known."""
    known = ready.recogniser.languages()
    if given:
        code = given.strip().lower()
        if code not in known:
            raise ValueError(
                f"no language has the code {given}; it is two letters, as en, fr, es or de"
            )
        return code, BY_ARTIST, 1.0
    code, confidence = languages.detect(
        ready.recogniser, ready.passages, ready.sound, ready.singing
    )
    return code, DETECTED, confidence


def heard_phrases(
    ready: Prepared,
    spoken: str,
    settings: Settings,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[list[TimedText]]:
    """The words of every phrase that is believed, with repaired times."""
    phrases: list[Phrase] = []
    for number, passage in enumerate(ready.passages):
        stop_if(cancelled)
        phrases += recognise(ready.recogniser, passage, ready.sound, spoken, settings.decoding)
        if progress:
            progress((number + 1) / len(ready.passages))
    kept = refusals.believed(phrases, ready.singing, settings.refusals)
    spaced = lines.is_spaced(spoken)
    tidy = [
        word_times.without_long_beginning(word_times.whole_words(phrase.words, spaced=spaced))
        for phrase in kept
    ]
    words = iter(word_times.repaired([word for group in tidy for word in group], ready.singing))
    return [list(islice(words, len(group))) for group in tidy if group]


def stop_if(cancelled: Callable[[], bool] | None) -> None:
    """Raise Cancelled if so asked."""
    if cancelled and cancelled():
        raise Cancelled


def _difference(mix: Samples, voice: Samples) -> Samples:
    """The mix without the voice, as long as the voice."""
    fitted = mix[: len(voice)]
    return np.pad(fitted, (0, len(voice) - len(fitted))) - voice
