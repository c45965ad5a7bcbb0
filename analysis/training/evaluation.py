"""Figures for model cards: accuracy, calibration, retrieval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]


def accuracy(probabilities: Float, labels: Int) -> float:
    """Share of rows (n, k) whose largest probability is the label's."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def log_losses(probabilities: Float, labels: Int) -> npt.NDArray[np.float64]:
    """Minus the natural logarithm (n,) of the label's probability in each row (n, k); what is
    called impossible counts as one in a million million."""
    of_label = probabilities[np.arange(labels.size), labels].astype(np.float64)
    losses: npt.NDArray[np.float64] = -np.log(np.maximum(of_label, 1e-12))
    return losses


def recall_by_class(probabilities: Float, labels: Int, names: list[str]) -> dict[str, float]:
    """Share of each class's tracks that were named right."""
    answers = probabilities.argmax(axis=1)
    return {
        name: float((answers[labels == index] == index).mean())
        for index, name in enumerate(names)
        if (labels == index).any()
    }


def expected_calibration_error(probabilities: Float, labels: Int, *, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width bins (Guo et al. 2017)."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = 0.0
    for index in range(bins):
        inside = which == index
        if inside.any():
            gap += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return float(gap)


def mean_average_precision(embeddings: Float, groups: Sequence[str]) -> float:
    """mAP of ranking all others by cosine, relevant = same group; queries alone in theirs skip."""
    return _mean(average_precisions(embeddings, groups))


def average_precisions(
    embeddings: Float, groups: Sequence[str], *, left_out: Sequence[str] | None = None
) -> Float:
    """Average precision (n,) of each query; NaN where no other track is of its group.

    With ``left_out`` (for example artists) tracks that share the query's entry there are not
    ranked at all.
    """
    names = np.array(groups)
    similarity = embeddings @ embeddings.T
    others = ~np.eye(names.size, dtype=bool)
    if left_out is not None:
        owners = np.array(left_out)
        others &= owners[:, None] != owners
    scores = np.full(names.size, np.nan, dtype=np.float32)
    for query, (row, ranked) in enumerate(zip(similarity, others, strict=True)):
        candidates = np.flatnonzero(ranked)
        order = candidates[np.argsort(-row[candidates], kind="stable")]
        ranks = np.flatnonzero(names[order] == names[query]) + 1
        if ranks.size:
            scores[query] = (np.arange(1, ranks.size + 1) / ranks).mean()
    return scores


def hit_rate(embeddings: Float, groups: Sequence[str], *, k: int = 10) -> float:
    """Share of queries (of groups with two members or more) with one of theirs in the first k."""
    return _mean(hits(embeddings, groups, k=k))


def hits(embeddings: Float, groups: Sequence[str], *, k: int = 10) -> Float:
    """1 or 0 (n,): whether one of the query's group is in its first k; NaN if it is alone."""
    names = np.array(groups)
    similarity = embeddings @ embeddings.T
    np.fill_diagonal(similarity, -np.inf)
    found = np.full(names.size, np.nan, dtype=np.float32)
    for query, row in enumerate(similarity):
        if (names == names[query]).sum() > 1:
            nearest = np.argsort(-row)[: min(k, names.size - 1)]
            found[query] = (names[nearest] == names[query]).any()
    return found


def triplet_accuracy(embeddings: Float, groups: Sequence[str], *, seed: int = 0) -> float:
    """Share of random triplets (anchor, same group, other group) that lie in the right order."""
    return _mean(triplet_shares(embeddings, groups, seed=seed))


def triplet_shares(embeddings: Float, groups: Sequence[str], *, seed: int = 0) -> Float:
    """Share (n,) of 20 random triplets of each anchor in the right order; NaN if it is alone."""
    names = np.array(groups)
    generator = np.random.default_rng(seed)
    shares = np.full(names.size, np.nan, dtype=np.float32)
    for anchor, name in enumerate(names):
        same = np.flatnonzero((names == name) & (np.arange(names.size) != anchor))
        other = np.flatnonzero(names != name)
        if same.size == 0 or other.size == 0:
            continue
        near = embeddings[generator.choice(same, 20)] @ embeddings[anchor]
        far = embeddings[generator.choice(other, 20)] @ embeddings[anchor]
        shares[anchor] = (near > far).mean()
    return shares


def _mean(values: Float) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")


def unit(vectors: Float) -> Float:
    """Vectors (n, d) of length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
