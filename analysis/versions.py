"""Which version of measurements and weights serves now. Cheap to import: no networks here."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

from analysis.neural.lyrics import models as lyrics_models
from analysis.neural.lyrics import starter_weights
from analysis.neural.separation import engines
from analysis.neural.weights import find

# Raised whenever the same file would give another document for a reason other than the weights.
MEASUREMENTS_VERSION = "3"


# Raised whenever the release check measures or encodes otherwise.
RELEASE_CHECK_VERSION = "1"

# Raised whenever the same voice would give other words for a reason other than the engine.
LYRICS_VERSION = "1"

# Raised whenever what is kept of a separation changes while the engines do not.
SEPARATION_VERSION = "1"

# Raised whenever the same vocal stem would give another document for a reason other than the
# weights.
VOICE_VERSION = "1"


def listen_version() -> str:
    """Identity of everything that decides the outcome of the listening stage."""
    return f"m{MEASUREMENTS_VERSION}+{find('ears').identity}"


def release_version() -> str:
    """Identity of everything that decides the outcome of the release check: PyAV holds the
    encoders."""
    return f"r{RELEASE_CHECK_VERSION}+av{version('av')}"


def separate_version(engine: str = engines.AUTO) -> str:
    """Identity of everything that decides the outcome of a separation by an engine.

    Raises
    ------
    analysis.neural.separation.engine.EngineUnavailable
        If ``auto`` finds no engine at all.
    ValueError
        For a name that no engine has.
    """
    return f"s{SEPARATION_VERSION}+{engines.identity(engines.chosen(engine))}"


def voice_version() -> str:
    """Identity of everything that decides the outcome of the voice stage. Raises WeightsUnavailable
    while the model of the voice is missing."""
    return f"v{VOICE_VERSION}+{find('timbre').identity}"


def lyrics_version(language: str = "") -> str:
    """Identity of everything that decides which words are heard: the engine, and the language if
    the artist named it."""
    return f"l{LYRICS_VERSION}+{_lyrics_model()}+{language or 'auto'}"


def align_version() -> str:
    """Identity of what decides when the words of a given text are heard."""
    return f"align{LYRICS_VERSION}+{_lyrics_model()}"


def _lyrics_model() -> str:
    """The speech model that is asked for, named without opening it: pages ask too. Which one heard
    a song in the end, where that one was not to be had, its report says."""
    name = lyrics_models.wanted()
    if name == starter_weights.NAME:
        return starter_weights.identity()
    return f"whisper-{Path(name).name[:24]}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
