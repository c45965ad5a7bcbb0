"""Tags of the release check."""

from __future__ import annotations

from collections.abc import Mapping

from django import template

from analysis import release_check as check
from catalog.models import Revision, Track

register = template.Library()

WORDS = {"ok": "In order", "attention": "Look at it", "fail": "Fix it", "waiting": "Not checked"}


@register.simple_tag
def release_page(track: Track, revision: Revision) -> check.ReleasePage | None:
    """The release check of a revision; None while it has not been listened to."""
    return check.release_page(track, revision)


@register.filter
def state_word(state: str) -> str:
    """What a state says to people, beside its colour."""
    return WORDS[state]


@register.filter
def state_badge(state: str) -> str:
    """The badge's class for a state."""
    kinds = {"ok": "badge--accent", "attention": "badge--warn", "fail": "badge--danger"}
    return kinds.get(state, "badge--info")


@register.filter
def places(count: int) -> str:
    """A count of clipped places in words."""
    return "none" if not count else f"{count:,} place{'' if count == 1 else 's'}"


@register.filter
def lookup(table: Mapping[str, str], key: str) -> str:
    """A value of a mapping by a key that only the template knows; empty where there is none."""
    return table.get(key, "")
