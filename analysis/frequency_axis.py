"""The logarithmic axis of frequencies that all curves of the pages and sheets are drawn over."""

from __future__ import annotations

import math

LOWEST_HZ = 20.0
HIGHEST_HZ = 20_000.0
ROUND_HZ = (20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000)
"""Frequencies that are named along the axis."""


def frequency_percent(frequency_hz: float, *, lowest_hz: float = LOWEST_HZ) -> float:
    """Where a frequency lies on the axis from ``lowest_hz`` to 20 kHz, 0 to 100.

    >>> round(frequency_percent(200.0), 1)
    33.3
    """
    share = math.log(frequency_hz / lowest_hz) / math.log(HIGHEST_HZ / lowest_hz)
    return 100.0 * min(1.0, max(0.0, share))


def frequency_label(frequency_hz: float) -> str:
    """A round frequency in the room that an axis has.

    >>> frequency_label(500), frequency_label(2_000)
    ('500', '2k')
    """
    return f"{frequency_hz / 1000:g}k" if frequency_hz >= 1000 else f"{frequency_hz:g}"
