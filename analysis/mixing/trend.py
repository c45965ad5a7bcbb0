"""Which way something moved between two versions of a mix."""

from __future__ import annotations

from typing import Literal

Trend = Literal["better", "worse", "same"]


def trend(before: float, after: float, *, least: float) -> Trend:
    """Smaller is better; changes below *least* are none."""
    # A change from 0.1 to 0.2 counts as 0.1, whatever binary fractions make of it.
    if abs(after - before) < least - 1e-9:
        return "same"
    return "better" if after < before else "worse"


def trend_of_badness(before: float, after: float, least: float) -> Trend | None:
    """Like :func:`trend`; None where both are fine."""
    return None if before == after == 0.0 else trend(before, after, least=least)
