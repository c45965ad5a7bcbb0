"""PSR: how far the peaks stand above the loudness of the same three seconds.

After I. Shepherd, I. Kerr, E. Grimm, P. Tapper and M. Kahsnitz, "Measuring micro-dynamics: a first
step" (AES 143rd Convention, 2017): peak of the last 3 s minus their short-term loudness. Peaks here
are sample peaks, which lie up to some tenths of a decibel below true ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.sound.loudness import (
    ABSOLUTE_GATE_LUFS,
    LOUDNESS_OFFSET_LUFS,
    RANGE_RELATIVE_GATE_LU,
    SHORT_TERM_STEPS,
    STEPS_PER_SECOND,
)


@dataclass(frozen=True)
class PeakToShortTerm:
    """Least and median PSR in LU over all seconds that are heard, and when the least one ends."""

    least_lu: float | None
    median_lu: float | None
    least_at_s: float | None


def peak_to_short_term(
    peaks: npt.NDArray[np.float32], powers: npt.NDArray[np.float64]
) -> PeakToShortTerm:
    """PSR from sample peaks and K-weighted powers, both per hundredth of a second.

    Windows below -70 LUFS, or 20 LU below the mean of the others, do not count: a fade or a pause
    says nothing about the mix.
    """
    steps = min(peaks.size, powers.size)
    ends = np.arange(SHORT_TERM_STEPS, steps + 1, STEPS_PER_SECOND)
    if ends.size == 0:
        return PeakToShortTerm(None, None, None)
    total = np.concatenate([[0.0], np.cumsum(powers)])
    power = (total[ends] - total[ends - SHORT_TERM_STEPS]) / SHORT_TERM_STEPS
    windows = np.lib.stride_tricks.sliding_window_view(peaks, SHORT_TERM_STEPS)
    peak = windows[ends - SHORT_TERM_STEPS].max(axis=1).astype(np.float64)
    heard = power > 10.0 ** ((ABSOLUTE_GATE_LUFS - LOUDNESS_OFFSET_LUFS) / 10.0)
    if not heard.any():
        return PeakToShortTerm(None, None, None)
    heard &= power > power[heard].mean() * 10.0 ** (RANGE_RELATIVE_GATE_LU / 10.0)
    psr = 20.0 * np.log10(peak[heard]) - 10.0 * np.log10(power[heard]) - LOUDNESS_OFFSET_LUFS
    least = int(psr.argmin())
    return PeakToShortTerm(
        least_lu=round(float(psr[least]), 2),
        median_lu=round(float(np.median(psr)), 2),
        least_at_s=round(float(ends[heard][least]) / STEPS_PER_SECOND, 2),
    )
