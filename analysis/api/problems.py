"""Errors as problem documents (RFC 9457). ``code`` is stable: clients may branch on it.

Every error under ``/api/`` is one: those of views come through :func:`exception_handler`, those of
Django itself (unknown addresses, malformed hosts, limits) through the middleware.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from sonicsite.logs import request_id

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
DOCUMENTATION = "/developers/"


@dataclass(frozen=True)
class Kind:
    """One of the things that can go wrong: its status and what it is called, for people."""

    status: int
    title: str


KINDS: dict[str, Kind] = {
    "malformed": Kind(400, "The request could not be read"),
    "invalid": Kind(400, "Some of what was sent is not valid"),
    "unknown_parameter": Kind(400, "The address has a parameter that is not known here"),
    "invalid_parameter": Kind(400, "A parameter of the address is not valid"),
    "invalid_cursor": Kind(400, "The cursor is not one of ours, or of another list"),
    "not_authenticated": Kind(401, "Log in, or send a token"),
    "invalid_token": Kind(401, "The token is unknown, expired or revoked"),
    "missing_scope": Kind(403, "The token or the artist's grant does not include this"),
    "forbidden": Kind(403, "This is not allowed"),
    "csrf": Kind(403, "The page's request could not be verified"),
    "not_found": Kind(404, "There is no such thing, or not for you"),
    "method_not_allowed": Kind(405, "This address does not know that method"),
    "not_acceptable": Kind(406, "The answer cannot be given in that form"),
    "conflict": Kind(409, "This does not go together with what is there"),
    "idempotency_in_progress": Kind(409, "The same call is still being worked on"),
    "upload_offset": Kind(409, "The upload stands at another byte"),
    "upload_over": Kind(410, "This upload is over"),
    "length_required": Kind(411, "The length of the body must be told"),
    "precondition_failed": Kind(412, "It has changed since you read it"),
    "upload_version": Kind(412, "Another version of the upload protocol is spoken here"),
    "too_large": Kind(413, "What was sent is too large"),
    "unsupported_media_type": Kind(415, "The body is of a kind that is not taken here"),
    "refused": Kind(422, "This cannot be done with what was sent"),
    "idempotency_key_reused": Kind(422, "This key was used for another call"),
    "upload_busy": Kind(423, "Another connection is sending this file"),
    "rate_limited": Kind(429, "Too many calls"),
    "internal": Kind(500, "Something went wrong on our side"),
    "unavailable": Kind(503, "This does not work at the moment"),
    "storage_full": Kind(507, "The server has no room for more files"),
}


class Problem(exceptions.APIException):
    """An answer other than success. ``code`` must be one of :data:`KINDS`; ``reason`` refines it
    where a part of the site has codes of its own (why a file was refused)."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        reason: str = "",
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        kind = KINDS[code]
        super().__init__(detail or f"{kind.title}.", code)
        self.status_code = kind.status
        self.code = code
        self.reason = reason
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.extra = extra

    def document(self) -> dict[str, Any]:
        """The problem document."""
        found = document(self.code, str(self.detail))
        if self.reason:
            found["reason"] = self.reason
        if self.errors:
            found["errors"] = self.errors
        return {**found, **self.extra}


def document(code: str, detail: str = "") -> dict[str, Any]:
    """A problem document without anything particular."""
    kind = KINDS[code]
    return {
        "type": f"{DOCUMENTATION}#{code}",
        "title": kind.title,
        "status": kind.status,
        "code": code,
        "detail": detail or f"{kind.title}.",
        "request_id": request_id.get(),
    }


def code_of_status(status: int) -> str:
    """The general code of a status, for answers that were not made by a view of the API."""
    by_status = {
        400: "malformed",
        401: "not_authenticated",
        403: "forbidden",
        404: "not_found",
        405: "method_not_allowed",
        413: "too_large",
        429: "rate_limited",
        503: "unavailable",
    }
    return by_status.get(
        status, "internal" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "malformed"
    )


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Turn whatever a view raised into a problem document. Never lets an error through as HTML."""
    problem = as_problem(error)
    if problem.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR and problem.code == "internal":
        log.error("%s failed", context["request"].path, exc_info=error)
    headers = {**problem.headers}
    challenge = getattr(error, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = challenge
    return Response(
        problem.document(),
        status=problem.status_code,
        headers=headers,
        content_type=MEDIA_TYPE,
    )


def as_problem(error: Exception) -> Problem:
    """The problem that an exception means."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, DjangoValidationError):
        return _invalid(list(_django_errors(error)))
    if isinstance(error, exceptions.ValidationError):
        return _invalid(list(_errors("", error.detail, error.get_codes())))
    if isinstance(error, Http404):
        return Problem("not_found")
    if isinstance(error, RequestDataTooBig):
        return Problem("too_large")
    if isinstance(error, PermissionDenied):
        return Problem("forbidden")
    if isinstance(error, SuspiciousOperation):
        return Problem("malformed")
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    return Problem("internal", "Something went wrong on our side. Tell us the request_id.")


def _of_framework(error: exceptions.APIException) -> Problem:
    detail = str(error.detail)
    if isinstance(error, exceptions.AuthenticationFailed):
        return Problem("invalid_token", detail)
    if isinstance(error, exceptions.NotAuthenticated):
        return Problem("not_authenticated")
    if isinstance(error, exceptions.Throttled):
        wait = math.ceil(error.wait or 1)
        return Problem(
            "rate_limited", f"Try again in {wait} s.", headers={"Retry-After": str(wait)}
        )
    if isinstance(error, exceptions.PermissionDenied):
        return Problem("csrf" if "CSRF" in detail else "forbidden", detail)
    codes: list[tuple[type[exceptions.APIException], str]] = [
        (exceptions.NotFound, "not_found"),
        (exceptions.MethodNotAllowed, "method_not_allowed"),
        (exceptions.NotAcceptable, "not_acceptable"),
        (exceptions.UnsupportedMediaType, "unsupported_media_type"),
        (exceptions.ParseError, "malformed"),
    ]
    for kind, code in codes:
        if isinstance(error, kind):
            return Problem(code, detail)
    return Problem(code_of_status(error.status_code), detail)


def _invalid(errors: list[dict[str, str]]) -> Problem:
    named = ", ".join(dict.fromkeys(error["field"] for error in errors if error["field"]))
    detail = f"Look at: {named}." if named else " ".join(error["message"] for error in errors)
    return Problem("invalid", detail, errors=errors)


def _errors(field: str, detail: Any, codes: Any) -> Iterator[dict[str, str]]:
    """Nested details as a flat list; a field inside a list is written ``items.3.title``."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            part = "" if name == "non_field_errors" else str(name)
            yield from _errors(".".join(filter(None, (field, part))), inner, codes[name])
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, (Mapping, list))
            name = f"{field}.{index}".lstrip(".") if nested else field
            if inner:
                yield from _errors(name, inner, codes[index])
    else:
        yield {"field": field, "code": str(codes), "message": str(detail)}


def _django_errors(error: DjangoValidationError) -> Iterator[dict[str, str]]:
    if hasattr(error, "error_dict"):
        for name, found in error.error_dict.items():
            field = "" if name == "__all__" else name
            for inner in found:
                for message in inner.messages:
                    yield {"field": field, "code": inner.code or "invalid", "message": message}
    else:
        for inner in error.error_list:
            for message in inner.messages:
                yield {"field": "", "code": inner.code or "invalid", "message": message}
