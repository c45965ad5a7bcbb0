"""Words and keys of the labelling pages."""

from __future__ import annotations

from django import template

from analysis.labels.models import TimbreTag

register = template.Library()


@register.filter
def tag_key(tag: TimbreTag, position: int) -> str:
    """The key that gives a tag: its own, or the digit of its place (from 1) if it has none.

    >>> tag_key(TimbreTag(key=""), 3)
    '3'
    """
    return tag.key.lower() or (str(position) if position <= 9 else "")
