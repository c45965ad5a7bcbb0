"""Uploads: a file in one call, and what became of every file sent.

Sending is safe to repeat: the same content for the same artist always ends at the same revision.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analysis.api import idempotency
from analysis.api.filters import Filter, a_number, a_uuid, some_text, yes_or_no
from analysis.api.form_files import TakesForm
from analysis.api.parsers import AnyBytesParser
from analysis.api.problems import Problem
from analysis.api.resources import ApiView, Listing, Reading
from analysis.api.serializing import Output
from analysis.models import Job, Stage
from catalog import services
from catalog.models import Album, Artist, Track, Upload, UploadState
from catalog.partner_models import Scope
from catalog.probing import FileRefused
from catalog.spool import UploadBusy

_STATES = ("receiving", "checking", "accepted", "duplicate", "refused", "cancelled")
_CODE_OF_REFUSAL = {
    "too_large": "too_large",
    "over_quota": "too_large",
    "storage_full": "storage_full",
}


class UploadOut(Output):
    """A file that was sent. `accepted`: it is the revision named; `duplicate`: the artist had this
    content already, as the revision named; `refused`: `reason` says what is wrong and what to do;
    `checking`: all is there, the answer comes by itself."""

    example: ClassVar[dict[str, Any]] = {
        "id": "5e5b7cf8-0dd4-4b35-8a4d-8d3a6f3b7c20",
        "artist": 17,
        "filename": "harbour live.wav",
        "length_bytes": 37_641_644,
        "offset_bytes": 37_641_644,
        "state": "accepted",
        "reason_code": "",
        "reason": "",
        "revision": "5e5b7cf8-0dd4-4b35-8a4d-8d3a6f3b7c20",
        "track": "c0a80101-7b1f-4f0e-9f3e-2f8f5b8a6d01",
        "job": "0e7c7d62-30b7-4ea6-9b0c-2a4c3e9b7f10",
        "created_at": "2026-02-01T10:00:00Z",
        "expires_at": "2026-02-03T10:00:00Z",
    }

    id = serializers.UUIDField()
    artist = serializers.IntegerField(source="artist_id")
    filename = serializers.CharField()
    length_bytes = serializers.IntegerField()
    offset_bytes = serializers.IntegerField(help_text="How much of it has arrived.")
    state = serializers.SerializerMethodField()
    reason_code = serializers.CharField(help_text="Why it was refused; stable.")
    reason = serializers.CharField(help_text="What is wrong and what to do, for people.")
    revision = serializers.UUIDField(source="revision_id", allow_null=True)
    track = serializers.SerializerMethodField()
    job = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="Until when the rest may come.")

    def get_state(self, upload: Upload) -> str:
        return state_of(upload)

    def get_track(self, upload: Upload) -> UUID | None:
        return upload.revision.track_id if upload.revision is not None else upload.track_id

    def get_job(self, upload: Upload) -> UUID | None:
        """The job that listens to it."""
        jobs = getattr(upload, "listening_jobs", None)
        if jobs is None:
            jobs = listening_jobs([upload])
        return jobs.get(upload.revision_id)


def state_of(upload: Upload) -> str:
    """The upload's state, a duplicate told from other refusals."""
    if upload.state == UploadState.REFUSED and upload.reason_code == "duplicate":
        return "duplicate" if upload.revision_id is not None else "refused"
    return str(upload.state)


def listening_jobs(uploads: Sequence[Upload]) -> dict[UUID | None, UUID]:
    """Revision id -> id of the newest job that listens to it."""
    ids = {upload.revision_id for upload in uploads if upload.revision_id is not None}
    jobs = Job.objects.filter(revision__in=ids, stage=Stage.LISTEN).order_by("queued_at")
    return dict(jobs.values_list("revision_id", "pk"))


def _in_state(rows: QuerySet[Upload], value: str) -> QuerySet[Upload]:
    twins = {"state": UploadState.REFUSED, "reason_code": "duplicate", "revision__isnull": False}
    if value == "duplicate":
        return rows.filter(**twins)
    rows = rows.filter(state=value)
    return rows.exclude(**twins) if value == UploadState.REFUSED else rows


