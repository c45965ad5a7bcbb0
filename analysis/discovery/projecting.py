"""A plane out of the space of similarity: what lies near in 128 dimensions shall lie near in two.

t-SNE on the cosine geometry of unit vectors (van der Maaten & Hinton 2008, "Visualizing Data using
t-SNE"; Poličar, Stražar & Zupan 2024, "openTSNE: A Modular Python Library for t-SNE Dimensionality
Reduction and Embedding", J. Stat. Softw. 109). A map that is drawn again starts from the old places
and is turned back onto them, so that people find their way. No Django here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]

NEIGHBOURS = 10
"""How many of each track's nearest are asked for again on the map."""

_PERPLEXITY = 30.0
_STEPS, _STEPS_AGAIN = 500, 250
_EXACT_UP_TO = 3_000
_PLACED_BY = 5
_JUDGED = 1_000
_BLOCK = 256


def learn(vectors: Float, start: Double | None = None, *, seed: int = 0) -> Double:
    """Places (n, 2) of unit vectors (n, d), n at least 4, in units of the map: the median distance
    from the middle is 1. With ``start`` (n, 2) as the old places, the new map stays as near to
    them as it can. The same input gives the same map."""
    # Heavy; only workers need it.
    from openTSNE import TSNEEmbedding, initialization
    from openTSNE.affinity import PerplexityBasedNN

    count = len(vectors)
    affinities = PerplexityBasedNN(
        vectors,
        perplexity=min(_PERPLEXITY, (count - 1) / 3.0),
        method="exact" if count <= _EXACT_UP_TO else "annoy",
        metric="euclidean",
        n_jobs=1,
        random_state=seed,
    )
    method = "bh" if count <= 10_000 else "fft"
    if start is not None:
        # t-SNE's maps are tens of units wide; from so far apart nothing moves across the map.
        old = np.asarray(start, dtype=np.float64) * 10.0
        embedding = TSNEEmbedding(old, affinities, negative_gradient_method=method, n_jobs=1)
        again = embedding.optimize(n_iter=_STEPS_AGAIN, momentum=0.8)
        return turned_onto(np.asarray(again, dtype=np.float64), start)
    first = initialization.pca(vectors, random_state=seed)
    embedding = TSNEEmbedding(first, affinities, negative_gradient_method=method, n_jobs=1)
    embedding = embedding.optimize(n_iter=250, exaggeration=12.0, momentum=0.5)
    embedding = embedding.optimize(n_iter=_STEPS, momentum=0.8)
    return centred(np.asarray(embedding, dtype=np.float64))


def centred(places: Double) -> Double:
    """Places around the middle, at a median distance of 1 from it."""
    moved = places - np.median(places, axis=0)
    return moved / max(float(np.median(np.hypot(*moved.T))), 1e-9)


def turned_onto(places: Double, old: Double) -> Double:
    """Places (n, 2) turned, mirrored, scaled and shifted to lie as near to ``old`` (n, 2) as they
    can (orthogonal Procrustes; Schönemann 1966)."""
    middle, old_middle = places.mean(axis=0), old.mean(axis=0)
    here, there = places - middle, old - old_middle
    left, singular, right = np.linalg.svd(here.T @ there)
    scale = singular.sum() / max(float((here**2).sum()), 1e-12)
    return scale * here @ (left @ right) + old_middle


def placed(vectors: Float, known: Float, places: Double, *, seed: int = 0) -> Double:
    """Places (m, 2) for new unit vectors (m, d) on a map that stays as it is: the median of the
    places (n, 2) of the nearest known vectors (n, d), and a hair beside it."""
    found = np.empty((len(vectors), 2))
    near = min(_PLACED_BY, len(known))
    for begin in range(0, len(vectors), _BLOCK):
        alike = vectors[begin : begin + _BLOCK] @ known.T
        nearest = np.argpartition(-alike, near - 1, axis=1)[:, :near]
        found[begin : begin + _BLOCK] = np.median(places[nearest], axis=1)
    return found + np.random.default_rng(seed).normal(scale=0.01, size=found.shape)


def kept_neighbours(vectors: Float, places: Double, *, seed: int = 0) -> tuple[float, float]:
    """The share of each track's ten nearest that are among its ten nearest on the map, and what
    places by lot would keep; over a thousand tracks at most."""
    count = len(vectors)
    near = min(NEIGHBOURS, count - 1)
    chosen = np.random.default_rng(seed).permutation(count)[:_JUDGED]
    kept = 0
    for track in chosen:
        alike = vectors @ vectors[track]
        far = np.hypot(*(places - places[track]).T)
        alike[track], far[track] = -np.inf, np.inf
        kept += np.intersect1d(
            np.argpartition(-alike, near - 1)[:near], np.argpartition(far, near - 1)[:near]
        ).size
    return kept / (near * len(chosen)), near / (count - 1)


def moved_by(places: Double, old: Double) -> float:
    """How far tracks went from one map to the next: the median, where the median distance of the
    old places from their middle is 1."""
    size = float(np.median(np.hypot(*(old - np.median(old, axis=0)).T)))
    return float(np.median(np.hypot(*(places - old).T))) / max(size, 1e-9)
