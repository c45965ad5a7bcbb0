"""Whisper through OpenAI's own package (MIT) and PyTorch."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from analysis.neural.lyrics import ctranslate2_file
from analysis.neural.lyrics.recogniser import (
    FRAMES_PER_S,
    WINDOW_S,
    Decoded,
    TimedText,
    Tokenizer,
)
from analysis.neural.lyrics.sound import SAMPLE_RATE, Samples
from analysis.neural.lyrics.text_tokens import text_tokens
from analysis.neural.weights import WeightsUnavailable

NAME = "openai-whisper"
_WINDOW_SAMPLES = round(WINDOW_S * SAMPLE_RATE)
_WINDOW_FRAMES = round(WINDOW_S * FRAMES_PER_S)
_ATTEMPTS = 5


def from_ctranslate2(folder: Path) -> Any:
    """OpenAI's model with the weights of a CTranslate2 folder; raises WeightsUnavailable."""
    from whisper.model import ModelDimensions, Whisper

    variables = ctranslate2_file.read_variables(folder / "model.bin")
    dimensions = ModelDimensions(**ctranslate2_file.openai_dimensions(variables))
    network = Whisper(dimensions)
    network.load_state_dict(ctranslate2_file.openai_state(variables))
    heads = torch.zeros(dimensions.n_text_layer, dimensions.n_text_head, dtype=torch.bool)
    for layer, head in ctranslate2_file.alignment_heads(folder):
        heads[layer, head] = True
    network.register_buffer("alignment_heads", heads.to_sparse(), persistent=False)
    return network


def from_checkpoint(path: Path) -> Any:
    """A model as OpenAI's package stores it, by its own loader; raises WeightsUnavailable."""
    import whisper

    named = path.stem.removeprefix("whisper-")
    try:
        network = whisper.load_model(str(path), device="cpu")
    except (RuntimeError, KeyError, OSError, ValueError, pickle.UnpicklingError) as error:
        raise WeightsUnavailable(f"{path} is not a Whisper model: {error}") from error
    if named in whisper._ALIGNMENT_HEADS:
        network.set_alignment_heads(whisper._ALIGNMENT_HEADS[named])
    return network


class OpenaiWhisper:
    """See :class:`analysis.neural.lyrics.recogniser.Recogniser`."""

    name = NAME

    def __init__(self, network: Any, model: str, identity: str, device: str = "cpu") -> None:
        self.model = model
        self._identity = identity
        self._network = network.to(device).eval()

    @property
    def identity(self) -> str:
        return f"{NAME}-1-{self._identity}"

    def languages(self) -> tuple[str, ...]:
        from whisper.tokenizer import LANGUAGES

        if not self._network.is_multilingual:
            return ("en",)
        return tuple(LANGUAGES)[: self._network.num_languages]

    def tokenizer(self, language: str) -> Tokenizer:
        return self._tokenizer(language)

    def text_tokens(self, text: str) -> list[int]:
        return text_tokens(text, multilingual=self._network.is_multilingual)

    def encode(self, window: Samples) -> torch.Tensor:
        from whisper.audio import log_mel_spectrogram

        padded = np.pad(window, (0, _WINDOW_SAMPLES - len(window)))
        mel = log_mel_spectrogram(padded, n_mels=self._network.dims.n_mels)
        with torch.inference_mode():
            features: torch.Tensor = self._network.encoder(
                mel[None, :, :_WINDOW_FRAMES].to(self._network.device)
            )[0]
        return features

    def language_probabilities(self, encoded: torch.Tensor) -> dict[str, float]:
        if not self._network.is_multilingual:
            return {"en": 1.0}
        with torch.inference_mode():
            _, found = self._network.detect_language(encoded)
        return dict(found)

    def decode(
        self,
        encoded: torch.Tensor,
        language: str,
        *,
        beam_size: int,
        temperature: float,
        most_tokens: int,
        seed: int,
    ) -> Decoded:
        from whisper.decoding import DecodingOptions, decode

        search: dict[str, Any] = {"beam_size": beam_size} if temperature == 0 else {}
        options = DecodingOptions(
            language=language,
            temperature=temperature,
            sample_len=most_tokens,
            best_of=_ATTEMPTS if temperature > 0 else None,
            fp16=False,
            **search,
        )
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(seed)
            found = decode(self._network, encoded, options)
        return Decoded(tuple(found.tokens), float(found.avg_logprob), float(found.no_speech_prob))

    def align(
        self, encoded: torch.Tensor, language: str, tokens: Sequence[int], duration_s: float
    ) -> list[TimedText]:
        from whisper.timing import find_alignment

        frames = max(2, min(_WINDOW_FRAMES, round(duration_s * FRAMES_PER_S)))
        found = find_alignment(
            _OnEncoded(self._network), self._tokenizer(language), list(tokens), encoded, frames
        )
        return [
            TimedText(
                word.word,
                len(word.tokens),
                float(word.start),
                float(word.end),
                float(word.probability),
            )
            for word in found
        ]

    def _tokenizer(self, language: str) -> Any:
        from whisper.tokenizer import get_tokenizer

        return get_tokenizer(
            self._network.is_multilingual,
            num_languages=self._network.num_languages,
            language=language,
            task="transcribe",
        )


class _OnEncoded:
    """The model as ``find_alignment`` calls it, without encoding the sound a second time."""

    def __init__(self, network: Any) -> None:
        self._network = network

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def __call__(self, features: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self._network.decoder(tokens, features)
        return logits
