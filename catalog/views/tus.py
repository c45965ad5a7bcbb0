"""Resumable uploads: the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload).

Extensions: creation, creation-with-upload, expiration, termination. Refusals are answered with a
problem document (RFC 9457) whose ``detail`` says what is wrong and what to do.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.http import http_date
from django.views.decorators.cache import never_cache

from catalog import access, selectors, services
from catalog.models import Album, Artist, Revision, Track, Upload, UploadState, User
from catalog.probing import FileRefused
from catalog.spool import UploadBusy

TUS_VERSION = "1.0.0"
TUS_EXTENSIONS = "creation,creation-with-upload,expiration,termination"
_BODY_TYPE = "application/offset+octet-stream"
_STATUS_OF_REFUSAL = {"too_large": 413, "over_quota": 413, "storage_full": 507}


class Problem(Exception):
    """An answer other than success, as a problem document."""

    def __init__(self, status: int, code: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.extra = status, code, detail, extra


class Door:
    """Through which an upload comes: who may do what with whose uploads, and what the addresses
    are. This one is that of the site's own pages; the partners' interface has another.

    ``takes_twins``: content that the artist has already is a success, whose result is the revision
    that is there; here it is a refusal that the page shows.
    """

    takes_twins = False

    def enter(self, request: HttpRequest) -> None:
        """Raises :class:`Problem` for somebody who may not come in at all."""
        if not request.user.is_authenticated:
            raise Problem(
                401, "login", "You are logged out. Log in again; the upload then goes on."
            )
        if access.find_artist(cast(User, request.user)) is None:
            raise Problem(403, "no_artist", "This account has no artist page to upload to.")

    def artist(self, request: HttpRequest, metadata: dict[str, str]) -> Artist:
        """Whose new tracks these are, where neither a track nor an album says it."""
        return cast(Artist, access.find_artist(cast(User, request.user)))

    def track(self, request: HttpRequest, track_id: UUID) -> Track:
        """A track that may get a new version. Raises Http404."""
        return selectors.get_track_for(cast(User, request.user), track_id)

    def album(self, request: HttpRequest, album_id: UUID) -> Album:
        """An album that may get new tracks. Raises Http404."""
        return selectors.get_album_for(cast(User, request.user), album_id)

    def upload(self, request: HttpRequest, upload_id: UUID) -> Upload:
        """An upload that may go on. Raises Http404."""
        return selectors.get_upload_for(cast(User, request.user), upload_id)

    def address(self, upload: Upload) -> str:
        """Where its pieces go."""
        return reverse("upload_resource", args=[upload.pk])

    def result(self, revision: Revision) -> str:
        """Where to look at what became of it."""
        return reverse("track", args=[revision.track_id])

    def problem(self, problem: Problem) -> HttpResponse:
        """A problem as an answer."""
        return _problem_response(problem)


_SITE = Door()


@never_cache
def uploads(request: HttpRequest) -> HttpResponse:
    """POST opens an upload; OPTIONS tells what the server can do."""
    return serve(_SITE, request)


@never_cache
def upload_resource(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """HEAD tells the offset, PATCH takes bytes, DELETE gives the upload up."""
    return serve(_SITE, request, upload_id)


def serve(door: Door, request: HttpRequest, upload_id: UUID | None = None) -> HttpResponse:
    """The frame of every tus answer: version check, permission, headers, problems."""
    try:
        response = _checked(door, request, upload_id)
    except Problem as problem:
        response = door.problem(problem)
    except (Http404, Upload.DoesNotExist):  # the row goes with the track that it was for
        response = door.problem(Problem(404, "unknown", "There is no such upload."))
    response["Tus-Resumable"] = TUS_VERSION
    patch_vary_headers(response, ["Cookie"])
    return response


def _checked(door: Door, request: HttpRequest, upload_id: UUID | None) -> HttpResponse:
    if request.method == "OPTIONS":
        return _options()
    if request.headers.get("Tus-Resumable") != TUS_VERSION:
        raise Problem(412, "version", f"This server speaks tus {TUS_VERSION}.")
    door.enter(request)
    if upload_id is None:
        return _create(door, request)
    return _go_on(door, request, upload_id)


def _options() -> HttpResponse:
    response = HttpResponse(status=204)
    response["Tus-Version"] = TUS_VERSION
    response["Tus-Extension"] = TUS_EXTENSIONS
    response["Tus-Max-Size"] = str(settings.UPLOAD_MAX_BYTES)
    return response


def _create(door: Door, request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _not_allowed("POST, OPTIONS")
    if "Upload-Defer-Length" in request.headers:
        raise Problem(400, "length", "The length of the file must be told when it is created.")
    length = _whole_number(request, "Upload-Length")
    metadata = _metadata(request.headers.get("Upload-Metadata", ""))
    track_id, album_id = _as_uuid(metadata, "track"), _as_uuid(metadata, "album")
    track = door.track(request, track_id) if track_id else None
    album = door.album(request, album_id) if album_id else None
    owner = track.artist if track else album.artist if album else door.artist(request, metadata)
    try:
        upload = services.create_upload(
            artist=owner,
            filename=metadata.get("filename", ""),
            folder=metadata.get("folder", ""),
            length_bytes=length,
            track=track,
            album=album,
            note=metadata.get("note", ""),
            is_reference=metadata.get("reference", "") == "1",
        )
    except services.TooManyUploads as refusal:
        raise Problem(
            429, "too_many", str(refusal), headers={"Retry-After": str(refusal.retry_after_s)}
        ) from refusal
    except FileRefused as refusal:
        raise _of_refusal(refusal) from refusal
    response = HttpResponse(status=201)
    if request.content_type == _BODY_TYPE and _body_size(request) > 0:
        _receive(door, request, upload, offset=0)
    response["Location"] = door.address(upload)
    _describe(door, response, upload)
    return response


def _go_on(door: Door, request: HttpRequest, upload_id: UUID) -> HttpResponse:
    if request.method not in {"HEAD", "PATCH", "DELETE"}:
        return _not_allowed("HEAD, PATCH, DELETE, OPTIONS")
    upload = door.upload(request, upload_id)
    if request.method == "DELETE":
        if upload.state in {UploadState.CANCELLED, UploadState.REFUSED}:
            raise _over(upload)
        services.cancel_upload(upload)
        return HttpResponse(status=204)
    if request.method == "HEAD":
        services.received_bytes(upload)
        services.finish_abandoned(upload)
        if upload.state in {UploadState.CANCELLED, UploadState.REFUSED} and not _is_twin(
            door, upload
        ):
            raise _over(upload)
        response = HttpResponse()
        response["Upload-Length"] = str(upload.length_bytes)
    else:
        if request.content_type != _BODY_TYPE:
            raise Problem(415, "content_type", f"Bytes are taken as {_BODY_TYPE}.")
        _receive(door, request, upload, offset=_whole_number(request, "Upload-Offset"))
        response = HttpResponse(status=204)
    _describe(door, response, upload)
    return response


def _is_twin(door: Door, upload: Upload) -> bool:
    """Whether the content was there already, where that is a success."""
    return door.takes_twins and upload.reason_code == "duplicate" and upload.revision_id is not None


def _receive(door: Door, request: HttpRequest, upload: Upload, *, offset: int) -> None:
    """Take the body; check the file once it is whole."""
    size = _body_size(request)
    if size > settings.UPLOAD_CHUNK_MAX_BYTES:
        raise Problem(
            413, "piece_too_large", f"Send at most {settings.UPLOAD_CHUNK_MAX_BYTES} bytes at once."
        )
    try:
        services.receive(upload, offset=offset, source=request, size_bytes=size)
    except UploadBusy as busy:
        raise Problem(423, "busy", "Another connection is sending this file.") from busy
    except services.OffsetConflict as conflict:
        raise Problem(
            409, "offset", f"The upload stands at byte {upload.offset_bytes}.",
            headers={"Upload-Offset": str(upload.offset_bytes)},
        ) from conflict  # fmt: skip
    except services.UploadTooLong as too_long:
        raise Problem(
            413, "too_long", "More bytes came than the file was said to have."
        ) from too_long
    except services.UploadOver as over:
        raise _over(upload) from over
    except ConnectionError as broken:
        raise Problem(400, "broken_off", "The connection broke; the upload can go on.") from broken
    except FileRefused as refusal:
        raise _of_refusal(refusal) from refusal
    if upload.offset_bytes == upload.length_bytes:
        services.complete_upload(upload)
        if upload.state == UploadState.REFUSED and not _is_twin(door, upload):
            raise _refused(door, upload)


def _describe(door: Door, response: HttpResponse, upload: Upload) -> None:
    response["Upload-Offset"] = str(upload.offset_bytes)
    if upload.state == UploadState.RECEIVING:
        response["Upload-Expires"] = http_date(upload.expires_at.timestamp())
    if upload.revision is not None and (
        upload.state == UploadState.ACCEPTED or _is_twin(door, upload)
    ):
        response["Upload-Result"] = door.result(upload.revision)
    if upload.state == UploadState.CHECKING:
        response["Upload-Wait"] = upload.reason or "The file is being checked."


def _refused(door: Door, upload: Upload) -> Problem:
    extra = {}
    if upload.revision is not None:
        extra["url"] = door.result(upload.revision)
    return Problem(422, upload.reason_code, upload.reason, **extra)


def _over(upload: Upload) -> Problem:
    """410: what is refused, cancelled or expired does not come back; a client starts anew."""
    return Problem(410, "over", upload.reason or "This upload is over. Start it again.")


def _of_refusal(refusal: FileRefused) -> Problem:
    return Problem(_STATUS_OF_REFUSAL.get(refusal.code, 422), refusal.code, refusal.message)


def _problem_response(problem: Problem) -> HttpResponse:
    headers = problem.extra.pop("headers", {})
    document = {
        "type": "about:blank",
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        **problem.extra,
    }
    return HttpResponse(
        json.dumps(document),
        status=problem.status,
        content_type="application/problem+json",
        headers=headers,
    )


def _not_allowed(allowed: str) -> HttpResponse:
    return HttpResponse(status=405, headers={"Allow": allowed})


def _body_size(request: HttpRequest) -> int:
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isascii() or not length.isdigit():
        raise Problem(411, "content_length", "The length of the body must be told.")
    return int(length)


def _whole_number(request: HttpRequest, name: str) -> int:
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise Problem(400, "header", f"{name} must be a whole number.")
    return int(text)


def _metadata(header: str) -> dict[str, str]:
    """``key base64,key base64`` of the ``Upload-Metadata`` header."""
    found = {}
    for pair in header.split(","):
        key, _, value = pair.strip().partition(" ")
        try:
            found[key] = base64.b64decode(value.strip(), validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError) as error:
            raise Problem(400, "metadata", "Upload-Metadata must be base64.") from error
    return found


def _as_uuid(metadata: dict[str, str], key: str) -> UUID | None:
    text = metadata.get(key, "")
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error
