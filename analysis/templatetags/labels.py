"""Figures of labels in words and places: shares, agreement, signs of answers."""

from __future__ import annotations

from django import template

from analysis.labels.models import Answer

register = template.Library()

NOTHING = "–"
_LOWEST_ALPHA = -0.25

_SIGNS = {"1": "Yes", "0": "No", "?": "Can’t tell", "-": ""}


@register.filter
def share(value: float | None) -> str:
    """A share of 1 as "80 %"; a dash for None."""
    return NOTHING if value is None else f"{100.0 * value:.0f} %"


@register.filter
def points(value: float | None) -> str:
    """A difference of shares as "+20", in percentage points, with a sign; a dash for None."""
    if value is None:
        return NOTHING
    rounded = round(100.0 * value)
    return f"{'+' if rounded > 0 else '−' if rounded < 0 else '±'}{abs(rounded)}"


@register.filter
def two_digits(value: float | None) -> str:
    """0.67, with a real minus sign; a dash for None."""
    return NOTHING if value is None else f"{value:.2f}".replace("-", "−")


@register.filter
def alpha_place(value: float | None) -> str:
    """Where an alpha stands on the scale of the agreement page, 0 to 100."""
    clipped = min(max(value or 0.0, _LOWEST_ALPHA), 1.0)
    return f"{100.0 * (clipped - _LOWEST_ALPHA) / (1.0 - _LOWEST_ALPHA):.2f}"


@register.filter
def alpha_words(value: float | None) -> str:
    """Krippendorff's limits (0.8, 0.667) in words."""
    if value is None:
        return "Nothing to tell yet"
    if value >= 0.8:
        return "Reliable"
    if value >= 0.667:
        return "Fair: for tentative conclusions"
    if value > 0.2:
        return "Weak: keep several votes"
    return "Little more than chance"


@register.filter
def letter_words(letter: str) -> str:
    """A letter of a read row in words."""
    return _SIGNS[letter]


@register.filter
def answer_words(answer: str) -> str:
    """An answer in words."""
    return "Can’t tell" if answer == Answer.UNSURE else Answer(answer).label
