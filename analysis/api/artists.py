"""Artists: oneself, and those who let a partner in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.urls import reverse
from rest_framework import serializers

from analysis.api.filters import Filter
from analysis.api.resources import Listing, Reading
from analysis.api.serializing import Output
from catalog.models import Artist
from catalog.partner_models import Scope


class ArtistOut(Output):
    """An artist, and what you may do with her music."""

    example: ClassVar[dict[str, Any]] = {
        "id": 17,
        "name": "Slow Light",
        "bio": "Songs from a small room.",
        "default_genre": "folk",
        "scopes": ["read", "write"],
        "created_at": "2026-01-05T09:30:00Z",
    }

    id = serializers.IntegerField()
    name = serializers.CharField()
    bio = serializers.CharField()
    default_genre = serializers.CharField(help_text="What mixes are judged against; empty: heard.")
    scopes = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_scopes(self, artist: Artist) -> list[str]:
        allowed = self.context["principal"].scopes_on(artist.pk)
        return [scope for scope in Scope.values if scope in allowed]


class ArtistsView(Listing):
    """Your own artist page, and the artists who gave you a grant, newest first."""

    tag = "artists"
    summaries = {"GET": "List artists"}
    output = ArtistOut
    owner = "pk"
    filters = (Filter("name", "name__icontains", help="Part of the name."),)

    def rows(self) -> QuerySet[Artist]:
        return Artist.objects.all()

    def attach(self, rows: Sequence[Artist]) -> None:
        self.caller.look_up(artist.pk for artist in rows)


class ArtistView(Reading):
    """One artist."""

    tag = "artists"
    summaries = {"GET": "Read an artist"}
    output = ArtistOut
    owner = "pk"
    key = "artist_id"

    def rows(self) -> QuerySet[Artist]:
        return Artist.objects.all()

    def address(self, row: Artist) -> str:
        return reverse("api:artist", args=[row.pk])
