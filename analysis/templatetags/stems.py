"""Tags of the stems' page."""

from __future__ import annotations

from django import template

register = template.Library()

_WORDS = {
    "queued": "Waiting",
    "running": "Separating",
    "done": "Ready",
    "failed": "Failed",
    "cancelled": "Stopped",
}


@register.filter
def stems_state(state: str) -> str:
    """A state of a separation in a word."""
    return _WORDS.get(state, state)
