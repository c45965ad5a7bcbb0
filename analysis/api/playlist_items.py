"""What is in a playlist: read, appended to, and replaced as a whole."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analysis.api import conditions, idempotency
from analysis.api.playlists import Playlists, add_tracks, refusals
from analysis.api.resources import Reading
from analysis.api.serializing import Input, Output, StrictInteger, StrictUUID
from analysis.discovery import playlist_files
from analysis.discovery import playlists as services
from analysis.discovery.gallery_models import Playlist
from catalog.partner_models import Scope

_TRACK = "c0a80101-7b1f-4f0e-9f3e-2f8f5b8a6d01"


class PlaylistItemOut(Output):
    """A place of a playlist. Where its artist no longer lets others find the track, all but `id`
    and `position` is null."""

    example: ClassVar[dict[str, Any]] = {
        "id": 4102,
        "position": 1,
        "track": _TRACK,
        "revision": "5e5b7cf8-0dd4-4b35-8a4d-8d3a6f3b7c20",
        "title": "Harbour (Live)",
        "artist": 17,
        "artist_name": "Slow Light",
        "album": "Night Windows",
        "duration_s": 213.4,
    }

    id = serializers.IntegerField(help_text="Of the item; it stays while the track is in the list.")
    position = serializers.IntegerField(help_text="From 1.")
    track = serializers.UUIDField(allow_null=True)
    revision = serializers.UUIDField(allow_null=True, help_text="The track's newest file.")
    title = serializers.CharField(allow_null=True)
    artist = serializers.IntegerField(allow_null=True)
    artist_name = serializers.CharField(allow_null=True)
    album = serializers.CharField(allow_null=True, help_text="Its title.")
    duration_s = serializers.FloatField(allow_null=True, help_text="Seconds.")


class PlaylistItemsOut(serializers.Serializer):
    """All of a playlist, in its order."""

    example: ClassVar[dict[str, Any]] = {"results": [PlaylistItemOut.example]}

    results = PlaylistItemOut(many=True)


class PlaylistItemIn(Input):
    """A `track`, or an item that is there already by its `id`: so hidden ones can stay."""

    example: ClassVar[dict[str, Any]] = {"track": _TRACK}

    id = StrictInteger(required=False, min_value=1, max_value=2**63 - 1)
    track = StrictUUID(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError(
                "Name a track, or the id of an item: one of them.", code="one_of"
            )
        return attrs


class PlaylistItemsIn(Input):
    """The whole list in its new order. What is not named goes; nothing changes if any item is
    wrong."""

    example: ClassVar[dict[str, Any]] = {"items": [{"id": 4102}, PlaylistItemIn.example]}

    items = PlaylistItemIn(many=True, max_length=services.MOST_ITEMS)


class PlaylistTracksIn(Input):
    """Tracks for the end of the list. Those that are in it already stay where they are; nothing is
    added if any track is wrong."""

    example: ClassVar[dict[str, Any]] = {"tracks": [_TRACK]}

    tracks = serializers.ListField(child=StrictUUID(), min_length=1, max_length=services.MOST_ITEMS)


class PlaylistAddedOut(serializers.Serializer):
    """What came of appending."""

    example: ClassVar[dict[str, Any]] = {"added": 1, "item_count": 13}

    added = serializers.IntegerField(help_text="Tracks that were not in it yet.")
    item_count = serializers.IntegerField(help_text="Tracks in it now.")


class PlaylistItemsView(Playlists, Reading):
    """The tracks of a playlist, all at once: a thousand at most. Only tracks that its artist may
    find can be put into it. What another artist hides later keeps its place without a name."""

    summaries = {
        "GET": "Read a playlist's tracks",
        "PUT": "Replace a playlist's tracks and their order",
        "POST": "Append tracks to a playlist",
    }
    output: ClassVar[type[Output]] = PlaylistItemOut
    key = "playlist_id"
    repeatable = idempotency.Way.TRANSACTION
    requests: ClassVar[dict[str, Any]] = {"PUT": PlaylistItemsIn, "POST": PlaylistTracksIn}
    answers: ClassVar[dict[str, Any]] = {
        "GET": {200: PlaylistItemsOut, 304: None},
        "PUT": {200: PlaylistItemsOut},
        "POST": {200: PlaylistAddedOut},
    }
    problems: ClassVar[dict[str, Any]] = {"PUT": (409, 412)}

    def write(self, row: Playlist, *, only: frozenset[str] | None = None) -> dict[str, Any]:
        """The list in its order."""
        items = [
            _item(entry, place) for place, entry in enumerate(playlist_files.entries(row), start=1)
        ]
        return {"results": self.output(items, many=True, context=self.context(only)).data}

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        only = self.only(self.output)
        data = self.write(self.one(Scope.READ))
        tag = conditions.tag_of(data, fields=only)
        if only is not None:
            data = {
                "results": [
                    {name: value for name, value in item.items() if name in only}
                    for item in data["results"]
                ]
            }
        return self.conditional(data, tag)

    def put(self, request: Request, playlist_id: UUID) -> Response:
        with transaction.atomic():
            playlist = self.one_to_change()
            wanted = [
                item.get("id") or item["track"] for item in self.read(PlaylistItemsIn)["items"]
            ]
            with refusals("items"):
                services.replace(playlist, wanted)
        data = self.write(playlist)
        return Response(data, headers={"ETag": conditions.tag_of(data)})

    def post(self, request: Request, playlist_id: UUID) -> Response:
        playlist = self.one(Scope.WRITE)
        added = add_tracks(playlist, self.read(PlaylistTracksIn)["tracks"])
        return Response({"added": added, "item_count": playlist.items.count()})


def _item(entry: playlist_files.Entry, place: int) -> dict[str, Any]:
    track, revision = entry.track, entry.revision
    known = (
        {}
        if track is None or revision is None
        else {
            "track": track.pk,
            "revision": revision.pk,
            "title": str(track),
            "artist": track.artist_id,
            "artist_name": track.artist.name,
            "album": track.album.title if track.album else None,
            "duration_s": revision.duration_s,
        }
    )
    names = ("track", "revision", "title", "artist", "artist_name", "album", "duration_s")
    return {"id": entry.item_id, "position": place, **dict.fromkeys(names), **known}
