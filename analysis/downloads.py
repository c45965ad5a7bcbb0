"""A response that a browser saves as a file."""

from __future__ import annotations

from typing import TypeVar

from django.http import HttpResponseBase
from django.utils.http import content_disposition_header

R = TypeVar("R", bound=HttpResponseBase)

_NOT_IN_NAMES = frozenset('/\\:*?"<>|')


def file_name(text: str) -> str:
    """A text as the name of a file that every system takes: no separators, nothing invisible."""
    return "".join("-" if char in _NOT_IN_NAMES else char for char in text if char.isprintable())


def as_download(response: R, name: str) -> R:
    """Have the browser save the response under ``name``, cleaned; caches leave it alone."""
    header = content_disposition_header(True, file_name(name))
    response["Content-Disposition"] = header or "attachment"
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
