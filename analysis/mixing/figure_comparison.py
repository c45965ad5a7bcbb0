"""Figures of two versions of a mix: loudness, peaks, dynamics, stereo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.mixing.dynamics_checks import LOW_PLR_LU
from analysis.mixing.level_checks import HIGHEST_TRUE_PEAK_DBTP
from analysis.mixing.stereo_checks import LEAST_CORRELATION
from analysis.mixing.trend import Trend, trend_of_badness


@dataclass(frozen=True)
class FigureChange:
    """One figure of both mixes in ``unit`` (empty: none); None where it was not measured.

    ``trend`` is None where neither direction is better in itself, or both values are fine.
    """

    name: str
    label: str
    unit: str
    decimals: int
    note: str
    before: float | None
    after: float | None
    change: float | None
    trend: Trend | None


@dataclass(frozen=True)
class _Figure:
    """``badness`` is 0 where a value is fine, and grows from there; None: no value is bad."""

    section: str
    key: str
    label: str
    unit: str
    note: str
    badness: Callable[[float], float] | None = None
    decimals: int = 1


_FIGURES = (
    _Figure("loudness", "integrated_lufs", "Loudness", "LUFS", "Louder is not better in itself."),
    _Figure(
        "loudness",
        "true_peak_dbtp",
        "True peak",
        "dBTP",
        f"Above {HIGHEST_TRUE_PEAK_DBTP:g} encoding may distort.",
        lambda peak: max(0.0, peak - HIGHEST_TRUE_PEAK_DBTP),
    ),
    _Figure(
        "loudness", "loudness_range_lu", "Loudness range", "LU", "From quiet parts to loud ones."
    ),
    _Figure(
        "loudness",
        "peak_to_loudness_lu",
        "Peak to loudness",
        "LU",
        f"Below {LOW_PLR_LU:g} sounds squeezed.",
        lambda plr: max(0.0, LOW_PLR_LU - plr),
    ),
    _Figure(
        "stereo",
        "correlation",
        "Correlation",
        "",
        f"Below {LEAST_CORRELATION:g} left and right cancel each other in mono.",
        lambda correlation: max(0.0, LEAST_CORRELATION - correlation),
        decimals=2,
    ),
)


def figure_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FigureChange]:
    """Loudness, true peak, loudness range, peak to loudness and correlation of both."""
    changes = []
    for figure in _FIGURES:
        old, new = (
            document.get(figure.section, {}).get(figure.key) for document in (before, after)
        )
        known = old is not None and new is not None
        trend = None
        if known and figure.badness is not None:
            least = 10.0**-figure.decimals
            trend = trend_of_badness(figure.badness(old), figure.badness(new), least)
        changes.append(
            FigureChange(
                name=figure.key,
                label=figure.label,
                unit=figure.unit,
                decimals=figure.decimals,
                note=figure.note,
                before=old,
                after=new,
                change=round(new - old, 3) if known else None,
                trend=trend,
            )
        )
    return changes
