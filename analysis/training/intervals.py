"""How far a figure on few tracks can be trusted: bootstrap intervals that resample artists.

Tracks of one artist are not independent of each other, so whole artists are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % percentile bootstrap interval."""

    mean: float
    low: float
    high: float


def mean_by_artist(
    values: npt.NDArray[np.floating], artists: Sequence[str], *, draws: int = 4_000, seed: int = 0
) -> Interval:
    """Mean of values (n,), NaN left out, with the interval when artists are drawn anew."""
    known = ~np.isnan(values)
    if not known.any():
        return Interval(float("nan"), float("nan"), float("nan"))
    _, group = np.unique(np.array(artists)[known], return_inverse=True)
    sums = np.bincount(group, weights=values[known])
    counts = np.bincount(group)
    generator = np.random.default_rng(seed)
    picks = generator.multinomial(counts.size, np.full(counts.size, 1 / counts.size), size=draws)
    means = (picks @ sums) / (picks @ counts)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(values[known].mean()), float(low), float(high))
