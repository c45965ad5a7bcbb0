"""Figures for model cards: accuracy, calibration, retrieval."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]


def accuracy(probabilities: Float, labels: Int) -> float:
    """Share of rows (n, k) whose largest probability is the label's."""
    return float((probabilities.argmax(axis=1) == labels).mean())


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


def mean_average_precision(embeddings: Float, groups: list[str]) -> float:
    """mAP of ranking all others by cosine, relevant = same group; queries alone in theirs skip."""
    names = np.array(groups)
    similarity = embeddings @ embeddings.T
    np.fill_diagonal(similarity, -np.inf)
    scores = []
    for row, name in zip(similarity, names, strict=True):
        order = np.argsort(-row)[:-1]
        relevant = names[order] == name
        if relevant.any():
            ranks = np.flatnonzero(relevant) + 1
            scores.append(float((np.arange(1, ranks.size + 1) / ranks).mean()))
    return float(np.mean(scores)) if scores else float("nan")


def hit_rate(embeddings: Float, groups: list[str], *, k: int = 10) -> float:
    """Share of queries (of groups with two members or more) with one of theirs in the first k."""
    names = np.array(groups)
    similarity = embeddings @ embeddings.T
    np.fill_diagonal(similarity, -np.inf)
    hits = []
    for row, name in zip(similarity, names, strict=True):
        if (names == name).sum() > 1:
            hits.append(bool((names[np.argsort(-row)[:k]] == name).any()))
    return float(np.mean(hits)) if hits else float("nan")


def triplet_accuracy(embeddings: Float, groups: list[str], *, seed: int = 0) -> float:
    """Share of random triplets (anchor, same group, other group) that lie in the right order."""
    names = np.array(groups)
    generator = np.random.default_rng(seed)
    right = total = 0
    for anchor, name in enumerate(names):
        same = np.flatnonzero((names == name) & (np.arange(names.size) != anchor))
        other = np.flatnonzero(names != name)
        if same.size == 0 or other.size == 0:
            continue
        positives = generator.choice(same, 20)
        negatives = generator.choice(other, 20)
        near = embeddings[positives] @ embeddings[anchor]
        far = embeddings[negatives] @ embeddings[anchor]
        right += int((near > far).sum())
        total += 20
    return right / total if total else float("nan")
