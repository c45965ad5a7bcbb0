"""Two embeddings on the same artists: the figures and when the new one is refused."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.training.similarity_comparison import by_artist, is_lost

ARTISTS = [f"artist {number // 4}" for number in range(48)]


def embeddings(closeness: float) -> np.ndarray:
    """48 tracks of 12 artists, the tighter together the larger ``closeness``."""
    draw = np.random.default_rng(4)
    own = np.repeat(draw.standard_normal((12, 16)), 4, axis=0)
    places = closeness * own + draw.standard_normal((48, 16))
    return (places / np.linalg.norm(places, axis=1, keepdims=True)).astype(np.float32)


def test_the_closer_embedding_is_told_from_the_other():
    near, far = embeddings(3.0), embeddings(0.0)
    found = by_artist(near, far, ARTISTS)
    assert (found["artists"], found["queries"]) == (12, 48)
    assert found["triplets"]["candidate"] > 0.98
    assert found["triplets"]["serving"] == pytest.approx(0.5, abs=0.08)
    assert found["triplets"]["difference"]["low"] > 0.3
    # By chance one of three is among ten of 47 in 1 - (37 * 36 * 35) / (47 * 46 * 45) of cases.
    assert found["hit_at_10"]["serving"] == pytest.approx(0.52, abs=0.15)
    assert not is_lost(found)
    assert is_lost(by_artist(far, near, ARTISTS))
    assert not is_lost(by_artist(near, near, ARTISTS))


def test_few_artists_say_nothing():
    near = embeddings(3.0)
    assert by_artist(near[:20], near[:20], ARTISTS[:20]) is None
    assert by_artist(near, near, [str(number) for number in range(48)]) is None
    assert not is_lost(None)