class _Uploads:
    output = UploadOut
    tag: ClassVar[str] = "uploads"

    def rows(self) -> QuerySet[Upload]:
        return Upload.objects.select_related("revision", "artist__user")

    def address(self, row: Upload) -> str:
        return reverse("api:upload", args=[row.pk])


class UploadForm(serializers.Serializer):
    """A file, and where it goes: a new version of `track`, or a new track (in `album`)."""

    file = serializers.FileField()
    artist = serializers.IntegerField(required=False, help_text="Without it: your own.")
    track = serializers.UUIDField(required=False)
    album = serializers.UUIDField(required=False)
    note = serializers.CharField(required=False, max_length=300)
    is_reference = serializers.BooleanField(required=False)


class _Sending(_Uploads, ApiView):
    """What both ways of sending a file in one call share."""

    def target(self, named: dict[str, str]) -> tuple[Artist, Track | None, Album | None]:
        """Whose file it is and where it goes. Raises Problem."""
        track = album = None
        if named.get("track"):
            rows = Track.objects.select_related("artist__user", "album")
            track = self._found(rows, "track", named["track"])
        if named.get("album"):
            album = self._found(
                Album.objects.select_related("artist__user"), "album", named["album"]
            )
        if track is not None or album is not None:
            artists = {each.artist_id for each in (track, album) if each is not None}
            given = named.get("artist")
            if len(artists) > 1 or (given and {given} != {str(pk) for pk in artists}):
                raise Problem("conflict", "Artist, track and album do not belong together.")
            return (track or album).artist, track, album  # type: ignore[union-attr]
        given = named.get("artist", "")
        if given and not (given.isascii() and given.isdigit() and len(given) <= 9):
            raise Problem("invalid_parameter", "artist is a whole number.")
        return self.caller.artist(int(given) if given else None, scope=Scope.WRITE), None, None

    def _found(self, rows: Any, name: str, text: str) -> Any:
        try:
            pk = UUID(text)
        except ValueError as error:
            raise Problem("invalid_parameter", f"{name} is an id.") from error
        return self.caller.get(rows, pk, scope=Scope.WRITE)

    def outcome(self, upload: Upload) -> Response:
        """What became of a file that is all here."""
        services.complete_upload(upload)
        row = self.rows().get(pk=upload.pk)
        state = state_of(row)
        if state == "refused":
            raise _refused(row.reason_code, row.reason, upload=str(row.pk))
        status = {"accepted": 201, "duplicate": 200}.get(state, 202)
        data = UploadOut(row, context=self.context()).data
        return Response(data, status=status, headers={"Location": self.address(row)})


def _refused(code: str, message: str, **extra: Any) -> Problem:
    return Problem(_CODE_OF_REFUSAL.get(code, "refused"), message, reason=code, **extra)


def _too_many(limit: services.TooManyUploads) -> Problem:
    headers = {"Retry-After": str(limit.retry_after_s)}
    return Problem("rate_limited", str(limit), reason="too_many", headers=headers)


