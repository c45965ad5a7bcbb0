"""Fitting the head for energy, danceability, acousticness and valence on a trained trunk.

The targets are the features that :mod:`analysis.sound.features` measures on full-quality audio;
what the head sees of the same excerpt is the mel picture, through the frozen trunk. It is a ridge
regression on the pooled features, solved exactly: it takes seconds, and has nothing to seed but
the draw of the folds. Each feature's penalty is chosen on groups (artists, or the folder an
excerpt came from) that the solution has not seen, and its figures are taken on the same ones.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.stats
import torch

from analysis.neural.ears import Ears
from analysis.neural.listener import FEATURE_NAMES, ListeningNetwork
from analysis.neural.reference import Reference
from analysis.sound.features import from_descriptors
from analysis.training.excerpts import Excerpt
from analysis.training.genre_head import pool_pictures

log = logging.getLogger(__name__)

Float = npt.NDArray[np.float64]
UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FeatureRecipe:
    """Everything besides trunk and data that decides the head.

    ``penalties`` are per standardised input, relative to the number of examples. Targets are held
    off 0 and 1 by ``margin`` before they are turned into logits.

    No penalty above 3: where little can be heard of a feature, the held-out error hardly tells a
    strong penalty from a stronger one, and the stronger one leaves nothing but the trunk's loudest
    direction.
    """

    penalties: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    folds: int = 5
    margin: float = 0.03
    seed: int = 7


@dataclass(frozen=True)
class FeatureData:
    """Pictures (128, T), their features (n, 4) in 0..1, and the group of each."""

    pictures: Sequence[UInt8]
    targets: Float
    groups: Sequence[str]
    source: str

    @classmethod
    def measured(cls, excerpts: Sequence[Excerpt]) -> FeatureData:
        """Targets measured on the excerpts' sound."""
        found = [asdict(from_descriptors(excerpt.descriptors)) for excerpt in excerpts]
        return cls(
            pictures=[excerpt.mel for excerpt in excerpts],
            targets=np.array([[row[name] for name in FEATURE_NAMES] for row in found]),
            groups=[excerpt.group for excerpt in excerpts],
            source="measured on sound",
        )

    @classmethod
    def heard(cls, ears: Ears, pictures: Sequence[UInt8], groups: Sequence[str]) -> FeatureData:
        """Targets as ears that can hear them hear them: for a new trunk and no sound at hand."""
        pooled = pool(ears.network, pictures)
        with torch.inference_mode():
            targets = ears.network.feel(torch.from_numpy(pooled)).numpy().astype(np.float64)
        return cls(pictures, targets, groups, f"as heard by {ears.weights.identity}")


