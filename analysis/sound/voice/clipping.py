"""How much of a sound is cut off flat."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_FLAT = 2e-4  # of the peak, between neighbours
_LEAST_RUN = 3
_LEAST_LEVEL = 0.3  # of the peak


def share_percent(samples: npt.NDArray[np.floating]) -> float:
    """Share of the samples (n,) that stand in flat tops, in percent.

    A flat top is three or more equal neighbours (within 0.02 % of the peak) above 30 % of the
    peak. Measure at the recording's own rate: resampling rounds flat tops off.
    """
    if samples.size < _LEAST_RUN:
        return 0.0
    level = np.abs(samples)
    peak = float(level.max())
    if peak == 0.0:
        return 0.0
    high = level >= _LEAST_LEVEL * peak
    flat = (np.abs(np.diff(samples)) <= _FLAT * peak) & high[1:] & high[:-1]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat, [False]]).astype(np.int8)))
    lengths = np.diff(edges.reshape(-1, 2), axis=1)[:, 0] + 1
    return 100.0 * float(lengths[lengths >= _LEAST_RUN].sum()) / samples.size
