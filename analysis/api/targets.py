"""What mixes can be judged against: the genres, and targets of artists' own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analysis import mix_targets
from analysis.api import conditions
from analysis.api.filters import Filter, a_number
from analysis.api.problems import Problem
from analysis.api.resources import ApiView, Creating, Deleting, Listing, Reading
from analysis.api.serializing import Input, Output, StrictChar, StrictInteger, StrictUUID
from analysis.mixing import load_targets
from analysis.models import MixTarget, TargetKind
from analysis.presentation import target_name
from analysis.target_selectors import MAX_TRACKS, value_of
from catalog.models import Artist
from catalog.partner_models import Scope


class GenreTargetOut(Output):
    """A genre's target. `document` holds its corridors: `bands`, `curve`, `moves`, `vocals`."""

    example: ClassVar[dict[str, Any]] = {
        "value": "folk",
        "name": "folk",
        "n_tracks": 64,
        "document": {"bands": [{"name": "sub", "p10_db": -14.1, "p90_db": -7.0}]},
    }

    value = serializers.CharField(help_text="For `target` of `report/mix/`.")
    name = serializers.CharField()
    n_tracks = serializers.IntegerField(help_text="That it was measured on.")
    document = serializers.JSONField()


class GenreTargetsOut(serializers.Serializer):
    """All genres."""

    example: ClassVar[dict[str, Any]] = {"results": [GenreTargetOut.example]}

    results = GenreTargetOut(many=True)


class GenreTargetsView(ApiView):
    """The genres that a mix can be judged against, with what was measured of each."""

    tag = "targets"
    summaries = {"GET": "List genres' targets"}
    scopes = {"GET": ""}
    answers: ClassVar[dict[str, Any]] = {"GET": {200: GenreTargetsOut, 304: None}}

    def get(self, request: Request) -> Response:
        rows = [
            {
                "value": value,
                "name": target_name(value),
                "n_tracks": target.n_tracks,
                "document": asdict(target),
            }
            for value, target in load_targets().genres.items()
        ]
        data = {"results": GenreTargetOut(rows, many=True, context=self.context()).data}
        return self.conditional(data, conditions.tag_of(data))


class TargetOut(Output):
    """A target of an artist's own: of her tracks, of an album, of references, or from a file."""

    example: ClassVar[dict[str, Any]] = {
        "id": "0d6f2c1a-7d6d-4f6f-8a52-61b0d0a4c9f3",
        "value": "own:0d6f2c1a-7d6d-4f6f-8a52-61b0d0a4c9f3",
        "artist": 17,
        "name": "Like Night Windows",
        "kind": "album",
        "album": "7d4f6a0e-25f5-4c2b-8a7e-0d5f2c7b9e11",
        "created_at": "2026-02-01T10:00:00Z",
    }

    id = serializers.UUIDField()
    value = serializers.SerializerMethodField(help_text="For `target` of `report/mix/`.")
    artist = serializers.IntegerField(source="artist_id")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=TargetKind.choices)
    album = serializers.UUIDField(source="album_id", allow_null=True)
    created_at = serializers.DateTimeField()

    def get_value(self, target: MixTarget) -> str:
        return value_of(target.pk)


class TargetDocumentOut(TargetOut):
    """A target with what it says."""

    example: ClassVar[dict[str, Any]] = {
        **TargetOut.example,
        "document": {"format": "sonic-vision-mix-target-1", "genre": "Like Night Windows"},
    }

    document = serializers.SerializerMethodField(
        help_text="As the site's pages save it; null while none of its tracks has been heard."
    )

    def get_document(self, target: MixTarget) -> dict[str, Any] | None:
        return mix_targets.exported(target)


class TargetIn(Input):
    """A new target: of `tracks` (own ones or references), of an `album`, or without both of all the
    artist's tracks."""

    example: ClassVar[dict[str, Any]] = {
        "artist": 17,
        "name": "Like Night Windows",
        "album": "7d4f6a0e-25f5-4c2b-8a7e-0d5f2c7b9e11",
    }

    artist = StrictInteger(required=False, min_value=1, max_value=2**31 - 1)
    name = StrictChar(max_length=mix_targets.MAX_NAME_LENGTH)
    album = StrictUUID(required=False)
    tracks = serializers.ListField(
        child=StrictUUID(), required=False, min_length=1, max_length=MAX_TRACKS
    )


class TargetsView(Listing, Creating):
    """Targets of the artists you work with, newest first. A new one is made of reports: its tracks
    must have been listened to."""

    tag = "targets"
    summaries = {"GET": "List own targets", "POST": "Make a target"}
    output = TargetOut
    input = TargetIn
    filters = (Filter("artist", "artist_id", a_number, "Targets of this artist."),)

    def rows(self) -> QuerySet[MixTarget]:
        return MixTarget.objects.select_related("artist")

    def address(self, row: MixTarget) -> str:
        return reverse("api:target", args=[row.pk])

    def create(self, data: dict[str, Any]) -> MixTarget:
        artist = self.caller.artist(data.get("artist"), scope=Scope.WRITE)
        if "tracks" in data and "album" in data:
            raise Problem("invalid", "Name tracks or an album, not both.")
        if "tracks" in data:
            weights = dict.fromkeys(data["tracks"], 1.0)
            return mix_targets.create_of_tracks(artist, name=data["name"], weights=weights)
        return mix_targets.create_of_catalogue(
            artist, name=data["name"], album=self._album(artist, data.get("album"))
        )

    def _album(self, artist: Artist, album_id: Any) -> Any:
        if album_id is None:
            return None
        album = artist.albums.filter(pk=album_id).first()
        if album is None:
            raise Problem("invalid", "This artist has no such album.")
        return album


class TargetView(Reading, Deleting):
    """One target, with its corridors as they are now."""

    tag = "targets"
    summaries = {"GET": "Read a target", "DELETE": "Delete a target"}
    output = TargetDocumentOut
    key = "target_id"

    def rows(self) -> QuerySet[MixTarget]:
        return MixTarget.objects.select_related("artist")

    def delete_row(self, row: MixTarget) -> None:
        mix_targets.delete(row)
