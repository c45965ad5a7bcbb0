"""How left and right relate: correlation, width, balance, what is lost in mono."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from analysis.sound.decibels import ratio_db
from analysis.sound.stereo_bands import BandImage

_MOST_LOSS_DB = 60.0


@dataclass(frozen=True)
class Stereo:
    """Stereo image of a whole file (of its stereo down-mix beyond two channels).

    ``correlation`` is sum(LR) / sqrt(sum(L^2) sum(R^2)), None if a side is silent.
    ``side_mid_db`` is the side signal's power over the mid signal's, None for pure mono or pure
    side. ``width`` is side / (mid + side) in 0..1. ``balance_db`` is right over left, positive
    to the right, None if a side is silent. ``mono_loss_db`` is how far the mono sum's power
    falls below the mean of both channels: 0 for mono, 3 for unrelated channels, at most 60.
    ``correlation_curve`` has one value per second, None where that second is silent. ``bands`` are
    the images of the seven bands and ``low_end`` that of 20 to 120 Hz, where they were measured.
    """

    channels: int
    correlation: float | None
    side_mid_db: float | None
    width: float
    balance_db: float | None
    mono_loss_db: float
    correlation_curve: list[float | None]
    bands: list[BandImage] = field(default_factory=list)
    low_end: BandImage | None = None


class StereoMeter:
    """Feed stereo blocks of one second, shape (2, n), then ask :meth:`result`."""

    def __init__(self, *, channels: int) -> None:
        self._channels = channels
        self._sums: list[tuple[float, float, float]] = []

    def add(self, stereo: npt.NDArray[np.float32]) -> None:
        """Take the next second of samples, shape (2, n)."""
        left, right = stereo
        self._sums.append((float(left @ left), float(right @ right), float(left @ right)))

    def result(self) -> Stereo:
        """Everything heard so far."""
        sums = np.array(self._sums).reshape(-1, 3)
        left, right, cross = (float(total) for total in sums.sum(axis=0))
        mean = (left + right) / 2
        mid = max(0.0, (left + right + 2 * cross) / 4)
        side = max(0.0, (left + right - 2 * cross) / 4)
        both = mid + side
        tiny = 1e-9 * both
        mono_db = ratio_db(mid, mean)
        return Stereo(
            channels=self._channels,
            correlation=_correlation(left, right, cross),
            side_mid_db=ratio_db(side, mid) if side > tiny and mid > tiny else None,
            width=round(side / both, 4) if both > 0 else 0.0,
            balance_db=ratio_db(right, left) if right > tiny and left > tiny else None,
            mono_loss_db=_MOST_LOSS_DB if mono_db is None else min(_MOST_LOSS_DB, abs(mono_db)),
            correlation_curve=[_correlation(*values) for values in self._sums],
        )


def _correlation(left: float, right: float, cross: float) -> float | None:
    energy = (left * right) ** 0.5
    if energy <= 1e-12:
        return None
    return round(float(np.clip(cross / energy, -1.0, 1.0)), 4)
