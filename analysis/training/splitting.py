"""Dividing tracks into training and validation so that no artist stands on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analysis.training.labelled_files import UnusableCorpus

_TRIES = 64

Counts = npt.NDArray[np.int64]


def split_by_artist(
    genres: Sequence[str], artists: Sequence[str], *, share: float = 0.25, seed: int = 7
) -> npt.NDArray[np.bool_]:
    """Which of n tracks are for validation, booleans (n,).

    Whole artists are put on one side, such that each genre has about ``share`` of its tracks in
    validation, and at least one on either side. Of many seeded tries the evenest one is taken.

    Raises
    ------
    UnusableCorpus
        For a genre with a single artist, or where artists are so entangled that no division exists.
    ValueError
        If ``share`` is not between 0 and 1.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"the validation share must lie between 0 and 1, got {share}")
    names, genre_at = np.unique(np.array(genres), return_inverse=True)
    people, artist_at = np.unique(np.array(artists), return_inverse=True)
    counts = np.zeros((len(people), len(names)), dtype=np.int64)
    np.add.at(counts, (artist_at, genre_at), 1)
    alone = [str(name) for name, row in zip(names, counts.T, strict=True) if (row > 0).sum() < 2]
    if alone:
        raise UnusableCorpus(
            f"all tracks of {', '.join(alone)} are by one artist: a second one is needed, so that "
            "the model can be checked on music of somebody it has never heard"
        )
    generator = np.random.default_rng(seed)
    best, least = None, np.inf
    for _ in range(_TRIES):
        chosen = _repaired(_greedy(counts, share, generator.permutation(len(people))), counts)
        cost = _cost(counts[chosen].sum(0), counts.sum(0), share)
        if _is_whole(chosen, counts) and cost < least:
            best, least = chosen, cost
    if best is None:
        raise UnusableCorpus(
            "the artists cannot be divided: some play in several genres, and no division leaves "
            "every genre on both sides. Add artists that play in one genre only"
        )
    return best[artist_at]


def _cost(held_out: Counts, total: Counts, share: float) -> float:
    """Sum over genres of the squared error of their share in validation."""
    return float((((held_out / total) - share) ** 2).sum())


def _greedy(counts: Counts, share: float, order: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Take artists in turn if validation comes nearer to its share by it."""
    total = counts.sum(0)
    chosen = np.zeros(len(counts), dtype=bool)
    held_out = np.zeros_like(total)
    for artist in order:
        with_them = held_out + counts[artist]
        if _cost(with_them, total, share) < _cost(held_out, total, share):
            chosen[artist] = True
            held_out = with_them
    return chosen


def _repaired(chosen: npt.NDArray[np.bool_], counts: Counts) -> npt.NDArray[np.bool_]:
    """Bring every genre to both sides by moving its smallest artist."""
    chosen = chosen.copy()
    for side in (True, False):
        for genre in range(counts.shape[1]):
            there = counts[chosen == side, genre].sum()
            if there == 0:
                players = np.flatnonzero(counts[:, genre])
                chosen[players[counts[players, genre].argmin()]] = side
    return chosen


def _is_whole(chosen: npt.NDArray[np.bool_], counts: Counts) -> bool:
    return bool((counts[chosen].sum(0) > 0).all() and (counts[~chosen].sum(0) > 0).all())
