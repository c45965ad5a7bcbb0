"""Heads fitted on all but a few artists know nothing of these."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from analysis.neural.listener import ListeningNetwork, PictureCompanion
from analysis.training.datasets import MelCorpus
from analysis.training.fold_figures import by_folds
from tests.analysis.training.corpora import two_genres


@pytest.fixture
def network() -> ListeningNetwork:
    torch.manual_seed(3)
    return ListeningNetwork(2).eval()


def loners(artists: int, each: int) -> MelCorpus:
    """Artists whom anybody can tell apart, with genres by lot: to know one is to know her genre."""
    generator = np.random.default_rng(5)
    genres = generator.permutation(np.arange(artists) % 2)
    corpus = two_genres(1, "b", tracks=artists * each, columns=128)
    owner = np.arange(artists * each) // each
    mel = generator.integers(0, 60, corpus.mel.shape, dtype=np.uint8)
    for picture, artist in zip(mel, owner, strict=True):
        picture[10 * artist : 10 * artist + 10] = 250
    return replace(
        corpus, mel=mel, labels=genres[owner], artists=[f"artist {index}" for index in owner]
    )


def test_what_is_heard_in_any_artists_music_is_found_in_the_others(network):
    train, held_out = two_genres(0, "a"), two_genres(1, "b", tracks=20)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    figures = by_folds(network, train, held_out)
    assert (figures.tracks, figures.artists, figures.folds) == (20, 10, 5)
    assert figures.learned_from == len(train) + 0.8 * len(held_out)
    assert figures.accuracy.mean == 1.0
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("tagged", [False, True])
def test_an_artists_own_tracks_teach_nothing_about_them(network, tagged):
    if tagged:
        network.picture_companion = PictureCompanion(2).eval()
    held_out = loners(artists=10, each=2)
    train = replace(held_out, artists=[f"{name} before" for name in held_out.artists])
    # With other recordings of theirs among the training tracks everybody is known.
    assert by_folds(network, train, held_out).accuracy.mean == 1.0
    strangers = two_genres(0, "a", columns=128)
    assert by_folds(network, strangers, held_out).accuracy.mean < 0.75
