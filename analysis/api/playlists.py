"""Playlists: tracks in an order that an artist chose, by hand or as a way between two songs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request

from analysis.api.filters import Filter, a_moment, a_number
from analysis.api.problems import Problem
from analysis.api.resources import ApiView, Changing, Creating, Deleting, Listing, Reading
from analysis.api.serializing import Input, Output, StrictChar, StrictInteger, StrictUUID
from analysis.api.tracks import invalid
from analysis.discovery import playlist_files
from analysis.discovery import playlists as services
from analysis.discovery.gallery_models import Playlist
from analysis.discovery.request import BadRequest
from analysis.discovery.seeds import SeedNotFound, SeedNotHeard
from catalog.partner_models import Scope
from sonicsite.limits import asked_too_often

_TRACK = "c0a80101-7b1f-4f0e-9f3e-2f8f5b8a6d01"


class PlaylistOut(Output):
    """A playlist."""

    example: ClassVar[dict[str, Any]] = {
        "id": "3b0c1d52-91a4-4a53-8f0e-6a8f1c2d7e90",
        "artist": 17,
        "name": "Night drive",
        "item_count": 12,
        "created_at": "2026-01-05T09:30:00Z",
        "updated_at": "2026-02-01T10:00:00Z",
    }

    id = serializers.UUIDField()
    artist = serializers.IntegerField(source="artist_id")
    name = serializers.CharField()
    item_count = serializers.IntegerField(help_text="Tracks in it, hidden ones too.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField(
        source="changed_at", help_text="When its name, tracks or order changed."
    )


class PlaylistChange(Input):
    """What can be changed in a playlist; its tracks are changed at `items/`."""

    example: ClassVar[dict[str, Any]] = {"name": "Night drive"}

    name = StrictChar(max_length=120)


class PlaylistIn(PlaylistChange):
    """A new playlist, empty or with `tracks`. Without `artist` it is your own."""

    example: ClassVar[dict[str, Any]] = {"artist": 17, "name": "Night drive", "tracks": [_TRACK]}

    artist = StrictInteger(required=False, min_value=1, max_value=2**31 - 1)
    tracks = serializers.ListField(
        child=StrictUUID(), required=False, max_length=services.MOST_ITEMS
    )


class PlaylistWayIn(Input):
    """From one song to another, with at most `steps` tracks in between that the artist may find."""

    example: ClassVar[dict[str, Any]] = {
        "artist": 17,
        "start": _TRACK,
        "end": "f3b4c7a2-0d6e-4b9a-9c35-1e7d2f60ab18",
        "steps": 5,
    }

    artist = StrictInteger(required=False, min_value=1, max_value=2**31 - 1)
    start = StrictUUID()
    end = StrictUUID()
    steps = StrictInteger(default=5, min_value=services.LEAST_STEPS, max_value=services.MOST_STEPS)
    name = StrictChar(required=False, max_length=120)


class Playlists:
    """What all addresses of playlists share."""

    output: ClassVar[type[Output]] = PlaylistOut
    tag = "playlists"

    def rows(self) -> QuerySet[Playlist]:
        return playlist_files.with_counts(Playlist.objects.select_related("artist"))

    def address(self, row: Playlist) -> str:
        return reverse("api:playlist", args=[row.pk])


@contextmanager
def refusals(field: str = "") -> Iterator[None]:
    """What a service refuses, as a problem; ``field`` is where the items were named."""
    try:
        yield
    except services.ItemsRefused as refused:
        errors = [
            {"field": f"{field}.{bad.index}", "code": bad.code, "message": bad.message}
            for bad in refused.items
        ]
        raise Problem("invalid", f"Look at: {field}.", errors=errors) from refused
    except services.PlaylistRefused as refused:
        if refused.code == "name":
            raise invalid("name", "invalid", str(refused)) from refused
        if refused.code == "gone":
            raise Problem("not_found") from refused
        raise Problem("conflict", str(refused), reason=refused.code) from refused


def add_tracks(playlist: Playlist, track_ids: Sequence[UUID]) -> int:
    """Put tracks at the end; returns how many were not in it yet. Raises Problem."""
    with refusals("tracks"):
        return services.add_all(playlist, track_ids)


class PlaylistsView(Playlists, Listing, Creating):
    """Playlists of the artists you work with, newest first."""

    summaries = {"GET": "List playlists", "POST": "Make a playlist"}
    input = PlaylistIn
    filters = (
        Filter("artist", "artist_id", a_number, "Playlists of this artist."),
        Filter("name", "name__icontains", help="Part of the name."),
        Filter("updated_from", "changed_at__gte", a_moment, "Changed then or later."),
    )

    def create(self, data: dict[str, Any]) -> Playlist:
        artist = self.caller.artist(data.get("artist"), scope=Scope.WRITE)
        with transaction.atomic(), refusals():
            made = services.create(artist, data["name"])
            if data.get("tracks"):
                add_tracks(made, data["tracks"])
        return made


class PlaylistView(Playlists, Reading, Changing, Deleting):
    """One playlist. Deleting it leaves its tracks where they are."""

    summaries = {
        "GET": "Read a playlist",
        "PATCH": "Rename a playlist",
        "DELETE": "Delete a playlist",
    }
    key = "playlist_id"
    changes = PlaylistChange

    def change(self, row: Playlist, data: dict[str, Any]) -> None:
        if "name" in data:
            with refusals():
                services.rename(row, data["name"])

    def delete_row(self, row: Playlist) -> None:
        services.delete(row)


class PlaylistWayView(Playlists, Creating):
    """A new playlist that leads from one song to another in steps as even as the catalogue allows.
    With two tracks in it the songs are so near that the way over any other has a larger step."""

    summaries = {"POST": "Make a playlist from one song to another"}
    input = PlaylistWayIn
    costly = frozenset({"POST"})

    def create(self, data: dict[str, Any]) -> Playlist:
        artist = self.caller.artist(data.get("artist"), scope=Scope.WRITE)
        wait_s = services.WAYS.wait_s(str(self.caller.user.pk))
        if wait_s:
            raise Problem(
                "rate_limited",
                asked_too_often(wait_s),
                headers={"Retry-After": str(math.ceil(wait_s))},
            )
        start, end = data["start"], data["end"]
        try:
            with refusals():
                made, _ = services.create_way(
                    artist, start, end, data["steps"], name=data.get("name", "")
                )
        except SeedNotFound as error:
            message = "There is no such track, or not for this artist."
            missing = [name for name in ("start", "end") if data[name] in error.args]
            errors = [
                {"field": name, "code": "does_not_exist", "message": message} for name in missing
            ]
            raise Problem("invalid", f"Look at: {', '.join(missing)}.", errors=errors) from error
        except SeedNotHeard as error:
            raise Problem("conflict", str(error), reason="not_heard") from error
        except BadRequest as error:
            raise Problem("invalid", str(error)) from error
        return made


class PlaylistFileTrack(serializers.Serializer):
    """A track in a playlist's file."""

    title = serializers.CharField()
    artist = serializers.CharField()
    album = serializers.CharField(allow_null=True)
    duration_s = serializers.FloatField()
    isrc = serializers.CharField(allow_null=True)


