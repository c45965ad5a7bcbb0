"""Tiny corpora of pictures that anybody can tell apart."""

from __future__ import annotations

import numpy as np

from analysis.training.datasets import MelCorpus


def two_genres(seed: int, artists: str, *, tracks: int = 12, columns: int = 160) -> MelCorpus:
    """Genres of high and low tones in noise, alternating; two tracks an artist."""
    generator = np.random.default_rng(seed)
    labels = np.arange(tracks) % 2
    mel = generator.integers(0, 90, (tracks, 128, columns), dtype=np.uint8)
    for picture, label in zip(mel, labels, strict=True):
        picture[20 + 60 * label : 40 + 60 * label] += 150
    return MelCorpus(
        ids=[f"{artists}{i}" for i in range(tracks)],
        mel=mel,
        labels=labels,
        names=["high", "low"],
        artists=[f"{artists}{i // 2}" for i in range(tracks)],
    )
