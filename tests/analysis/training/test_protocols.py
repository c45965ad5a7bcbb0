"""The leaky protocol leaks, and leaving out a genre leaves nothing of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from analysis.neural.listener import ListeningNetwork
from analysis.training.protocols import (
    familiarity_on,
    leaky,
    one_genre_left_out,
    slices,
    without_genre,
)
from tests.analysis.training.corpora import two_genres


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def three_genres(seed: int, artists: str):
    corpus = two_genres(seed, artists, tracks=18)
    return replace(corpus, labels=np.arange(18) % 3, names=["one", "three", "two"])


def test_slices_cover_the_picture_without_overlap():
    corpus = two_genres(0, "a", tracks=2, columns=387)
    pieces = slices(corpus)
    assert pieces.mel.shape == (20, 128, 38)
    assert pieces.ids[:2] == ["a0/0", "a0/1"]
    np.testing.assert_array_equal(pieces.mel[11], corpus.mel[1, :, 38:76])
    np.testing.assert_array_equal(pieces.mel[9], corpus.mel[0, :, 348:386])
    assert pieces.labels.tolist() == [0] * 10 + [1] * 10


def test_the_leaky_protocol_has_songs_on_both_sides():
    corpus = two_genres(0, "a", tracks=8, columns=387)
    # Labels at random: there is no genre to hear, but songs can be recognised.
    corpus = replace(corpus, labels=np.array([0, 0, 1, 1, 0, 1, 1, 0]))
    for index, picture in enumerate(corpus.mel):
        picture[14 * index : 14 * index + 8] = 255
    torch.manual_seed(0)
    figures = leaky(corpus, ListeningNetwork(2).eval())
    assert (figures.training_slices, figures.test_slices) == (64, 16)
    assert figures.same_song_in_training == 1.0
    assert figures.accuracy >= 0.9


def test_a_genre_that_is_left_out_is_gone():
    kept = without_genre(three_genres(0, "a"), "three")
    assert kept.names == ["one", "two"]
    assert len(kept) == 12
    assert set(kept.labels.tolist()) == {0, 1}
    before = three_genres(0, "a")
    for track, label in zip(kept.ids, kept.labels, strict=True):
        assert before.names[before.labels[before.ids.index(track)]] == kept.names[label]


def test_areas_are_those_of_scikit_learn_and_known_music_must_score_higher():
    train, held_out = three_genres(0, "a"), three_genres(1, "b")
    noise = np.random.default_rng(0).normal(size=18)
    heard = []

    def fit(corpus):
        heard.append(corpus.names)
        missing = next(name for name in train.names if name not in corpus.names)
        if missing == "two":
            return lambda some: noise
        knows = [some_name != missing for some_name in train.names]
        return lambda some: np.array([float(knows[label]) for label in some.labels])

    figures = one_genre_left_out(train, held_out, fit)
    assert heard == [["three", "two"], ["one", "two"], ["one", "three"]]
    assert (figures.by_genre["one"], figures.by_genre["three"]) == (1.0, 1.0)
    by_chance = roc_auc_score(held_out.labels != 2, noise)
    assert figures.by_genre["two"] == pytest.approx(by_chance)
    assert figures.mean == pytest.approx((2 + by_chance) / 3)


def test_the_products_familiarity_can_be_fitted_without_a_genre():
    train = two_genres(0, "a", tracks=20)
    held_out = two_genres(1, "b", tracks=6)
    torch.manual_seed(0)
    fit = familiarity_on(ListeningNetwork(2).eval())
    figures = one_genre_left_out(train, held_out, fit)
    # High and low tones differ so much that even a network that never learned anything sees it.
    assert figures.by_genre == {"high": 1.0, "low": 1.0}
