"""Words for scopes and sums for usage, on the partners' pages."""

from __future__ import annotations

from collections.abc import Sequence

from django import template

from catalog.partner_models import Scope
from catalog.partner_selectors import UsageBar

register = template.Library()


@register.filter
def scope_labels(scopes: Sequence[str]) -> list[str]:
    """Scopes in words, in their usual order."""
    return [scope.label for scope in Scope if scope.value in scopes]


@register.filter
def total_calls(usage: Sequence[UsageBar]) -> int:
    """Calls of all days."""
    return sum(bar.calls for bar in usage)
