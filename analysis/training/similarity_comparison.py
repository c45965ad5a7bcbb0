"""Two embeddings of the same held-out tracks: which keeps an artist's tracks together better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.training.evaluation import hits, triplet_shares
from analysis.training.intervals import Interval, mean_by_artist

Float = npt.NDArray[np.float32]

FEWEST_ARTISTS = 6
MARGIN = 0.05
"""Ears whose triplet accuracy is surely lower by more than this are not promoted by a click."""


def by_artist(new: Float, old: Float, artists: Sequence[str]) -> dict[str, Any] | None:
    """Triplet accuracy and hits among the first ten, by artist, of unit embeddings (n, d) and their
    differences, as JSON; None for fewer than six artists with two tracks.

    Both are asked for the same triplets. Intervals (95 %) draw whole artists.
    """
    names, counts = np.unique(np.array(artists), return_counts=True)
    several = set(names[counts > 1].tolist())
    if len(several) < FEWEST_ARTISTS:
        return None
    found: dict[str, Any] = {
        "artists": len(several),
        "queries": int(sum(artist in several for artist in artists)),
    }
    for figure, measure in (("triplets", triplet_shares), ("hit_at_10", hits)):
        ours, theirs = measure(new, artists), measure(old, artists)
        found[figure] = {
            "candidate": round(float(np.nanmean(ours)), 4),
            "serving": round(float(np.nanmean(theirs)), 4),
            "difference": _rounded(mean_by_artist(ours - theirs, artists)),
        }
    return found


def is_lost(found: dict[str, Any] | None) -> bool:
    """Whether the candidate surely tells artists apart worse, by more than the margin."""
    return found is not None and found["triplets"]["difference"]["high"] < -MARGIN


def _rounded(interval: Interval) -> dict[str, float]:
    return {name: round(getattr(interval, name), 4) for name in ("mean", "low", "high")}
