"""Two protocols that fit heads of their own: the leaky one, and one genre left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import roc_auc_score

from analysis.neural import familiarity
from analysis.neural.listener import ListeningNetwork
from analysis.neural.windows import wide_enough
from analysis.training.datasets import MelCorpus
from analysis.training.features import pool
from analysis.training.genre_head import Examples, HeadRecipe, fit_genre_head, pool_windows
from analysis.training.held_out import subset

SLICES_PER_TRACK = 10
TRAIN_SHARE = 0.8
# Little: here there is nothing to lose by learning the songs.
LEAKY_SHRINKAGE = 0.01

Scorer = Callable[[MelCorpus], npt.NDArray[np.floating]]
Fit = Callable[[MelCorpus], Scorer]


@dataclass(frozen=True)
class LeakyFigures:
    """Accuracy on slices of about 3 s that were split at random: nearly every test slice has
    slices of its own song among the training ones (``same_song_in_training``). For comparison with
    figures taken that way only."""

    accuracy: float
    training_slices: int
    test_slices: int
    same_song_in_training: float


def slices(corpus: MelCorpus, *, per_track: int = SLICES_PER_TRACK) -> MelCorpus:
    """Each picture (128, T) cut into ``per_track`` slices of T // per_track columns."""
    n_columns = corpus.mel.shape[2]
    width = n_columns // per_track
    starts = [index * n_columns // per_track for index in range(per_track)]
    cut = np.stack([corpus.mel[:, :, start : start + width] for start in starts], axis=1)
    return MelCorpus(
        ids=[f"{track}/{index}" for track in corpus.ids for index in range(per_track)],
        mel=cut.reshape(-1, corpus.mel.shape[1], width),
        labels=np.repeat(corpus.labels, per_track),
        names=corpus.names,
        artists=[artist for artist in corpus.artists for _ in range(per_track)],
    )


def leaky(corpus: MelCorpus, network: ListeningNetwork) -> LeakyFigures:
    """Fit a genre head on a random 80 % of all slices, and test it on the rest.

    ``network``'s trunk stays as it is; its own genre head is left untouched.
    """
    recipe = replace(HeadRecipe(), shrinkage=LEAKY_SHRINKAGE)
    pieces = slices(corpus)
    pooled = np.concatenate([pool_windows(network, wide_enough(p)[None]) for p in pieces.mel])
    order = np.random.default_rng(recipe.seed).permutation(len(pieces))
    training, test = np.split(order, [round(TRAIN_SHARE * len(pieces))])
    examples = Examples(
        pooled[training], np.arange(training.size), np.ones(training.size, dtype=np.float32)
    )
    learner = ListeningNetwork(len(corpus.names))
    fit_genre_head(learner, examples, pieces.labels[training], recipe=recipe)
    with torch.inference_mode():
        answers = learner.genre(torch.from_numpy(pooled[test])).numpy().argmax(axis=1)
    songs = np.array([piece.rpartition("/")[0] for piece in pieces.ids])
    return LeakyFigures(
        accuracy=float((answers == pieces.labels[test]).mean()),
        training_slices=int(training.size),
        test_slices=int(test.size),
        same_song_in_training=float(np.isin(songs[test], songs[training]).mean()),
    )


@dataclass(frozen=True)
class FamiliarityFigures:
    """Area under the ROC curve, for each genre left out of the training: is its music less familiar
    than held-out music of the other genres? 0.5 is chance."""

    mean: float
    by_genre: dict[str, float]
    held_out_tracks: int


def one_genre_left_out(
    train: MelCorpus,
    held_out: MelCorpus,
    fit: Fit,
    *,
    genres: Sequence[str] | None = None,
) -> FamiliarityFigures:
    """Leave out each genre in turn.

    ``fit`` gets the training corpus without the genre (its names and labels too) and gives a scorer
    of corpora: familiarity (n,), more is more familiar. The held-out tracks of the genre are the
    unknown ones, all other held-out tracks the known ones.
    """
    areas = {}
    for genre in genres or train.names:
        scores = fit(without_genre(train, genre))(held_out)
        known = held_out.labels != held_out.names.index(genre)
        areas[genre] = float(roc_auc_score(known, scores))
    return FamiliarityFigures(float(np.mean(list(areas.values()))), areas, len(held_out))


def without_genre(corpus: MelCorpus, genre: str) -> MelCorpus:
    """A corpus that has never heard of a genre: its tracks and its name are gone."""
    index = corpus.names.index(genre)
    kept = subset(corpus, np.flatnonzero(corpus.labels != index))
    names = [name for name in corpus.names if name != genre]
    return replace(kept, names=names, labels=kept.labels - (kept.labels > index))


def familiarity_on(network: ListeningNetwork) -> Fit:
    """The product's familiarity on a trunk that has not learned from genre labels, so that one
    trunk serves for every genre left out.

    Both distances are weighed against each other by music of a fifth of the artists, to whom the
    distances were strange; as everything else they then come from all training tracks.
    """
    heard: dict[str, npt.NDArray[np.float32]] = {}

    def pooled(some: MelCorpus) -> npt.NDArray[np.float32]:
        for track, picture in zip(some.ids, some.pictures(), strict=True):
            if track not in heard:
                heard[track] = pool(network, [picture])[0]
        return np.stack([heard[track] for track in some.ids])

    def fit(corpus: MelCorpus) -> Scorer:
        artists = np.random.default_rng(0).permutation(sorted(set(corpus.artists)))
        aside = set(artists[: len(artists) // 5].tolist())
        inside = np.array([artist not in aside for artist in corpus.artists])
        features = pooled(corpus)
        weighed = familiarity.fit(features[inside], corpus.labels[inside], features[~inside])
        known = replace(
            familiarity.fit(features, corpus.labels, features),
            middle=weighed.middle,
            spread=weighed.spread,
        )
        return lambda some: -known.distance(pooled(some))

    return fit
