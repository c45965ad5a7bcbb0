"""Filters of a list, declared: what stands in the address, how it is read, what it narrows.

Unknown parameters are refused, so that a misspelt filter never gives the whole list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from rest_framework.request import Request

from analysis.api.problems import Problem


def a_uuid(text: str) -> UUID:
    return UUID(text)


def a_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError
    return int(text)


def a_decimal(text: str) -> float:
    found = float(text)
    if not abs(found) <= 1e6:  # also false for what is no number
        raise ValueError
    return found


def yes_or_no(text: str) -> bool:
    return {"true": True, "false": False}[text]


def a_day(text: str) -> date:
    found = parse_date(text)
    if found is None:
        raise ValueError
    return found


def a_moment(text: str) -> datetime:
    found = parse_datetime(text.replace(" ", "+"))  # a "+" that was not written as %2B
    if found is None:
        raise ValueError
    aware = found if timezone.is_aware(found) else timezone.make_aware(found)
    try:
        # The database knows no offsets beyond 16 hours.
        return aware.astimezone(UTC)
    except OverflowError as error:  # before the year 1 or after 9999
        raise ValueError from error


def some_text(text: str) -> str:
    if "\0" in text or not 1 <= len(text) <= 200:
        raise ValueError
    return text


_SCHEMAS: dict[Callable[[str], Any], tuple[dict[str, Any], str]] = {
    a_uuid: ({"type": "string", "format": "uuid"}, "an id"),
    a_number: ({"type": "integer", "minimum": 0, "maximum": 999_999_999}, "a whole number"),
    a_decimal: ({"type": "number", "minimum": -1e6, "maximum": 1e6}, "a number"),
    yes_or_no: ({"type": "boolean"}, "true or false"),
    a_day: ({"type": "string", "format": "date"}, "a day, as 2026-03-31"),
    a_moment: ({"type": "string", "format": "date-time"}, "a time, as 2026-03-31T12:00:00Z"),
    some_text: ({"type": "string", "minLength": 1, "maxLength": 200}, "1 to 200 letters"),
}


@dataclass(frozen=True)
class Filter:
    """``?name=`` narrows a list by ``lookup`` (a field lookup, or a function of rows and value)."""

    name: str
    lookup: str | Callable[[QuerySet[Any], Any], QuerySet[Any]]
    read: Callable[[str], Any] = some_text
    help: str = ""
    choices: Sequence[str] = ()
    bounds: tuple[int, int] | None = None

    def value_in(self, request: Request, *, default: Any) -> Any:
        """What the address says, read. Raises Problem."""
        text = request.query_params.get(self.name)
        return default if text is None else self._value(text)

    def apply(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        """The rows narrowed to what ``text`` means. Raises Problem."""
        value = self._value(text)
        if callable(self.lookup):
            return self.lookup(rows, value)
        return rows.filter(**{self.lookup: value})

    def _value(self, text: str) -> Any:
        try:
            value = self.read(text)
        except (ValueError, KeyError, OverflowError) as error:
            raise Problem(
                "invalid_parameter", f"{self.name} is {_SCHEMAS[self.read][1]}."
            ) from error
        if self.choices and value not in self.choices:
            raise Problem("invalid_parameter", f"{self.name} is one of: {', '.join(self.choices)}.")
        return value

    def schema(self) -> dict[str, Any]:
        """The parameter, as OpenAPI describes it."""
        described = dict(_SCHEMAS[self.read][0])
        if self.choices:
            described = {"type": "string", "enum": list(self.choices)}
        if self.bounds is not None:
            described |= {"minimum": self.bounds[0], "maximum": self.bounds[1]}
        return {
            "name": self.name,
            "in": "query",
            "required": False,
            "description": self.help,
            "schema": described,
        }


def narrowed(rows: QuerySet[Any], request: Request, filters: Sequence[Filter]) -> QuerySet[Any]:
    """The rows narrowed by every filter in the address. Raises Problem."""
    for each in filters:
        text = request.query_params.get(each.name)
        if text is not None:
            rows = each.apply(rows, text)
    return rows


def only_known(request: Request, known: set[str]) -> None:
    """Raises Problem for a parameter that is unknown or stands there twice."""
    for name, values in request.query_params.lists():
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise Problem("unknown_parameter", f"“{name[:60]}” is not known here. Known: {listed}.")
        if len(values) > 1:
            raise Problem("invalid_parameter", f"{name} stands there more than once.")
