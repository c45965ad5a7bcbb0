"""Division by artist: never one on both sides, every genre on each, as even as can be."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.training.labelled_files import UnusableCorpus
from analysis.training.splitting import split_by_artist


def music(seed: int, *, n_genres: int, n_artists: int) -> tuple[list[str], list[str]]:
    """Tracks of artists with 1 to 12 each, some of them in two genres."""
    generator = np.random.default_rng(seed)
    genres, artists = [], []
    for genre in range(n_genres):
        for number in range(n_artists):
            for _ in range(int(generator.integers(1, 13))):
                at_home = generator.random() < 0.9 or number < 2
                genres.append(f"g{genre if at_home else generator.integers(n_genres)}")
                artists.append(f"a{genre}-{number}")
    return genres, artists


@pytest.mark.parametrize("seed", range(12))
def test_no_artist_on_both_sides_and_every_genre_on_each(seed):
    genres, artists = music(seed, n_genres=2 + seed, n_artists=3 + seed % 5)
    held_out = split_by_artist(genres, artists, seed=seed)
    pairs = list(zip(genres, artists, held_out, strict=True))
    assert not {a for _, a, out in pairs if out} & {a for _, a, out in pairs if not out}
    for side in (True, False):
        assert {g for g, _, out in pairs if out == side} == set(genres)


def test_genres_are_held_out_alike():
    genres, artists = music(3, n_genres=10, n_artists=25)
    for share in (0.25, 0.4):
        held_out = split_by_artist(genres, artists, share=share)
        for genre in set(genres):
            of_genre = np.array(genres) == genre
            assert held_out[of_genre].mean() == pytest.approx(share, abs=0.04)


def test_the_seed_decides():
    genres, artists = music(1, n_genres=4, n_artists=12)
    one, two, other = (split_by_artist(genres, artists, seed=seed) for seed in (1, 1, 2))
    assert (one == two).all()
    assert (one != other).any()


def test_two_artists_a_genre_are_enough():
    held_out = split_by_artist(["x"] * 12 + ["y"] * 2, ["p"] * 10 + ["q"] * 2 + ["r", "s"])
    assert held_out[:12].tolist() == [False] * 10 + [True] * 2
    assert sorted(held_out[12:].tolist()) == [False, True]


def test_a_genre_with_one_artist_is_refused_by_name():
    with pytest.raises(UnusableCorpus, match="all tracks of polka are by one artist"):
        split_by_artist(["jazz", "jazz", "polka", "polka"], ["a", "b", "c", "c"])


def test_artists_that_cannot_be_parted_are_refused():
    # c must be on both sides: it is half of each genre, and the others stand in two.
    genres = ["x", "x", "y", "y", "z", "z"]
    artists = ["a", "b", "b", "c", "c", "a"]
    with pytest.raises(UnusableCorpus, match="cannot be divided"):
        split_by_artist(genres, artists)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.2])
def test_a_share_that_is_none(share):
    with pytest.raises(ValueError, match="between 0 and 1"):
        split_by_artist(["x", "x"], ["a", "b"], share=share)
