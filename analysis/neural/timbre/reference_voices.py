"""Where a voice stands among the reference voices, measure by measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

POINTS = 101


@dataclass(frozen=True)
class ReferenceVoices:
    """Quantiles (0 to 100 % in equal steps) of each measure over the clips of the reference
    voices, and how many clips by how many singers they are."""

    quantiles: Mapping[str, Sequence[float]]
    clips: int
    singers: int

    @classmethod
    def of(
        cls, names: Sequence[str], measures: npt.NDArray[np.floating], *, singers: int
    ) -> ReferenceVoices:
        """From the measures (clips, names); NaN is left out."""
        shares = np.linspace(0.0, 1.0, POINTS)
        quantiles = {}
        for column, name in enumerate(names):
            values = measures[:, column]
            values = values[np.isfinite(values)].astype(np.float64)
            if values.size:
                points = np.quantile(values, shares)
                quantiles[name] = [float(f"{value:.5g}") for value in points]
        return cls(quantiles, clips=len(measures), singers=singers)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> ReferenceVoices:
        """The inverse of :meth:`settings`; raises KeyError where something is missing."""
        about = settings["reference_voices"]
        return cls(about["quantiles"], clips=int(about["clips"]), singers=int(about["singers"]))

    def settings(self) -> dict[str, Any]:
        """All of it, for a manifest."""
        return {
            "reference_voices": {
                "quantiles": dict(self.quantiles),
                "clips": self.clips,
                "singers": self.singers,
            }
        }

    def percentile(self, name: str, value: float | None) -> float | None:
        """Share of the reference clips below ``value``, 0 to 100; None for None."""
        if value is None or name not in self.quantiles:
            return None
        points = np.asarray(self.quantiles[name])
        shares = np.linspace(0.0, 100.0, points.size)
        below = int(np.searchsorted(points, value, side="left"))
        upto = int(np.searchsorted(points, value, side="right"))
        if upto > below:
            return float((shares[below] + shares[upto - 1]) / 2)
        return float(np.interp(value, points, shares))
