"""Two average spectra laid over each other at equal loudness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.sound.k_weighting import k_weighting_power

Array = npt.NDArray[np.float64]

AUDIBLE_BELOW_PEAK_DB = 60.0
"""Where both spectra lie further below their peaks than this, their difference means nothing."""

_RATE = 192_000  # so high that the digital weighting is the analogue one


@dataclass(frozen=True)
class SpectrumPair:
    """Two spectra at the same frequencies in Hz, levels in dB relative to each one's loudness.

    ``difference_db`` is the second minus the first, None where neither can be heard.
    """

    frequencies_hz: list[float]
    before_db: list[float]
    after_db: list[float]
    difference_db: list[float | None]

    def most_changed(self) -> tuple[float, float] | None:
        """Frequency in Hz and change in dB of the largest difference; None if nothing is heard."""
        known = [
            (hz, change)
            for hz, change in zip(self.frequencies_hz, self.difference_db, strict=True)
            if change is not None
        ]
        return max(known, key=lambda one: abs(one[1]), default=None)

    def band_levels_db(self, low_hz: float, high_hz: float) -> tuple[float, float] | None:
        """Level of both between two frequencies in Hz; None where the curves do not reach.

        A point's power lies evenly (in octaves) half way to its neighbours.
        """
        octaves = np.log2(self.frequencies_hz)
        half = np.diff(octaves).mean() / 2
        overlap = np.minimum(octaves + half, np.log2(high_hz)) - np.maximum(
            octaves - half, np.log2(low_hz)
        )
        share = np.clip(overlap / (2 * half), 0.0, 1.0)
        if share.sum() < 0.5:
            return None
        before, after = (
            round(10.0 * float(np.log10((share * 10.0 ** (np.array(levels) / 10.0)).sum())), 2)
            for levels in (self.before_db, self.after_db)
        )
        return before, after


def at_equal_loudness(frequencies_hz: Array, levels_db: Array) -> Array:
    """Levels in dB relative to the K-weighted power of all of them together."""
    weighted = levels_db + 10.0 * np.log10(k_weighting_power(frequencies_hz, _RATE))
    return levels_db - 10.0 * np.log10(np.sum(10.0 ** (weighted / 10.0)))


def compare_spectra(before: Mapping[str, Any], after: Mapping[str, Any]) -> SpectrumPair | None:
    """Lay the ``spectrum`` parts of two reports over each other; None where one has no curve.

    Both are drawn as the ear gets them when they are played equally loud. Where their frequencies
    differ, the second is read at the first one's, between the lowest and highest that both have.
    """
    hz, other_hz = (np.asarray(part.get("frequencies_hz") or [], float) for part in (before, after))
    if hz.size < 2 or other_hz.size < 2:
        return None
    levels, other = (np.asarray(part["levels_db"], float) for part in (before, after))
    old = at_equal_loudness(hz, levels)
    new = at_equal_loudness(other_hz, other)
    # Reports round frequencies to hundredths: what is nearly the same counts as inside.
    inside = (hz >= 0.99 * other_hz[0]) & (hz <= 1.01 * other_hz[-1])
    if inside.sum() < 2:
        return None
    hz, old = hz[inside], old[inside]
    new = np.interp(np.log2(hz), np.log2(other_hz), new)
    heard = (old > old.max() - AUDIBLE_BELOW_PEAK_DB) | (new > new.max() - AUDIBLE_BELOW_PEAK_DB)
    return SpectrumPair(
        frequencies_hz=[float(one) for one in hz],
        before_db=[round(float(level), 2) for level in old],
        after_db=[round(float(level), 2) for level in new],
        difference_db=[
            round(float(two - one), 2) if is_heard else None
            for one, two, is_heard in zip(old, new, heard, strict=True)
        ],
    )
