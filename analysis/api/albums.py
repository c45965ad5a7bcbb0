"""Albums: an ordered set of an artist's tracks."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Count, QuerySet
from django.urls import reverse
from rest_framework import serializers

from analysis.api.filters import Filter, a_day, a_number, yes_or_no
from analysis.api.resources import Changing, Creating, Deleting, Listing, Reading
from analysis.api.serializing import Input, Output, StrictChar, StrictInteger
from catalog import services
from catalog.models import Album
from catalog.partner_models import Scope


class AlbumOut(Output):
    """An album."""

    example: ClassVar[dict[str, Any]] = {
        "id": "7d4f6a0e-25f5-4c2b-8a7e-0d5f2c7b9e11",
        "artist": 17,
        "title": "Night Windows",
        "release_date": "2026-03-31",
        "position": 1,
        "track_count": 9,
        "created_at": "2026-01-05T09:30:00Z",
    }

    id = serializers.UUIDField()
    artist = serializers.IntegerField(source="artist_id")
    title = serializers.CharField()
    release_date = serializers.DateField(allow_null=True)
    position = serializers.IntegerField(help_text="Its place among the artist's albums.")
    track_count = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class AlbumChange(Input):
    """What can be changed in an album."""

    example: ClassVar[dict[str, Any]] = {"title": "Night Windows", "release_date": "2026-03-31"}

    title = StrictChar(max_length=300)
    release_date = serializers.DateField(required=False, allow_null=True)


class AlbumIn(AlbumChange):
    """A new album. Without `artist` it is your own."""

    example: ClassVar[dict[str, Any]] = {**AlbumChange.example, "artist": 17}

    artist = StrictInteger(required=False, min_value=1, max_value=2**31 - 1)


class _Albums:
    output = AlbumOut
    tag = "albums"

    def rows(self) -> QuerySet[Album]:
        return Album.objects.annotate(track_count=Count("tracks"))

    def address(self, row: Album) -> str:
        return reverse("api:album", args=[row.pk])


class AlbumsView(_Albums, Listing, Creating):
    """Albums of the artists you work with, newest first."""

    summaries = {"GET": "List albums", "POST": "Make an album"}
    input = AlbumIn
    filters = (
        Filter("artist", "artist_id", a_number, "Albums of this artist."),
        Filter("title", "title__icontains", help="Part of the title."),
        Filter("released_from", "release_date__gte", a_day, "Released on that day or later."),
        Filter("released_to", "release_date__lte", a_day, "Released on that day or before."),
    )

    def create(self, data: dict[str, Any]) -> Album:
        return services.create_album(
            artist=self.caller.artist(data.get("artist"), scope=Scope.WRITE),
            title=data["title"],
            release_date=data.get("release_date"),
        )


class AlbumView(_Albums, Reading, Changing, Deleting):
    """One album. Deleting it leaves its tracks in the library, unless `with_tracks` is true."""

    summaries = {
        "GET": "Read an album",
        "PATCH": "Change an album",
        "DELETE": "Delete an album",
    }
    key = "album_id"
    changes = AlbumChange
    parameters = {
        "DELETE": (
            Filter("with_tracks", "", yes_or_no, "Delete its tracks too, with their sound."),
        )
    }

    def change(self, row: Album, data: dict[str, Any]) -> None:
        services.update_album(
            row,
            title=data.get("title", row.title),
            release_date=data.get("release_date", row.release_date),
        )

    def delete_row(self, row: Album) -> None:
        (flag,) = self.parameters["DELETE"]
        services.delete_album(row, with_tracks=flag.value_in(self.request, default=False))
