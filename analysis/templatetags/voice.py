"""Tags of the voice's pages."""

from __future__ import annotations

import re

from django import template

from analysis.voice_trend import level_percent

register = template.Library()

_MINUS = re.compile(r"(?<![\w.])-(?=\d)")
_STATES = {"running": "Working", "cancelled": "Stopped"}


@register.filter
def voice_state(state: str) -> str:
    """A job's state in words, where the usual ones do not fit; empty otherwise."""
    return _STATES.get(str(state), "")


@register.filter
def share_percent(value: float) -> str:
    """A share between 0 and 1 as per cent with two decimals, for places in a drawing."""
    return f"{100.0 * min(max(value, 0.0), 1.0):.2f}"


@register.filter
def points(value: float) -> str:
    """A difference of shares in points, with its sign: ``+12``, ``−3``, ``0``."""
    whole = round(100.0 * value)
    return f"{whole:+d}".replace("-", "−") if whole else "0"


@register.filter
def trend_y(probability: float) -> str:
    """Place of a probability in a trend's chart, in per cent from the top."""
    return f"{level_percent(probability):.2f}"


@register.filter
def true_minus(text: str) -> str:
    """A text with typographic minus signs before its numbers."""
    return _MINUS.sub("−", text)
