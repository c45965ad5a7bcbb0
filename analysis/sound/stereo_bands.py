"""The stereo image band by band, from the cross spectrum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.sound.decibels import ratio_db

LOW_END_HZ = (20.0, 120.0)
"""What vinyl, clubs and small speakers want in the middle."""

MOST_LOSS_DB = 60.0
_TINY = 1e-9

Between = Callable[[float, float], float]


@dataclass(frozen=True)
class BandImage:
    """How left and right relate between two frequencies in Hz.

    ``correlation`` is sum(LR) / sqrt(sum(L^2) sum(R^2)), ``width`` side / (mid + side) in 0..1,
    ``balance_db`` right over left; None where a side is silent. ``mono_loss_db`` is how far the
    power of the mono sum falls below the mean of both channels: 0 for mono, 3 for unrelated
    channels, at most 60. ``level_db`` is the band's power beside that of the whole.
    """

    name: str
    low_hz: float
    high_hz: float
    level_db: float | None
    correlation: float | None
    mono_loss_db: float | None
    width: float | None
    balance_db: float | None


def band_image(
    name: str,
    low_hz: float,
    high_hz: float,
    *,
    power: Between,
    cross: Between,
    difference: Between,
    total: float,
) -> BandImage:
    """Image of one band.

    ``power``, ``cross`` and ``difference`` give (|L|^2 + |R|^2) / 2, Re(L R*) and
    (|L|^2 - |R|^2) / 2 summed between two frequencies; ``total`` is the power of the whole.
    """
    both, together, apart = (part(low_hz, high_hz) for part in (power, cross, difference))
    left, right = max(0.0, both + apart), max(0.0, both - apart)
    if not both > 1e-14 * total:
        return BandImage(name, low_hz, high_hz, None, None, None, None, None)
    energy = (left * right) ** 0.5
    one_sided = min(left, right) <= _TINY * both
    mono_db = ratio_db(max(0.0, both + together), 2.0 * both)
    loss_db = MOST_LOSS_DB if mono_db is None else min(MOST_LOSS_DB, max(0.0, -mono_db))
    return BandImage(
        name=name,
        low_hz=low_hz,
        high_hz=high_hz,
        level_db=ratio_db(both, total),
        correlation=None if one_sided else round(float(np.clip(together / energy, -1, 1)), 4),
        mono_loss_db=round(loss_db, 2),
        width=round(float(np.clip((both - together) / (2.0 * both), 0, 1)), 4),
        balance_db=None if one_sided else ratio_db(right, left),
    )
