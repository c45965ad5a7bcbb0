"""Where a track stands among the tracks of a reference corpus, feature by feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

POINTS = 101


@dataclass(frozen=True)
class Reference:
    """The quantiles (0 to 100 % in equal steps, ascending) of each feature over a corpus."""

    corpus: str
    tracks: int
    genres: int
    quantiles: Mapping[str, Sequence[float]]

    @classmethod
    def of(cls, values: Mapping[str, npt.NDArray[np.float32]], *, corpus: str, genres: int) -> Self:
        """From each feature's values (n,) over the corpus's n tracks."""
        shares = np.linspace(0.0, 1.0, POINTS)
        quantiles = {
            name: [round(float(value), 5) for value in np.quantile(column, shares)]
            for name, column in values.items()
        }
        tracks = min(column.size for column in values.values())
        return cls(corpus=corpus, tracks=tracks, genres=genres, quantiles=quantiles)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`settings`; raises KeyError where something is missing."""
        about = settings["feature_reference"]
        return cls(
            corpus=str(about["corpus"]),
            tracks=int(about["tracks"]),
            genres=int(about["genres"]),
            quantiles=settings["feature_quantiles"],
        )

    def settings(self) -> dict[str, Any]:
        """All of it, for a manifest."""
        return {
            "feature_quantiles": dict(self.quantiles),
            "feature_reference": {
                "corpus": self.corpus,
                "tracks": self.tracks,
                "genres": self.genres,
            },
        }

    def percentile(self, name: str, value: float) -> float:
        """Share of the corpus below ``value``, 0..100; equal ones count half."""
        points = np.asarray(self.quantiles[name], dtype=np.float64)
        shares = np.linspace(0.0, 100.0, points.size)
        below = int(np.searchsorted(points, value, side="left"))
        upto = int(np.searchsorted(points, value, side="right"))
        if upto > below:  # on a point, or on several equal ones
            return float((shares[below] + shares[upto - 1]) / 2)
        return float(np.interp(value, points, shares))
