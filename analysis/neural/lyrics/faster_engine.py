"""Whisper through faster-whisper (MIT) and CTranslate2 (MIT): 8-bit integers on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.neural.lyrics.recogniser import (
    FRAMES_PER_S,
    WINDOW_S,
    Decoded,
    EngineUnavailable,
    TimedText,
    Tokenizer,
)
from analysis.neural.lyrics.sound import SAMPLE_RATE, Samples
from analysis.neural.lyrics.text_tokens import text_tokens

NAME = "faster-whisper"
_WINDOW_SAMPLES = round(WINDOW_S * SAMPLE_RATE)
_WINDOW_FRAMES = round(WINDOW_S * FRAMES_PER_S)
_LATEST_FIRST_TIMESTAMP = 50  # in steps of 20 ms
_ATTEMPTS = 5  # random texts above temperature 0


class FasterWhisper:
    """See :class:`analysis.neural.lyrics.recogniser.Recogniser`.

    Raises
    ------
    EngineUnavailable
        If the folder holds no model that CTranslate2 can open.
    """

    name = NAME

    def __init__(self, folder: Path, model: str, identity: str, device: str = "cpu") -> None:
        from faster_whisper import WhisperModel

        self.model = model
        self._identity = identity
        try:
            self._whisper = WhisperModel(
                str(folder),
                device=device,
                compute_type="int8" if device == "cpu" else "float16",
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise EngineUnavailable(f"the model in {folder} cannot be opened: {error}") from error

    @property
    def identity(self) -> str:
        return f"{NAME}-1-{self._identity}"

    def languages(self) -> tuple[str, ...]:
        return tuple(self._whisper.supported_languages)

    def tokenizer(self, language: str) -> Tokenizer:
        return self._tokenizer(language)

    def text_tokens(self, text: str) -> list[int]:
        return text_tokens(text, multilingual=self._whisper.model.is_multilingual)

    def encode(self, window: Samples) -> Any:
        padded = np.pad(window, (0, _WINDOW_SAMPLES - len(window)))
        features = self._whisper.feature_extractor(padded, padding=0)
        return self._whisper.encode(np.ascontiguousarray(features[:, :_WINDOW_FRAMES]))

    def language_probabilities(self, encoded: Any) -> dict[str, float]:
        if not self._whisper.model.is_multilingual:
            return {"en": 1.0}
        found = self._whisper.model.detect_language(encoded)[0]
        return {token.strip("<|>"): probability for token, probability in found}

    def decode(
        self,
        encoded: Any,
        language: str,
        *,
        beam_size: int,
        temperature: float,
        most_tokens: int,
        seed: int,
    ) -> Decoded:
        import ctranslate2
        from faster_whisper.transcribe import get_suppressed_tokens

        tokenizer = self._tokenizer(language)
        ctranslate2.set_random_seed(seed)
        search: dict[str, Any] = {"beam_size": beam_size}
        if temperature > 0:
            search = {
                "beam_size": 1,
                "num_hypotheses": _ATTEMPTS,
                "sampling_topk": 0,
                "sampling_temperature": temperature,
            }
        found = self._whisper.model.generate(
            encoded,
            [tokenizer.sot_sequence],
            length_penalty=1.0,
            max_length=2 * most_tokens,  # half of it is for the text
            max_initial_timestamp_index=_LATEST_FIRST_TIMESTAMP,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
            return_scores=True,
            return_no_speech_prob=True,
            **search,
        )[0]
        tokens = found.sequences_ids[0]
        # The score is the mean over the tokens; Whisper's limits count the end mark too.
        mean = found.scores[0] * len(tokens) / (len(tokens) + 1)
        return Decoded(tuple(tokens), float(mean), float(found.no_speech_prob))

    def align(
        self, encoded: Any, language: str, tokens: Sequence[int], duration_s: float
    ) -> list[TimedText]:
        if not tokens:
            return []
        frames = max(2, min(_WINDOW_FRAMES, round(duration_s * FRAMES_PER_S)))
        found = self._whisper.find_alignment(
            self._tokenizer(language), [list(tokens)], encoded, frames
        )[0]
        return [
            TimedText(
                word["word"],
                len(word["tokens"]),
                float(word["start"]),
                float(word["end"]),
                float(word["probability"]),
            )
            for word in found
        ]

    def _tokenizer(self, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer as FasterTokenizer

        return FasterTokenizer(
            self._whisper.hf_tokenizer,
            self._whisper.model.is_multilingual,
            task="transcribe",
            language=language,
        )
