"""Pages of a list by cursor: stable while rows come and go, opaque, and as fast on page 1,000.

A list has one order: newest first (``created_at``, then id). A cursor names the last row of a page
and the list it belongs to, so it cannot be used with other filters; nothing in it can be forged
into anything worse than another place in the same list.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar, cast
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request

from analysis.api.problems import Problem

M = TypeVar("M", bound=Model)

DEFAULT_LIMIT = 50
MOST = 200


@dataclass(frozen=True)
class Page(Generic[M]):
    """Rows of one page, and the address of the next one."""

    rows: Sequence[M]
    next_url: str | None


def limit_of(request: Request) -> int:
    """``?limit=``. Raises Problem."""
    text = request.query_params.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    if text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST:
        return int(text)
    raise Problem("invalid_parameter", f"limit is a whole number from 1 to {MOST}.")


def page_of(rows: QuerySet[M], request: Request, *, by: str = "created_at") -> Page[M]:
    """The page that the address asks for, with one query. ``by`` is a column of times or days."""
    limit = limit_of(request)
    parameters = {
        name: request.query_params.get(name, "")
        for name in request.query_params
        if name not in {"cursor", "limit", "fields"}
    }
    belongs = _mark(request.path, parameters)
    cursor = request.query_params.get("cursor")
    if cursor is not None:
        moment, pk = _read(cursor, belongs, rows, by)
        # The first condition alone lets an index be walked from there.
        rows = rows.filter(**{f"{by}__lte": moment}).filter(
            Q(**{f"{by}__lt": moment}) | Q(pk__lt=pk)
        )
    found = list(rows.order_by(f"-{by}", "-pk")[: limit + 1])
    if len(found) <= limit:
        return Page(found, None)
    found = found[:limit]
    query = {name: request.query_params.get(name, "") for name in request.query_params}
    query["cursor"] = _write(found[-1], by, belongs)
    return Page(found, request.build_absolute_uri(f"{request.path}?{urlencode(query)}"))


def _mark(path: str, parameters: Mapping[str, str]) -> str:
    text = json.dumps([path, sorted(parameters.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _write(row: Model, by: str, belongs: str) -> str:
    place = json.dumps([belongs, getattr(row, by).isoformat(), str(row.pk)], separators=(",", ":"))
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _read(cursor: str, belongs: str, rows: QuerySet[M], by: str) -> tuple[Any, Any]:
    problem = Problem("invalid_cursor")
    try:
        text = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        mark, moment, pk = json.loads(text)
        if mark != belongs:
            raise problem
        column = cast(Any, rows.model._meta.get_field(by))
        if not isinstance(moment, str) or not isinstance(pk, (str, int)):
            raise problem
        at = column.to_python(datetime.fromisoformat(moment))
        if isinstance(at, datetime) and at.tzinfo is None:
            raise problem
        return at, rows.model._meta.pk.to_python(pk)
    except Problem:
        raise
    except (ValueError, TypeError, binascii.Error, RecursionError, ValidationError) as error:
        raise problem from error