class PlaylistFileOut(serializers.Serializer):
    """A playlist's file for programs."""

    example: ClassVar[dict[str, Any]] = {
        "format": playlist_files.FORMAT,
        "version": playlist_files.FORMAT_VERSION,
        "name": "Night drive",
        "tracks": [
            {
                "title": "Harbour (Live)",
                "artist": "Slow Light",
                "album": "Night Windows",
                "duration_s": 213.4,
                "isrc": "GBAYE0000351",
            }
        ],
    }

    format = serializers.CharField()
    version = serializers.IntegerField()
    name = serializers.CharField()
    tracks = PlaylistFileTrack(many=True)


class PlaylistFileView(Playlists, ApiView):
    """A playlist as a file, without addresses or ids of this site and without hidden tracks: `m3u8`
    or `json`."""

    summaries = {"GET": "Download a playlist"}
    answers: ClassVar[dict[str, Any]] = {
        "GET": {
            (200, playlist_files.FILES["m3u8"]): str,
            (200, playlist_files.FILES["json"]): PlaylistFileOut,
        }
    }

    def get(self, request: Request, playlist_id: UUID, extension: str) -> HttpResponse:
        playlist = self.caller.get(self.rows(), playlist_id)
        if extension not in playlist_files.FILES:
            raise Problem("not_found", f"The kinds are: {', '.join(playlist_files.FILES)}.")
        return playlist_files.as_file(playlist, extension)
