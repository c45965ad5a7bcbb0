"""Does "80 % sure" mean right in 80 of 100 cases? Estimates that say how far they can be trusted.

The expected calibration error of few tracks is biased upward: a perfectly calibrated model does not
score 0 on two hundred of them (Roelofs et al. 2022, "Mitigating bias in calibration error
estimation"). What such a model would score is therefore reported beside it, and two estimates with
less bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.training.evaluation import accuracy, expected_calibration_error, log_losses
from analysis.training.heads import fit_temperature

Float = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]

_FOLDS = 10
_DRAWS = 2_000


@dataclass(frozen=True)
class Calibration:
    """Calibration of n answers.

    ``ece`` has 15 bins of equal width; ``perfect_mean`` and ``perfect_p95`` are the mean and the
    95th percentile of the same figure for a perfectly calibrated model that is as sure as this one
    is on as many tracks. ``sweep`` (equal-mass bins, as many as keep accuracy rising with
    confidence) and ``debiased_rms`` (root mean square, sampling noise subtracted) are biased less.
    ``log_loss`` is the mean of minus the natural logarithm of the truth's probability.
    """

    ece: float
    perfect_mean: float
    perfect_p95: float
    sweep: float
    debiased_rms: float
    mean_confidence: float
    accuracy: float
    log_loss: float


def calibration(probabilities: Float, labels: Int, *, seed: int = 0) -> Calibration:
    """All estimates for probabilities (n, k) and labels (n,)."""
    mean, p95 = error_of_a_perfect_model(probabilities, seed=seed)
    return Calibration(
        ece=expected_calibration_error(probabilities, labels),
        perfect_mean=mean,
        perfect_p95=p95,
        sweep=sweep_calibration_error(probabilities, labels),
        debiased_rms=debiased_calibration_error(probabilities, labels),
        mean_confidence=float(probabilities.max(axis=1).mean()),
        accuracy=accuracy(probabilities, labels),
        log_loss=float(log_losses(probabilities, labels).mean()),
    )


def error_of_a_perfect_model(
    probabilities: Float, *, bins: int = 15, draws: int = _DRAWS, seed: int = 0
) -> tuple[float, float]:
    """Mean and 95th percentile of the expected calibration error (equal-width bins) if the truth
    were drawn from the probabilities (n, k) themselves."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    membership = np.eye(bins)[which]
    generator = np.random.default_rng(seed)
    right = generator.uniform(size=(draws, confidence.size)) < confidence
    # Each bin adds |sum of confidence - sum of right answers| / n.
    gaps = np.abs((confidence - right) @ membership).sum(axis=1) / confidence.size
    return float(gaps.mean()), float(np.percentile(gaps, 95))


def sweep_calibration_error(probabilities: Float, labels: Int) -> float:
    """ECE-sweep of Roelofs et al. 2022: equal-mass bins, as many as there can be while accuracy
    does not fall from a bin to the next surer one."""
    confidence, right = _sorted(probabilities, labels)
    best = abs(confidence.mean() - right.mean())
    for bins in range(2, confidence.size + 1):
        surest = [part.mean() for part in np.array_split(confidence, bins)]
        truth = [part.mean() for part in np.array_split(right, bins)]
        if np.any(np.diff(truth) < 0):
            break
        share = [part.size / right.size for part in np.array_split(right, bins)]
        best = float(np.abs(np.subtract(surest, truth)) @ share)
    return float(best)


def debiased_calibration_error(probabilities: Float, labels: Int, *, bins: int = 15) -> float:
    """Root-mean-square calibration error over equal-mass bins with the bins' sampling variance
    subtracted (Kumar, Liang & Ma 2019, "Verified uncertainty calibration"); 0 if that is more."""
    confidence, right = _sorted(probabilities, labels)
    squared = 0.0
    bins = min(bins, confidence.size // 2)
    for sure, hit in zip(
        np.array_split(confidence, bins), np.array_split(right, bins), strict=True
    ):
        noise = hit.mean() * (1 - hit.mean()) / (hit.size - 1)
        squared += hit.size / right.size * ((sure.mean() - hit.mean()) ** 2 - noise)
    return float(np.sqrt(max(0.0, squared)))


def _sorted(
    probabilities: Float, labels: Int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    order = np.argsort(confidence, kind="stable")
    return confidence[order], right[order]


def cross_fitted(
    probabilities: Float, labels: Int, artists: Sequence[str], *, folds: int = _FOLDS, seed: int = 0
) -> Float:
    """Probabilities (n, k) whose temperature was fitted on other artists' tracks.

    A temperature that was fitted on the very tracks would flatter. Logits are recovered from the
    probabilities up to a constant, which softmax does not see.
    """
    logits = np.log(np.maximum(probabilities, 1e-12)).astype(np.float32)
    fold = artist_folds(artists, folds=folds, seed=seed)
    fitted = probabilities.copy()
    for index in np.unique(fold):
        inside = fold == index
        if inside.all():
            break
        scaled = logits[inside] / fit_temperature(logits[~inside], labels[~inside])
        scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        fitted[inside] = scaled / scaled.sum(axis=1, keepdims=True)
    return fitted


def artist_folds(artists: Sequence[str], *, folds: int, seed: int) -> Int:
    """The fold (n,) of each track: artists stay together, and are spread evenly by lot."""
    names = sorted(set(artists))
    shuffled = np.random.default_rng(seed).permutation(len(names))
    fold_of = dict(zip(names, (shuffled % min(folds, len(names))).tolist(), strict=True))
    return np.array([fold_of[artist] for artist in artists])
