"""A distance in words that mean something: which share of all pairs lies farther apart.

Distances of random pairs are measured once for a space, in the background, over everything in it.
All askers get the same table, so it tells nobody about tracks that they may not see. No Django
here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

SHARES: tuple[float, ...] = (
    0.0,
    *(10.0**exponent * step for exponent in (-5, -4, -3) for step in (1, 2, 5)),
    *(percent / 100 for percent in range(1, 101)),
)
"""Shares (0..1) of pairs that lie nearer than the quantile beside them; dense where it is near."""

LEAST_PAIRS = 190
"""Those of twenty tracks. Of fewer a share says nothing."""

_MOST_PAIRS = 1_000_000
_CHUNK = 50_000


def quantiles(vectors: Float, owners: Sequence[object], *, seed: int = 0) -> list[float]:
    """Cosine distances of random pairs of unit vectors (n, d) of different owners, at
    :data:`SHARES`; empty if there are fewer than :data:`LEAST_PAIRS`.

    All pairs where they are few, else a million drawn with a fixed seed.
    """
    numbers = np.unique(np.array([str(owner) for owner in owners]), return_inverse=True)[1]
    count = len(vectors)
    if count * (count - 1) // 2 <= _MOST_PAIRS:
        first, second = np.triu_indices(count, 1)
    else:
        generator = np.random.default_rng(seed)
        first, second = generator.integers(0, count, (2, _MOST_PAIRS))
    differ = numbers[first] != numbers[second]
    first, second = first[differ], second[differ]
    if len(first) < LEAST_PAIRS:
        return []
    chunks = [slice(at, at + _CHUNK) for at in range(0, len(first), _CHUNK)]
    alike = [np.einsum("nd,nd->n", vectors[first[c]], vectors[second[c]]) for c in chunks]
    distances = 1.0 - np.concatenate(alike)
    found = np.maximum(np.quantile(distances, SHARES), 0.0)
    return [round(float(value), 7) for value in np.maximum.accumulate(found)]


def percentile(distance: float, table: Sequence[float]) -> float | None:
    """Share (0..100) of pairs that lie farther apart than ``distance``, rounded down to what can be
    said: tenths, and 99.9 at most. None without a table.

    Monotone: what is farther away never gets more.
    """
    if not table:
        return None
    nearer = float(np.interp(distance, table, SHARES))
    return min(99.9, math.floor(1_000.0 * (1.0 - nearer) + 1e-9) / 10.0)
