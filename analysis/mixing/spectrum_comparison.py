"""Two average spectra laid over each other at equal loudness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

AUDIBLE_BELOW_PEAK_DB = 60.0
"""Where both spectra lie further below their peaks than this, their difference means nothing."""

# Analogue prototype of BS.1770's K-weighting: De Man, "Evaluation of implementations of the EBU
# R128 loudness measurement", AES 2018 (as in analysis/sound/loudness.py).
_SHELF_HZ, _SHELF_Q, _SHELF_HIGH_DB = 1681.974450955533, 0.7071752369554196, 3.999843853973347
_SHELF_BAND_POWER = 0.4996667741545416
_HIGH_PASS_HZ, _HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773


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


def k_weighting_db(frequencies_hz: Array) -> Array:
    """Gain of BS.1770's K-weighting at each frequency in Hz, shape (n,), in dB."""
    s = 1j * np.asarray(frequencies_hz) / _SHELF_HZ
    high = 10.0 ** (_SHELF_HIGH_DB / 20.0)
    shelf = (high * s * s + high**_SHELF_BAND_POWER * s / _SHELF_Q + 1.0) / (
        s * s + s / _SHELF_Q + 1.0
    )
    s = 1j * np.asarray(frequencies_hz) / _HIGH_PASS_HZ
    high_pass = s * s / (s * s + s / _HIGH_PASS_Q + 1.0)
    return 20.0 * np.log10(np.maximum(np.abs(shelf * high_pass), 1e-12))


def at_equal_loudness(frequencies_hz: Array, levels_db: Array) -> Array:
    """Levels in dB relative to the K-weighted power of all of them together."""
    weighted = levels_db + k_weighting_db(frequencies_hz)
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
