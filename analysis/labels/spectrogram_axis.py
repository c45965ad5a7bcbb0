"""The frequency axis of clips' spectrograms: logarithmic, as the ear hears. Cheap to import."""

from __future__ import annotations

import math
from typing import Any

from analysis.frequency_axis import frequency_label

LOWEST_HZ = 60.0
HIGHEST_HZ = 16_000.0
HEIGHT_PX = 256
TICKS_HZ = (100, 200, 500, 1_000, 2_000, 5_000, 10_000)


def height_share(frequency_hz: float) -> float:
    """Where a frequency lies on the picture: 0 is its bottom, 1 its top.

    >>> round(height_share(1_000.0), 3)
    0.504
    """
    share = math.log(frequency_hz / LOWEST_HZ) / math.log(HIGHEST_HZ / LOWEST_HZ)
    return min(1.0, max(0.0, share))


def axis() -> dict[str, Any]:
    """The axis for pages: its ends and, for each tick, ``hz``, ``label`` and ``share`` (0 bottom, 1
    top). The picture's width is the clip's length, evenly."""
    return {
        "lowest_hz": LOWEST_HZ,
        "highest_hz": HIGHEST_HZ,
        "ticks": [
            {"hz": hz, "label": frequency_label(hz), "share": round(height_share(hz), 4)}
            for hz in TICKS_HZ
        ],
    }
