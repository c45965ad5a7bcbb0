"""What the tabs of a track's pages need to know."""

from __future__ import annotations

from collections.abc import Sequence

from django import template
from django.template.context import Context

from analysis import selectors
from catalog.models import Revision

register = template.Library()


@register.simple_tag(takes_context=True)
def versions_comparable(context: Context, revisions: Sequence[Revision] | str) -> bool:
    """Whether two versions have reports; ``can_compare`` of the page's context spares the count."""
    if "can_compare" in context:
        return bool(context["can_compare"])
    # A variable that the context lacks comes as an empty text.
    if isinstance(revisions, str) or len(revisions) < 2:
        return False
    return selectors.count_with_reports(revisions) >= 2
