"""What may be expected of weights that have learned from the held-out tracks as well.

Weights that ship have, and so cannot be measured. Their genre heads are fitted anew instead, on the
training tracks and on the held-out ones of all but a fifth of the artists, and asked about that
fifth. Trunk and tagger stay as they are: they have not learned from labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from analysis.neural.listener import ListeningNetwork
from analysis.training.calibration import Calibration, artist_folds, calibration, cross_fitted
from analysis.training.companion_heads import agree_on, heard_in
from analysis.training.datasets import MelCorpus
from analysis.training.genre_head import HeadRecipe, discriminant, features_by_kind, joined
from analysis.training.heads import fit_temperature
from analysis.training.held_out import together
from analysis.training.intervals import Interval, mean_by_artist

Float = npt.NDArray[np.float32]
Kinds = Sequence[Sequence[Float]]

FOLDS = 5


@dataclass(frozen=True)
class FoldFigures:
    """``learned_from`` is the mean number of tracks that the heads of a fold were fitted on.
    Temperatures are those that the other artists ask for."""

    tracks: int
    artists: int
    folds: int
    learned_from: float
    accuracy: Interval
    calibration: Calibration


def by_folds(
    network: ListeningNetwork,
    train: MelCorpus,
    held_out: MelCorpus,
    *,
    folds: int = FOLDS,
    seed: int = 0,
) -> FoldFigures:
    """Figures on the mel pictures of the held-out tracks; ``network`` is left untouched."""
    everything = together({"train": train, "held out": held_out})
    pictures, recipe = list(everything.pictures()), HeadRecipe()
    listeners: list[Kinds] = [features_by_kind(network, pictures, recipe=recipe)]
    if network.picture_companion is not None:
        heard = heard_in(network.picture_companion.taggers, pictures)
        listeners.append([[rows] for rows in heard])
    fold = artist_folds(held_out.artists, folds=folds, seed=seed)
    logits = np.zeros((len(listeners), len(held_out), len(held_out.names)), dtype=np.float32)
    learned_from = []
    for index in np.unique(fold):
        asked = np.flatnonzero(fold == index)
        taught = np.concatenate([np.arange(len(train)), len(train) + np.flatnonzero(fold != index)])
        learned_from.append(taught.size)
        for listener, kinds in enumerate(listeners):
            matrix, offset = discriminant(
                joined([kinds[row] for row in taught.tolist()]),
                everything.labels[taught],
                classes=len(held_out.names),
                shrinkage=recipe.shrinkage,
            )
            for row in asked.tolist():
                windows = kinds[len(train) + row][0]
                logits[listener, row] = (windows @ matrix.T + offset).mean(axis=0)
    both = logits[0]
    if len(listeners) > 1:
        agreed = agree_on(both, logits[1], held_out.labels)
        both, temperature = both + agreed.share * logits[1], agreed.temperature
    else:
        temperature = fit_temperature(both, held_out.labels)
    answers = functional.softmax(torch.from_numpy(both / np.float32(temperature)), dim=1).numpy()
    right = (answers.argmax(axis=1) == held_out.labels).astype(np.float32)
    return FoldFigures(
        tracks=len(held_out),
        artists=len(set(held_out.artists)),
        folds=len(learned_from),
        learned_from=float(np.mean(learned_from)),
        accuracy=mean_by_artist(right, held_out.artists),
        calibration=calibration(
            cross_fitted(answers, held_out.labels, held_out.artists), held_out.labels
        ),
    )
