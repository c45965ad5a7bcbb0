"""Two protocols that need trainings of their own: the leaky one, and one genre left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from analysis.neural import familiarity
from analysis.neural.listener import ListeningNetwork
from analysis.training.augment import Augmentation
from analysis.training.datasets import MelCorpus
from analysis.training.distributed import pick_device
from analysis.training.features import pool
from analysis.training.genre import hear_tracks, train_trunk
from analysis.training.held_out import subset
from analysis.training.recipe import Recipe, WindowPlan

SLICES_PER_TRACK = 10
TRAIN_SHARE = 0.8
# Windows as wide as the slices, and masks that leave something of them.
LEAKY_RECIPE = Recipe(
    epochs=16,
    crops_per_track=1,
    batch_size=64,
    windows=WindowPlan(widths=(40,)),
    augmentation=Augmentation(mask_columns=6, short=0.0),
)

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
    epochs: int


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


def leaky(
    corpus: MelCorpus, *, run_dir: Path, recipe: Recipe = LEAKY_RECIPE, device: str = "auto"
) -> LeakyFigures:
    """Train on a random 80 % of all slices and test on the rest; resumes in ``run_dir``."""
    pieces = slices(corpus)
    order = np.random.default_rng(recipe.seed).permutation(len(pieces))
    n_training = round(TRAIN_SHARE * len(pieces))
    training = subset(pieces, np.sort(order[:n_training]))
    test = subset(pieces, np.sort(order[n_training:]))
    network = train_trunk(training, recipe=recipe, run_dir=run_dir, device=device)
    where = pick_device(device)
    logits, _, _ = hear_tracks(network.to(where), test.mel, device=where)
    songs = {piece.rpartition("/")[0] for piece in training.ids}
    return LeakyFigures(
        accuracy=float((logits.argmax(axis=1) == test.labels).mean()),
        training_slices=len(training),
        test_slices=len(test),
        same_song_in_training=float(np.mean([p.rpartition("/")[0] in songs for p in test.ids])),
        epochs=recipe.epochs,
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

    A fifth of the artists stands for the held-out music that distances are measured in.
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
        known = familiarity.fit(features[inside], corpus.labels[inside], features[~inside])
        return lambda some: -known.distance(pooled(some))

    return fit
