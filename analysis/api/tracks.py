"""Tracks: what is known about a piece of music. Its sound is in its revisions."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from analysis.api.filters import Filter, a_day, a_moment, a_number, a_uuid, yes_or_no
from analysis.api.problems import Problem
from analysis.api.resources import Changing, Creating, Deleting, Listing, Reading
from analysis.api.serializing import (
    Input,
    Output,
    StrictBoolean,
    StrictChar,
    StrictInteger,
    StrictUUID,
)
from catalog import services
from catalog.models import Album, Artist, Revision, Track
from catalog.partner_models import Scope
from catalog.services.new_tracks import NewTrack, create_tracks


class RevisionBrief(serializers.Serializer):
    """The newest file of a track."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    duration_s = serializers.FloatField(help_text="Seconds.")
    content_sha256 = serializers.CharField()
    created_at = serializers.DateTimeField()


class TrackOut(Output):
    """A track. `revision` is its newest file; null while none has been uploaded."""

    example: ClassVar[dict[str, Any]] = {
        "id": "c0a80101-7b1f-4f0e-9f3e-2f8f5b8a6d01",
        "artist": 17,
        "album": "7d4f6a0e-25f5-4c2b-8a7e-0d5f2c7b9e11",
        "title": "Harbour",
        "version": "Live",
        "position": 3,
        "release_date": None,
        "composer": "A. Writer",
        "isrc": "GBAYE0000351",
        "discoverable": False,
        "is_reference": False,
        "revision": {
            "id": "5e5b7cf8-0dd4-4b35-8a4d-8d3a6f3b7c20",
            "number": 2,
            "duration_s": 213.4,
            "content_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "created_at": "2026-02-01T10:00:00Z",
        },
        "created_at": "2026-01-05T09:30:00Z",
        "updated_at": "2026-02-01T10:00:00Z",
    }

    id = serializers.UUIDField()
    artist = serializers.IntegerField(source="artist_id")
    album = serializers.UUIDField(source="album_id", allow_null=True)
    title = serializers.CharField()
    version = serializers.CharField()
    position = serializers.IntegerField(help_text="Its place in the album.")
    release_date = serializers.DateField(allow_null=True)
    composer = serializers.CharField()
    isrc = serializers.CharField()
    discoverable = serializers.BooleanField(help_text="Others find it among similar tracks.")
    is_reference = serializers.BooleanField(help_text="Somebody else's music, to compare with.")
    revision = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(RevisionBrief(allow_null=True))
    def get_revision(self, track: Track) -> dict[str, Any] | None:
        newest = track.newest[0] if track.newest else None  # type: ignore[attr-defined]
        return self._brief.to_representation(newest) if newest is not None else None

    @cached_property
    def _brief(self) -> RevisionBrief:
        """One for all rows: making a serializer takes longer than writing a row with it."""
        return RevisionBrief()


class TrackChange(Input):
    """What can be changed in a track."""

    example: ClassVar[dict[str, Any]] = {"title": "Harbour", "version": "Live", "isrc": ""}

    title = StrictChar(max_length=300)
    version = StrictChar(max_length=120, allow_blank=True, required=False)
    composer = StrictChar(max_length=300, allow_blank=True, required=False)
    isrc = StrictChar(max_length=15, allow_blank=True, required=False)
    release_date = serializers.DateField(required=False, allow_null=True)
    album = StrictUUID(required=False, allow_null=True)
    discoverable = StrictBoolean(required=False)
    is_reference = StrictBoolean(required=False)


class TrackIn(TrackChange):
    """A new track, still without sound. Without `artist` it is your own."""

    example: ClassVar[dict[str, Any]] = {"artist": 17, "title": "Harbour", "version": "Live"}

    artist = StrictInteger(required=False, min_value=1, max_value=2**31 - 1)


def track_rows() -> QuerySet[Track]:
    """All tracks, each with ``newest``: its newest revision, or nothing. Two queries."""
    newer = Revision.objects.filter(track=OuterRef("track"), number__gt=OuterRef("number"))
    newest = Revision.objects.filter(~Exists(newer))
    return Track.objects.prefetch_related(Prefetch("revisions", newest, to_attr="newest"))


