"""Around everything under ``/api/``: errors as problem documents, compression, usage."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

from analysis.api import problems, usage
from analysis.api.principals import Principal

PREFIX = "/api/"
_JSON = ("application/json", "application/problem+json", "application/vnd.oai.openapi+json")
_KEPT = ("Retry-After", "Allow", "WWW-Authenticate", "Location")


class ApiMiddleware:
    """Nothing leaves ``/api/`` as a page: what Django itself refuses becomes a problem too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.gzip = GZipMiddleware(lambda request: HttpResponse())

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path_info.startswith(PREFIX):
            return response
        kind = response.get("Content-Type", "").partition(";")[0]
        if response.status_code >= 400 and kind not in _JSON:
            response = _as_problem(response)
            kind = problems.MEDIA_TYPE
        patch_vary_headers(response, ("Authorization", "Cookie"))
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-cache"
        if isinstance(response, HttpResponse) and kind in _JSON:
            response = self.gzip.process_response(request, response)
        principal: Principal | None = getattr(request, "api_principal", None)
        if principal is not None:
            usage.record(principal, status=response.status_code, bytes_out=_size(response))
        return response


def _as_problem(response: HttpResponseBase) -> HttpResponse:
    document = problems.document(problems.code_of_status(response.status_code))
    document["status"] = response.status_code
    made = HttpResponse(
        json.dumps(document), status=response.status_code, content_type=problems.MEDIA_TYPE
    )
    for name in _KEPT:
        if response.has_header(name):
            made[name] = response[name]
    return made


def _size(response: HttpResponseBase) -> int:
    if isinstance(response, HttpResponse):
        return len(response.content)
    length = response.get("Content-Length", "0")
    return int(length) if length.isdigit() else 0
