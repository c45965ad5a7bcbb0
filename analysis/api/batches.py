"""Calls of many items, each with its own result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from analysis.api.problems import Problem, as_problem
from analysis.api.serializing import Input

MOST = 1_000


def items_of(data: Any, what: str) -> list[Any]:
    """The items of a body, not yet looked at; ``what`` they are, for people. Raises Problem."""
    if not isinstance(data, Mapping) or set(data) != {"items"}:
        raise Problem("invalid", "The body is an object with items.")
    items = data["items"]
    if not isinstance(items, list) or not 1 <= len(items) <= MOST:
        raise Problem("invalid", f"items is a list of 1 to {MOST} {what}.")
    return items


def read_each(kind: type[Input], items: list[Any]) -> list[dict[str, Any] | Problem]:
    """Each item checked, or what is wrong with it."""
    reader = kind()  # one for all: making a thousand takes longer than reading with them
    found: list[dict[str, Any] | Problem] = []
    for item in items:
        try:
            found.append(dict(reader.run_validation(item)))
        except serializers.ValidationError as error:
            found.append(as_problem(error))
    return found