@dataclass(frozen=True)
class FeatureFit:
    """What fitting found: where the reference corpus lies, and the figures for the card."""

    reference: Reference
    figures: dict[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        """What the manifest's settings need."""
        return self.reference.settings()


def fit_features(
    network: ListeningNetwork,
    data: FeatureData,
    *,
    reference: Sequence[UInt8],
    corpus: str,
    genres: int,
    recipe: FeatureRecipe | None = None,
) -> FeatureFit:
    """Fit ``network.features`` in place.

    Parameters
    ----------
    reference : pictures (128, T) of the corpus whose percentiles the product gives
    corpus, genres : its name, and how many genres it has

    Raises ValueError for fewer than two groups.
    """
    recipe = recipe or FeatureRecipe()
    inputs = pool(network, data.pictures).astype(np.float64)
    folds = folds_by_group(data.groups, count=recipe.folds, seed=recipe.seed)
    logits = _logit(data.targets, recipe.margin)
    guesses = np.empty((len(recipe.penalties), *logits.shape))
    for fold in np.unique(folds):
        seen = folds != fold
        solved = _Ridge(inputs[seen], logits[seen])
        for at, penalty in enumerate(recipe.penalties):
            matrix, offset = solved.solution(penalty)
            guesses[at, ~seen] = _sigmoid(inputs[~seen] @ matrix + offset)
    errors = ((guesses - data.targets) ** 2).mean(axis=1)
    best = errors.argmin(axis=0)
    whole = _Ridge(inputs, logits)
    columns = [whole.solution(recipe.penalties[choice]) for choice in best]
    with torch.no_grad():
        for row, (matrix, offset) in enumerate(columns):
            network.features.weight[row] = torch.from_numpy(matrix[:, row])
            network.features.bias[row] = float(offset[row])
        felt = network.feel(torch.from_numpy(pool(network, reference))).numpy()
    held_out = np.stack([guesses[choice, :, row] for row, choice in enumerate(best)], axis=1)
    figures: dict[str, Any] = {
        "targets": data.source,
        "excerpts": len(data.groups),
        "groups": len(set(data.groups)),
    }
    for row, name in enumerate(FEATURE_NAMES):
        figures[name] = {
            "held_out_r2": r_squared(held_out[:, row], data.targets[:, row]),
            "held_out_rank_correlation": float(
                scipy.stats.spearmanr(held_out[:, row], data.targets[:, row]).statistic
            ),
            "penalty": recipe.penalties[best[row]],
        }
        log.info("%s %s", name, figures[name])
    values = {name: felt[:, row] for row, name in enumerate(FEATURE_NAMES)}
    return FeatureFit(Reference.of(values, corpus=corpus, genres=genres), figures)


def pool(network: ListeningNetwork, pictures: Sequence[UInt8]) -> npt.NDArray[np.float32]:
    """Pooled trunk features (n, 512) of pictures (128, T), as the ears take them of a track."""
    return np.stack([rows.mean(axis=0) for rows in pool_pictures(network, pictures)])


def folds_by_group(groups: Sequence[str], *, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Fold (n,) of each example: whole groups, the largest first into the emptiest fold."""
    names, which, sizes = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    if names.size < 2:
        raise ValueError(f"one group cannot be held out of itself: {names.tolist()}")
    order = np.random.default_rng(seed).permutation(names.size)
    filled = np.zeros(min(count, names.size))
    fold_of = np.empty(names.size, dtype=np.int64)
    for group in sorted(order, key=lambda group: -sizes[group]):
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    return fold_of[which]


def r_squared(guesses: Float, truth: Float) -> float:
    """Share of the truth's variance that the guesses explain; below 0 is worse than its mean."""
    return float(1.0 - ((guesses - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def ridge(inputs: Float, targets: Float, *, penalty: float) -> tuple[Float, Float]:
    """Matrix (d, k) and offset (k,) that map inputs (n, d) to targets (n, k).

    Minimises the mean of the squared errors plus ``penalty`` times the squared size of the matrix
    for inputs scaled to a variance of one.
    """
    return _Ridge(inputs, targets).solution(penalty)


class _Ridge:
    """Ridge regression for any penalty, from one eigendecomposition."""

    def __init__(self, inputs: Float, targets: Float) -> None:
        self._mean = inputs.mean(axis=0)
        self._spread = inputs.std(axis=0) + 1e-6
        self._middle = targets.mean(axis=0)
        scaled = (inputs - self._mean) / self._spread
        count = len(inputs)
        self._values, self._vectors = np.linalg.eigh(scaled.T @ scaled / count)
        self._towards = self._vectors.T @ (scaled.T @ (targets - self._middle)) / count

    def solution(self, penalty: float) -> tuple[Float, Float]:
        """Matrix (d, k) and offset (k,) for inputs as they are."""
        shrunk = self._towards / (np.maximum(self._values, 0.0) + penalty)[:, None]
        matrix = (self._vectors @ shrunk) / self._spread[:, None]
        return matrix, self._middle - self._mean @ matrix


def _logit(shares: Float, margin: float) -> Float:
    held = np.clip(shares, margin, 1.0 - margin)
    return np.log(held / (1.0 - held))


def _sigmoid(logits: Float) -> Float:
    return 1.0 / (1.0 + np.exp(-logits))
