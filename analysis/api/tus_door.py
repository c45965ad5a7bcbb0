"""Resumable uploads (tus 1.0.0) under the same token: the site's own protocol code, with the
interface's callers, addresses and problems."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from rest_framework.request import Request

from analysis.api import idempotency, problems
from analysis.api.principals import Principal
from analysis.api.resources import ApiView
from catalog.models import Album, Artist, Revision, Track, Upload
from catalog.partner_models import Scope
from catalog.views import tus

_CODES = {
    "version": "upload_version",
    "offset": "upload_offset",
    "over": "upload_over",
    "busy": "upload_busy",
    "content_length": "length_required",
    "content_type": "unsupported_media_type",
    "unknown": "not_found",
    "too_many": "rate_limited",
    "too_large": "too_large",
    "too_long": "too_large",
    "piece_too_large": "too_large",
    "over_quota": "too_large",
    "storage_full": "storage_full",
}


class ApiDoor(tus.Door):
    """The partners' way in. The same content again is a success, so that a client may repeat."""

    takes_twins = True

    def __init__(self, principal: Principal) -> None:
        self.principal = principal

    def enter(self, request: HttpRequest) -> None:
        """Who calls has been checked already."""

    def artist(self, request: HttpRequest, metadata: dict[str, str]) -> Artist:
        text = metadata.get("artist", "")
        if text and not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise tus.Problem(400, "metadata", "artist is a number.")
        return self.principal.artist(int(text) if text else None, scope=Scope.WRITE)

    def track(self, request: HttpRequest, track_id: UUID) -> Track:
        rows = Track.objects.select_related("artist__user", "album")
        return self.principal.get(rows, track_id, scope=Scope.WRITE)

    def album(self, request: HttpRequest, album_id: UUID) -> Album:
        rows = Album.objects.select_related("artist__user")
        return self.principal.get(rows, album_id, scope=Scope.WRITE)

    def upload(self, request: HttpRequest, upload_id: UUID) -> Upload:
        rows = Upload.objects.select_related("artist__user", "track", "album")
        return self.principal.get(rows, upload_id, scope=Scope.WRITE)

    def address(self, upload: Upload) -> str:
        return reverse("api:tus_upload", args=[upload.pk])

    def result(self, revision: Revision) -> str:
        return reverse("api:revision", args=[revision.pk])

    def problem(self, problem: tus.Problem) -> HttpResponse:
        code = _CODES.get(problem.code, problems.code_of_status(problem.status))
        if problem.status == 422:
            code = "refused"
        headers = problem.extra.pop("headers", {})
        document = {
            **problems.document(code, problem.detail),
            "status": problem.status,
            "reason": problem.code,
            **problem.extra,
        }
        return HttpResponse(
            json.dumps(document),
            status=problem.status,
            content_type=problems.MEDIA_TYPE,
            headers=headers,
        )


class _Tus(ApiView):
    tag = "uploads"
    http_method_names: ClassVar[list[str]] = [*ApiView.http_method_names, "options"]

    def _serve(self, request: Request, upload_id: UUID | None = None) -> HttpResponse:
        return tus.serve(ApiDoor(self.caller), request._request, upload_id)

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return self._serve(request)


class TusUploadsView(_Tus):
    """Open a resumable upload (tus 1.0.0). `Upload-Metadata` may name `filename`, `artist`,
    `track`, `album`, `folder`, `note` and `reference` (1), each in base64."""

    summaries = {"POST": "Open a resumable upload"}
    costly = frozenset({"POST"})
    repeatable = idempotency.Way.MARK
    tus_headers = {"POST": ("Tus-Resumable", "Upload-Length", "Upload-Metadata")}
    answers: ClassVar[dict[str, Any]] = {"POST": {201: None}}
    problems: ClassVar[dict[str, Any]] = {"POST": (404, 409, 411, 412, 413, 422, 423, 507)}

    def post(self, request: Request) -> HttpResponse:
        return self._serve(request)

    def body_for_fingerprint(self, request: Request) -> bytes:
        named = ("Upload-Length", "Upload-Metadata", "Content-Length")
        return "\n".join(request.headers.get(name, "") for name in named).encode()


class TusUploadView(_Tus):
    """The bytes of a resumable upload: HEAD says how far it came, PATCH adds to it, DELETE gives
    it up. When the last byte is there, `Upload-Result` is the address of the revision."""

    summaries = {
        "HEAD": "How far it came",
        "PATCH": "Send bytes",
        "DELETE": "Give an upload up",
    }
    scopes = {"HEAD": Scope.WRITE}
    tus_headers = {"PATCH": ("Tus-Resumable", "Upload-Offset"), "DELETE": ("Tus-Resumable",)}
    requests: ClassVar[dict[str, Any]] = {"PATCH": {"application/offset+octet-stream": bytes}}
    answers: ClassVar[dict[str, Any]] = {"PATCH": {204: None}, "DELETE": {204: None}}
    problems: ClassVar[dict[str, Any]] = {
        "PATCH": (404, 409, 410, 411, 412, 413, 415, 422, 423, 507),
        "DELETE": (404, 410, 412),
    }

    def head(self, request: Request, upload_id: UUID) -> HttpResponse:
        return self._serve(request, upload_id)

    def patch(self, request: Request, upload_id: UUID) -> HttpResponse:
        return self._serve(request, upload_id)

    def delete(self, request: Request, upload_id: UUID) -> HttpResponse:
        return self._serve(request, upload_id)
