"""Labelled clips of made voices, and trainings on them that take seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from analysis.neural.weights import SHIPPED_DIR, read_from
from analysis.sound.voice.measures import RATE_HZ
from analysis.training.timbre import changes
from analysis.training.timbre.label_shipping import ship_retrained
from analysis.training.timbre.label_task import LabelRecipe
from analysis.training.timbre.labelled import LabelledClip
from analysis.training.timbre.retraining import retrain

TAGS = ("breathy", "thin")
QUICK = LabelRecipe(epochs=3, least_steps=4, clips_per_batch=4, patience=3)


def voice(seed: int, seconds: float = 3.0) -> np.ndarray:
    """A sung vowel, mono (n,), whose pitch, melody and brightness follow from the seed."""
    draw = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    notes = np.repeat(2.0 ** (draw.integers(-4, 5, size=6) / 12.0), -(-time_s.size // 6))
    f0_hz = draw.uniform(150.0, 300.0) * notes[: time_s.size]
    phase = 2 * np.pi * np.cumsum(f0_hz * (1 + 0.01 * np.sin(2 * np.pi * 5.5 * time_s))) / RATE_HZ
    slope = draw.uniform(0.9, 1.5)
    wave = sum(np.sin(k * phase) / k**slope for k in range(1, 20))
    return (0.08 * wave + 0.001 * draw.standard_normal(time_s.size)).astype(np.float32)


def sound_of(name: str, labels: dict[str, float]) -> np.ndarray:
    """A made voice with a whisper in it where it is breathy, and without body where it is thin."""
    return _sound_of(name, labels.get("breathy", 0) > 0.5, labels.get("thin", 0) > 0.5)


@lru_cache(maxsize=200)
def _sound_of(name: str, breathy: bool, thin: bool) -> np.ndarray:
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    sound = voice(seed)
    rng = np.random.default_rng(seed)
    if breathy:
        sound = changes.aspirate(sound, RATE_HZ, rng, share=0.6)
    if thin:
        sound = changes.low_mid(sound, RATE_HZ, rng, freq_hz=400.0, gain_db=-15.0, q=0.0)
    return sound


def labelled(*, singers: int = 4, each: int = 5) -> list[LabelledClip]:
    """Clips whose labels alternate, so that every singer has yes and no of each tag."""
    found = []
    for singer in range(singers):
        for number in range(each):
            name = f"singer{singer}_{number}"
            labels = {"breathy": float(number % 2), "thin": float((number // 2) % 2)}
            found.append(
                LabelledClip(
                    clip=hashlib.sha256(name.encode()).hexdigest(),
                    name=name,
                    singer=f"singer{singer}",
                    labels=labels,
                )
            )
    return found


def read(clip: LabelledClip) -> tuple[np.ndarray, int]:
    return sound_of(clip.name, dict(clip.labels)), RATE_HZ


def train_to(
    run: Path,
    cache: Path,
    *,
    check: Callable[[], object] = lambda: None,
    recipe: LabelRecipe = QUICK,
    clips: list[LabelledClip] | None = None,
    **more: Any,
) -> Path:
    """Train and write the candidate's files into ``run``; returns the weights file."""
    base = read_from(SHIPPED_DIR, "timbre")
    trained = retrain(
        labelled() if clips is None else clips,
        base=base,
        read=read,
        run=run,
        cache=cache,
        recipe=recipe,
        told=lambda *_: None,
        check=check,
        **more,
    )
    ship_retrained(
        trained,
        folder=run,
        base=base,
        recipe=recipe,
        version="1.1.0",
        snapshot="0" * 64,
        code_version="test",
    )
    return run / "timbre.safetensors"
