"""Made-up embeddings that lie like real ones. No Django here.

``like_real.npz`` is a mixture of 64 Gaussians in 128 dimensions (mean, eight directions, and the
same deviation in all others), fitted to the shipped model's embeddings of 4,473 ten-second windows
of the 639 tracks of GTZAN's train and valid lists. As many points drawn from it lie as the real
ones do: how near the nearest and the tenth neighbour are, how many dimensions there seem to be
around a point (Levina & Bickel 2004), and how far apart random pairs are (``docs/discovery.md``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

_FILE = Path(__file__).with_name("like_real.npz")
_CHUNK = 50_000


def embeddings(count: int, *, seed: int) -> tuple[Float, npt.NDArray[np.int16]]:
    """Unit vectors (count, 128) and the number of the Gaussian (count,) that each is from.

    The first n of a longer draw are those of a shorter one.
    """
    with np.load(_FILE) as file:
        means = file["means"].astype(np.float32)
        factors = file["factors"].astype(np.float32)
        rest = file["rest"].astype(np.float32)
        weights = file["weights"].astype(np.float64)
    vectors = np.empty((count, means.shape[1]), dtype=np.float32)
    groups = np.empty(count, dtype=np.int16)
    for at in range(0, count, _CHUNK):
        generator = np.random.default_rng((seed, at))
        of = generator.choice(len(weights), _CHUNK, p=weights / weights.sum())
        along = generator.standard_normal((_CHUNK, factors.shape[1]), dtype=np.float32)
        made = (
            means[of]
            + generator.standard_normal((_CHUNK, means.shape[1]), dtype=np.float32)
            * (rest[of, None])
        )
        for group in range(len(weights)):
            inside = of == group
            made[inside] += along[inside] @ factors[group]
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        size = min(_CHUNK, count - at)
        vectors[at : at + size], groups[at : at + size] = made[:size], of[:size]
    return vectors, groups


def as_stored(vectors: Float) -> Float:
    """What is left of vectors in half precision, of length one again."""
    rounded = vectors.astype(np.float16).astype(np.float32)
    return rounded / np.linalg.norm(rounded, axis=1, keepdims=True)


def nearest(
    vectors: Float, queries: Float, k: int, *, keep: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.int64]:
    """Rows of the ``k`` nearest ``vectors`` to each query (q, k), nearest first: by comparing with
    all of them, or with those that ``keep`` says."""
    rows = np.arange(len(vectors)) if keep is None else np.flatnonzero(keep)
    best_rows = np.zeros((len(queries), 0), dtype=np.int64)
    best = np.zeros((len(queries), 0), dtype=np.float32)
    for at in range(0, len(rows), _CHUNK):
        part = rows[at : at + _CHUNK]
        alike = queries @ vectors[part].T
        few = np.argpartition(-alike, min(k, len(part)) - 1, axis=1)[:, :k]
        best = np.concatenate([best, np.take_along_axis(alike, few, axis=1)], axis=1)
        best_rows = np.concatenate([best_rows, part[few]], axis=1)
        order = np.argsort(-best, axis=1)[:, :k]
        best = np.take_along_axis(best, order, axis=1)
        best_rows = np.take_along_axis(best_rows, order, axis=1)
    return best_rows
