"""Reading bodies: strict JSON of bounded size and depth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from analysis.api.problems import Problem


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


class StrictJSONParser(BaseParser):
    """UTF-8 JSON: no NaN, no name twice, nothing so deep or long that reading it hurts."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        data = stream.read(settings.API_BODY_MAX_BYTES + 1)
        if len(data) > settings.API_BODY_MAX_BYTES:
            raise Problem("too_large")
        try:
            return json.loads(
                data.decode("utf-8"),
                parse_constant=_refuse_constant,
                object_pairs_hook=_refuse_twins,
            )
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is not JSON: {error}"[:300]) from error


class AnyBytesParser(BaseParser):
    """For views that read the body themselves, as it comes: uploads."""

    media_type = "*/*"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> IO[bytes]:
        return stream
