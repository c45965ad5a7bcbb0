"""Decibels that are safe to store: no infinity and no NaN leaves these functions."""

from __future__ import annotations

import math


def power_db(power: float, *, offset_db: float = 0.0) -> float | None:
    """10 log10 of a power plus an offset, to a thousandth; None for zero or less."""
    if not power > 0.0 or not math.isfinite(power):
        return None
    return round(10.0 * math.log10(power) + offset_db, 3)


def amplitude_db(amplitude: float) -> float | None:
    """20 log10 of an amplitude, to a thousandth; None for zero or less."""
    return power_db(amplitude * amplitude) if amplitude > 0.0 else None


def ratio_db(over: float, under: float) -> float | None:
    """10 log10 of a ratio of two powers; None where one of them is zero."""
    return power_db(over / under) if under > 0.0 else None