class UploadsView(TakesForm, _Sending, Listing):
    """Files that were sent, newest first; POST sends one as a form. Sending the same content again
    gives the same revision (200 instead of 201)."""

    summaries = {"GET": "List uploads", "POST": "Send a file as a form"}
    costly = frozenset({"POST"})
    repeatable = idempotency.Way.MARK
    known_fields = frozenset({"artist", "track", "album", "note", "is_reference"})
    requests: ClassVar[dict[str, Any]] = {"POST": {"multipart/form-data": UploadForm}}
    answers: ClassVar[dict[str, Any]] = {
        "POST": {201: UploadOut, 200: UploadOut, 202: UploadOut},
    }
    problems: ClassVar[dict[str, Any]] = {"POST": (404, 409, 413, 415, 422, 507)}
    filters = (
        Filter("artist", "artist_id", a_number, "Uploads of this artist."),
        Filter("track", "revision__track_id", a_uuid, "Uploads that became versions of this."),
        Filter("state", _in_state, help="Uploads in this state.", choices=_STATES),
    )

    def refuse_large(self, size_bytes: int) -> Problem:
        refusal = services.too_large(size_bytes)
        return _refused(refusal.code, refusal.message)

    def attach(self, rows: Sequence[Upload]) -> None:
        jobs = listening_jobs(rows)
        for row in rows:
            row.listening_jobs = jobs  # type: ignore[attr-defined]

    def post(self, request: Request) -> Response:
        file, named = self.form(request)
        artist, track, album = self.target(named)
        file.flush()
        try:
            upload = services.adopt_file(
                artist=artist,
                path=Path(file.temporary_file_path()),
                filename=file.name or "",
                track=track,
                album=album,
                note=named.get("note", ""),
                is_reference=named.get("is_reference", "") == "true",
            )
        except services.TooManyUploads as limit:
            raise _too_many(limit) from limit
        except FileRefused as refusal:
            raise _refused(refusal.code, refusal.message) from refusal
        return self.outcome(upload)


class UploadView(_Uploads, Reading):
    """What became of one file."""

    summaries = {"GET": "Read an upload"}
    key = "upload_id"

    def one(self, scope: str) -> Upload:
        upload: Upload = super().one(scope)
        return services.finish_abandoned(upload)


class RawUploadView(_Sending):
    """Send a file as the body, as it is: `curl -T song.flac …/uploads/files/song.flac`. Safe to
    repeat: the same content gives the same revision (200 instead of 201)."""

    summaries = {"PUT": "Send a file as it is"}
    costly = frozenset({"PUT"})
    parser_classes = (AnyBytesParser,)
    parameters = {
        "PUT": (
            Filter("artist", "", a_number, "For this artist; without it: your own."),
            Filter("track", "", a_uuid, "As a new version of this track."),
            Filter("album", "", a_uuid, "As a new track of this album."),
            Filter("note", "", some_text, "What changed in this version."),
            Filter("is_reference", "", yes_or_no, "Somebody else's music, to compare with."),
        )
    }
    requests: ClassVar[dict[str, Any]] = {"PUT": {"application/octet-stream": bytes}}
    answers: ClassVar[dict[str, Any]] = {"PUT": {201: UploadOut, 200: UploadOut, 202: UploadOut}}
    problems: ClassVar[dict[str, Any]] = {"PUT": (404, 409, 410, 411, 422, 423, 507)}

    def put(self, request: Request, filename: str) -> Response:
        named = {}
        for each in self.parameters["PUT"]:
            value = each.value_in(request, default=None)
            if value is not None:
                named[each.name] = str(value)
        artist, track, album = self.target(named)
        length = request.META.get("CONTENT_LENGTH") or ""
        if not (length.isascii() and length.isdigit() and len(length) <= 15):
            raise Problem("length_required")
        try:
            upload = services.create_upload(
                artist=artist,
                filename=filename,
                length_bytes=int(length),
                track=track,
                album=album,
                note=named.get("note", ""),
                is_reference=named.get("is_reference") == "True",
            )
            self._receive(request, upload, int(length))
        except services.TooManyUploads as limit:
            raise _too_many(limit) from limit
        except FileRefused as refusal:
            raise _refused(refusal.code, refusal.message) from refusal
        return self.outcome(upload)

    def _receive(self, request: Request, upload: Upload, length: int) -> None:
        try:
            services.receive(upload, offset=0, source=request._request, size_bytes=length)
        except ConnectionError as broken:
            services.cancel_upload(upload)
            raise Problem("malformed", "The connection broke. Send it again.") from broken
        except (services.UploadOver, services.OffsetConflict) as over:
            raise Problem("upload_over") from over
        except UploadBusy as busy:
            raise Problem("upload_busy") from busy