def new_track(data: dict[str, Any]) -> NewTrack:
    """A checked body as the service wants it."""
    return NewTrack(
        title=data["title"],
        version=data.get("version", ""),
        composer=data.get("composer", ""),
        isrc=data.get("isrc", ""),
        release_date=data.get("release_date"),
        album_id=data.get("album"),
        discoverable=data.get("discoverable", False),
        is_reference=data.get("is_reference", False),
    )


class _Tracks:
    output = TrackOut
    tag = "tracks"

    def rows(self) -> QuerySet[Track]:
        return track_rows()

    def address(self, row: Track) -> str:
        return reverse("api:track", args=[row.pk])


def _with_sound(rows: QuerySet[Track], value: bool) -> QuerySet[Track]:
    held = Exists(Revision.objects.filter(track=OuterRef("pk")))
    return rows.filter(held if value else ~held)


def _in_album(rows: QuerySet[Track], value: Any) -> QuerySet[Track]:
    return rows.filter(album_id=value)


class TracksView(_Tracks, Listing, Creating):
    """Tracks of the artists you work with, newest first."""

    summaries = {"GET": "List tracks", "POST": "Make a track"}
    input = TrackIn
    filters = (
        Filter("artist", "artist_id", a_number, "Tracks of this artist."),
        Filter("album", _in_album, a_uuid, "Tracks of this album."),
        Filter("title", "title__icontains", help="Part of the title."),
        Filter("isrc", "isrc__iexact", help="This ISRC."),
        Filter("sha256", "revisions__content_sha256", help="A file of this content."),
        Filter("has_sound", _with_sound, yes_or_no, "With, or without, any file."),
        Filter("is_reference", "is_reference", yes_or_no),
        Filter("discoverable", "discoverable", yes_or_no),
        Filter("released_from", "release_date__gte", a_day, "Released on that day or later."),
        Filter("released_to", "release_date__lte", a_day, "Released on that day or before."),
        Filter("created_from", "created_at__gte", a_moment, "Made then or later."),
        Filter("updated_from", "updated_at__gte", a_moment, "Changed then or later."),
    )

    def create(self, data: dict[str, Any]) -> Track:
        artist = self.caller.artist(data.get("artist"), scope=Scope.WRITE)
        (made,) = create_tracks(artist, [new_track(data)])
        if isinstance(made, Exception):
            raise made
        return made


class TrackView(_Tracks, Reading, Changing, Deleting):
    """One track. Deleting it deletes its files and all that was heard in them."""

    summaries = {"GET": "Read a track", "PATCH": "Change a track", "DELETE": "Delete a track"}
    key = "track_id"
    changes = TrackChange

    def change(self, row: Track, data: dict[str, Any]) -> None:
        if "album" in data and data["album"] != row.album_id:
            self._move(row, data["album"], data.get("is_reference", row.is_reference))
        services.update_track(
            row,
            title=data.get("title", row.title),
            version=data.get("version", row.version),
            composer=data.get("composer", row.composer),
            isrc=data.get("isrc", row.isrc),
            release_date=data.get("release_date", row.release_date),
            discoverable=data.get("discoverable", row.discoverable),
            is_reference=data.get("is_reference", row.is_reference),
        )

    def _move(self, row: Track, album_id: Any, is_reference: bool) -> None:
        album = album_in(row.artist, album_id)
        if album is not None and is_reference:
            raise invalid("album", "reference", "A reference is in no album.")
        services.move_tracks(Track.objects.filter(pk=row.pk), album)
        row.refresh_from_db(fields=["album", "position"])

    def delete_row(self, row: Track) -> None:
        services.delete_track(row)


def album_in(artist: Artist, album_id: Any) -> Album | None:
    """An album of that artist. Raises Problem."""
    if album_id is None:
        return None
    album = artist.albums.filter(pk=album_id).first()
    if album is None:
        raise invalid("album", "does_not_exist", "This artist has no such album.")
    return album


def invalid(field: str, code: str, message: str) -> Problem:
    """One thing that is wrong with a body."""
    error = {"field": field, "code": code, "message": message}
    return Problem("invalid", f"Look at: {field}.", errors=[error])
