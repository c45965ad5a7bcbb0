"""The OpenAPI document: what views and serializers say, plus what is the same for all."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers

from analysis.api import conditions, problems
from analysis.api.resources import (
    ApiView,
    Changing,
    Creating,
    Deleting,
    Listing,
    Reading,
    Resource,
)
from analysis.api.serializing import Output, ProblemDocument

_PROBLEM = problems.MEDIA_TYPE
_TUS: dict[str, dict[str, Any]] = {
    "Tus-Resumable": {"type": "string", "enum": ["1.0.0"]},
    "Upload-Length": {"type": "integer", "minimum": 0, "maximum": 10**12},
    "Upload-Offset": {"type": "integer", "minimum": 0, "maximum": 10**12},
    "Upload-Metadata": {"type": "string", "examples": ["filename aGFyYm91ci53YXY=,artist MTc="]},
}
_VERBS = {"GET": "read", "POST": "create", "PUT": "put", "PATCH": "update", "DELETE": "delete"}
_HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {"description": "Name it when you write to us.", "schema": {"type": "string"}},
    "RateLimit": {
        "description": "What is left: `r` calls for `t` seconds.",
        "schema": {"type": "string"},
        "example": '"default";r=597;t=42',
    },
    "RateLimit-Policy": {
        "description": "The limit: `q` calls in `w` seconds.",
        "schema": {"type": "string"},
        "example": '"default";q=600;w=60',
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "ETag": {"description": "For If-None-Match and If-Match.", "schema": {"type": "string"}},
    "Location": {"description": "The new thing's address.", "schema": {"type": "string"}},
}


def only_the_api(endpoints: list[Any]) -> list[Any]:
    """Leave other addresses of the site out."""
    return [each for each in endpoints if each[0].startswith("/api/v1/")]


_pages: dict[type[Output], type[serializers.Serializer]] = {}


def _page_of(output: type[Output]) -> type[serializers.Serializer]:
    """A page of a list: one class for each serializer."""
    if output not in _pages:
        _pages[output] = _new_page_of(output)
    return _pages[output]


def _new_page_of(output: type[Output]) -> type[serializers.Serializer]:
    example = {"results": [output.example], "next": None}
    fields = {
        "results": output(many=True),
        "next": serializers.URLField(allow_null=True, help_text="Where the list goes on."),
        "example": example,
        "__doc__": "A page of a list.",
    }
    return type(output.__name__.removesuffix("Out") + "Page", (serializers.Serializer,), fields)


class ApiSchema(AutoSchema):
    """Asks the views of the interface what :mod:`drf_spectacular` cannot see by itself."""

    view: ApiView

    def get_operation_id(self) -> str:
        parts = [part for part in self._tokenize_path() if part not in {"api", "v1"}]
        # One of a list by its name, where the list itself is no ``Listing``.
        last = re.search(r"\{(\w+)\}/$", self.path)
        if last and not last[1].endswith("_id"):
            parts.append(last[1])
        verb = _VERBS[self.method]
        if self.method == "GET" and isinstance(self.view, Listing):
            verb = "list"
        return "_".join([verb, *parts]) if parts else f"{verb}_index"

    def get_tags(self) -> list[str]:
        return [self.view.tag or self._tokenize_path()[-1]]

    def get_summary(self) -> str | None:
        return self.view.summaries.get(self.method) or super().get_summary()

    def get_description(self) -> str:
        text = re.sub(r"\s*\n\s*", " ", (type(self.view).__doc__ or "").split("\n\n")[0]).strip()
        scope = self.view.scope_of(self.method)
        return f"{text}\n\nScope: `{scope}`." if scope else text

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False

    def get_request_serializer(self) -> Any:
        view = self.view
        declared = getattr(view, "requests", {}).get(self.method)
        if declared is not None:
            return declared
        if self.method == "POST" and isinstance(view, Creating):
            return view.input
        if self.method == "PATCH" and isinstance(view, Changing):
            return view.changes
        return None

    def get_response_serializers(self) -> Any:
        found: dict[Any, Any] = dict(self._good_answers())
        for status in self._problem_statuses():
            found[(status, _PROBLEM)] = ProblemDocument
        return found

    def _good_answers(self) -> dict[Any, Any]:
        view = self.view
        declared = getattr(view, "answers", {}).get(self.method)
        if declared is not None:
            return declared
        if isinstance(view, Resource):
            if self.method == "GET" and isinstance(view, Listing):
                return {200: _page_of(view.output), 304: None}
            if self.method == "GET" and isinstance(view, Reading):
                return {200: view.output, 304: None}
            if self.method == "POST" and isinstance(view, Creating):
                return {201: view.output}
            if self.method == "PATCH" and isinstance(view, Changing):
                return {200: view.output}
            if self.method == "DELETE" and isinstance(view, Deleting):
                return {204: None}
        return {}

    def _problem_statuses(self) -> list[int]:
        found = {400, 401, 403, 406, 429, 500}
        if "{" in self.path:
            found.add(404)
        if self.method in {"POST", "PATCH", "PUT"}:
            found |= {413, 415}
        if self.method in {"PATCH", "DELETE"}:
            found |= {412, 409}
        if self.method == "POST" and self.view.repeatable is not None:
            found |= {409, 422}
        return sorted(found | set(getattr(self.view, "problems", {}).get(self.method, ())))

    def get_override_parameters(self) -> list[Any]:
        return []

    def _get_parameters(self) -> list[dict[str, Any]]:
        found = super()._get_parameters()
        found += [each.schema() for each in self.view.known_parameters(self.method)]
        for name in getattr(self.view, "tus_headers", {}).get(self.method, ()):
            found.append({**_header_parameter(name, "", _TUS[name]), "required": True})
        if self.method == "POST" and self.view.repeatable is not None:
            found.append(
                _header_parameter(
                    "Idempotency-Key",
                    "Sent again with the same key, the call is done once and answered again, for "
                    "24 hours.",
                    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!-~]+$"},
                )
            )
        if self.method == "GET" and isinstance(self.view, (Listing, Reading)):
            found.append(_header_parameter("If-None-Match", "304 if it has not changed."))
        if isinstance(self.view, Reading) and 412 in self._problem_statuses():
            found.append(_header_parameter("If-Match", "412 if it has changed."))
        return found

    def get_examples(self) -> list[OpenApiExample]:
        return []

    def _get_examples(
        self,
        serializer: Any,
        direction: str,
        media_type: str,
        status_code: Any = None,
        extras: Any = None,
    ) -> Any:
        example = getattr(serializer, "example", None)
        if example:
            return {"Example": {"value": example}}
        return super()._get_examples(serializer, direction, media_type, status_code, extras)


def _header_parameter(
    name: str, description: str, schema: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": schema or {"type": "string", "pattern": r"^[!-~]+$"},
    }


def finish(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """What is the same for all calls: headers of the answers, and what the document says of
    itself."""
    components = result.setdefault("components", {})
    components["headers"] = _HEADERS
    for item in result["paths"].values():
        for operation in item.values():
            for status, answer in operation["responses"].items():
                names = ["X-Request-ID"]
                if operation.get("security") != [{}]:
                    names += ["RateLimit", "RateLimit-Policy"]
                names += {"429": ["Retry-After"], "201": ["Location", "ETag"]}.get(status, [])
                if status in {"200", "304"}:
                    names.append("ETag")
                answer["headers"] = {
                    **answer.get("headers", {}),
                    **{name: {"$ref": f"#/components/headers/{name}"} for name in names},
                }
    result["info"]["description"] = (
        "Catalogue, uploads, analyses and what was heard in them. Errors are problem documents "
        "(RFC 9457) with stable codes. Lists are read page by page through `next`. "
        "See the [guide](/developers/)."
    )
    return result


@functools.cache
def document() -> tuple[bytes, str]:
    """The document as JSON, and its entity tag; made once in a process."""
    found = SchemaGenerator().get_schema(request=None, public=True)
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"), default=str)
    return text.encode(), conditions.tag_of(found)


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI 3.1 document of the whole interface. Everybody may read it."""
    body, tag = document()
    if conditions.not_modified(request.headers.get("If-None-Match"), tag):
        return HttpResponse(status=304, headers={"ETag": tag})
    return HttpResponse(
        body,
        content_type="application/vnd.oai.openapi+json;version=3.1",
        headers={"ETag": tag, "Cache-Control": "public, max-age=300"},
    )
