"""Revisions: the files of a track, v1, v2 …; each has analyses of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request

from analysis.api.filters import Filter, a_moment, a_number, a_uuid, yes_or_no
from analysis.api.problems import Problem
from analysis.api.resources import ApiView, Changing, Deleting, Listing, Reading
from analysis.api.serializing import Input, Output, StrictChar
from catalog import services
from catalog.models import Revision
from catalog.partner_models import Scope
from catalog.streaming import ranged_response
from catalog.views.media import audio_type


class RevisionOut(Output):
    """One file of a track."""

    example: ClassVar[dict[str, Any]] = {
        "id": "5e5b7cf8-0dd4-4b35-8a4d-8d3a6f3b7c20",
        "track": "c0a80101-7b1f-4f0e-9f3e-2f8f5b8a6d01",
        "artist": 17,
        "number": 2,
        "original_name": "harbour live.wav",
        "content_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "size_bytes": 37_641_644,
        "duration_s": 213.4,
        "sample_rate": 44_100,
        "channels": 2,
        "codec": "pcm_s16le",
        "container": "wav",
        "bit_depth": 16,
        "lossless": True,
        "note": "New bass",
        "created_at": "2026-02-01T10:00:00Z",
    }

    id = serializers.UUIDField()
    track = serializers.UUIDField(source="track_id")
    artist = serializers.IntegerField(source="artist_id")
    number = serializers.IntegerField(help_text="v1, v2 …")
    original_name = serializers.CharField()
    content_sha256 = serializers.CharField()
    size_bytes = serializers.IntegerField()
    duration_s = serializers.FloatField(help_text="Seconds, as the file's header says.")
    sample_rate = serializers.IntegerField(help_text="Hz")
    channels = serializers.IntegerField()
    codec = serializers.CharField()
    container = serializers.CharField()
    bit_depth = serializers.IntegerField(allow_null=True)
    lossless = serializers.BooleanField()
    note = serializers.CharField(help_text="What changed in this version.")
    created_at = serializers.DateTimeField()


class RevisionChange(Input):
    """What can be changed in a revision."""

    example: ClassVar[dict[str, Any]] = {"note": "New bass"}

    note = StrictChar(max_length=300, allow_blank=True)


class _Revisions:
    output = RevisionOut
    tag = "revisions"

    def rows(self) -> QuerySet[Revision]:
        return Revision.objects.select_related("track", "artist__user")

    def address(self, row: Revision) -> str:
        return reverse("api:revision", args=[row.pk])


class RevisionsView(_Revisions, Listing):
    """Files of the artists you work with, newest first."""

    summaries = {"GET": "List revisions"}
    filters = (
        Filter("artist", "artist_id", a_number, "Files of this artist."),
        Filter("track", "track_id", a_uuid, "Files of this track."),
        Filter("sha256", "content_sha256", help="Files of this content."),
        Filter("lossless", "lossless", yes_or_no),
        Filter("created_from", "created_at__gte", a_moment, "Uploaded then or later."),
    )


class RevisionView(_Revisions, Reading, Changing, Deleting):
    """One file. The last one of a track cannot be deleted: delete the track."""

    summaries = {
        "GET": "Read a revision",
        "PATCH": "Say what changed in a revision",
        "DELETE": "Delete a revision",
    }
    key = "revision_id"
    changes = RevisionChange

    def change(self, row: Revision, data: dict[str, Any]) -> None:
        services.update_revision_note(row, data.get("note", row.note))

    def delete_row(self, row: Revision) -> None:
        try:
            services.delete_revision(row)
        except serializers.DjangoValidationError as error:
            raise Problem("conflict", " ".join(error.messages), reason="last_revision") from error


class RevisionAudioView(ApiView):
    """The file itself, as it was uploaded. One byte range can be asked for."""

    tag = "revisions"
    summaries = {"GET": "Download a revision"}
    scopes = {"GET": Scope.AUDIO}
    costly = frozenset({"GET"})
    problems: ClassVar[dict[str, Any]] = {"GET": (416,)}
    answers: ClassVar[dict[str, Any]] = {
        "GET": {(200, "*/*"): bytes, (206, "*/*"): bytes, 304: None}
    }

    def get(self, request: Request, revision_id: Any) -> Any:
        rows = Revision.objects.select_related("track", "artist")
        row = self.caller.get(rows, revision_id, scope=Scope.AUDIO)
        media_type, ending = audio_type(row)
        name = f"{row.artist.name} - {row.track} (v{row.number}).{ending}".replace("/", "-")
        return ranged_response(
            request._request,
            storage=row.file.storage,
            name=row.file.name or "",
            content_type=media_type,
            etag=row.content_sha256,
            last_modified=row.created_at,
            download_name=name,
        )
