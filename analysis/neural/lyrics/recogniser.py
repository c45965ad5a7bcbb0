"""What an engine for words is: something that hears up to 30 s at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from analysis.neural.lyrics.sound import Samples

WINDOW_S = 30.0
# Frames of the spectrogram (10 ms), two of which make one step of the encoder.
FRAMES_PER_S = 100


class EngineUnavailable(Exception):
    """An engine or model that cannot be used here; the message says why and what would help."""


@dataclass(frozen=True)
class Decoded:
    """One attempt at the words of a window: tokens with timestamps among them, and its marks."""

    tokens: tuple[int, ...]
    average_log_probability: float
    no_speech_probability: float


@dataclass(frozen=True)
class TimedText:
    """A word as the tokenizer cuts it (with its leading space), in seconds of its window."""

    text: str
    n_tokens: int
    start_s: float
    end_s: float
    confidence: float


class Tokenizer(Protocol):
    """What both libraries' tokenizers share."""

    @property
    def eot(self) -> int: ...

    @property
    def timestamp_begin(self) -> int: ...

    def decode(self, tokens: Sequence[int]) -> str: ...


class Recogniser(Protocol):
    """A loaded Whisper model. Windows are 16 kHz samples (n,) of at most 30 s."""

    name: str  # the engine's
    model: str

    @property
    def identity(self) -> str:
        """Engine and weights: changes whenever the words would."""

    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that the model knows."""

    def tokenizer(self, language: str) -> Tokenizer:
        """The tokenizer for a language."""

    def text_tokens(self, text: str) -> list[int]:
        """A text as the tokens that the network was trained on."""

    def encode(self, window: Samples) -> Any:
        """What the encoder hears, for the three methods below."""

    def language_probabilities(self, encoded: Any) -> dict[str, float]:
        """Probability of each language's code."""

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
        """The most probable text of at most ``most_tokens``; above temperature 0 the best of five
        random ones."""

    def align(
        self, encoded: Any, language: str, tokens: Sequence[int], duration_s: float
    ) -> list[TimedText]:
        """When each word of a text is heard, by the decoder's attention to the sound."""
