"""Similar tracks: to a track, and to a file that is only lent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analysis.api import conditions
from analysis.api.filters import Filter, a_day, a_decimal, a_number, yes_or_no
from analysis.api.problems import Problem
from analysis.api.resources import ApiView
from analysis.api.serializing import Output
from analysis.discovery.keys import code_of_name
from analysis.discovery.request import (
    DEEPEST,
    MOST_HITS,
    Asker,
    BadRequest,
    Filters,
    SearchRequest,
    Seed,
    Whose,
)
from analysis.discovery.search import Hit, Results, search_page
from analysis.discovery.seeds import SeedNotFound, SeedNotHeard
from analysis.discovery.why import reasons_of_results

T = TypeVar("T")
_MOST_NAMES = 30

SEARCH = (
    Filter("limit", "", a_number, "Hits; 20 if not given.", bounds=(1, MOST_HITS)),
    Filter("offset", "", a_number, f"After so many others; {DEEPEST} in all.", bounds=(0, DEEPEST)),
    Filter("genre", "", help="One of these genres, with commas between; only sure ones."),
    Filter("tempo_from", "", a_decimal, "Beats per minute."),
    Filter("tempo_to", "", a_decimal, "Beats per minute."),
    Filter("tempo_octaves", "", yes_or_no, "Half and double the tempo count too."),
    Filter("key", "", help="This key, and keys that mix with it, as “A minor”."),
    Filter("key_exact", "", yes_or_no, "Only this key."),
    Filter("energy_from", "", a_decimal, "0 to 1."),
    Filter("energy_to", "", a_decimal, "0 to 1."),
    Filter("instrumental", "", yes_or_no, "Without a voice, or with one."),
    Filter("language", "", help="Of the lyrics, ISO 639-1, with commas between."),
    Filter("released_from", "", a_day, "Released on that day or later."),
    Filter("released_to", "", a_day, "Released on that day or before."),
    Filter("whose", "", help="Everyone's if not given.", choices=[str(one) for one in Whose]),
    Filter("artist", "", a_number, "Only this artist's."),
    Filter("per_artist", "", a_number, "At most so many of each artist.", bounds=(1, MOST_HITS)),
    Filter("without_own", "", yes_or_no, "Leave out the artists you work with."),
    Filter("without_album", "", yes_or_no, "Leave out the track's own album."),
)
_BY_NAME: Mapping[str, Filter] = {each.name: each for each in SEARCH}


class HitOut(Output):
    """A similar track. `percentile`: it is nearer than this share (0 to 100) of all pairs of tracks
    are to each other; null while there are too few to say."""

    example: ClassVar[dict[str, Any]] = {
        "track": "c0a80101-7b1f-4f0e-9f3e-2f8f5b8a6d01",
        "revision": "5e5b7cf8-0dd4-4b35-8a4d-8d3a6f3b7c20",
        "title": "Harbour",
        "artist": 17,
        "artist_name": "Slow Light",
        "album": "Night Windows",
        "is_own": False,
        "percentile": 99.2,
        "reasons": ["Same tempo, 96 beats per minute"],
        "genre": "folk",
        "tempo_bpm": 96.0,
        "key": "A minor",
        "energy": 0.41,
    }

    track = serializers.UUIDField()
    revision = serializers.UUIDField()
    title = serializers.CharField()
    artist = serializers.IntegerField()
    artist_name = serializers.CharField()
    album = serializers.CharField(allow_null=True, help_text="Its title.")
    is_own = serializers.BooleanField(help_text="Of an artist you work with.")
    percentile = serializers.FloatField(allow_null=True)
    reasons = serializers.ListField(
        child=serializers.CharField(), help_text="Why, for people; none for a file that was lent."
    )
    genre = serializers.CharField(allow_null=True, help_text="Null where the model is not sure.")
    tempo_bpm = serializers.FloatField(allow_null=True)
    key = serializers.CharField(allow_null=True)
    energy = serializers.FloatField(allow_null=True)


class SimilarOut(serializers.Serializer):
    """Similar tracks, the most similar first."""

    example: ClassVar[dict[str, Any]] = {
        "results": [HitOut.example],
        "has_more": True,
        "model_version": "m3+ears-1.0.0-1a2b3c4d",
    }

    results = HitOut(many=True)
    has_more = serializers.BooleanField(help_text="Ask on with `offset`.")
    model_version = serializers.CharField()


class Searching(ApiView):
    """A search from one seed, with the filters that all searches have."""

    tag = "similar"
    costly = frozenset({"GET"})
    parameters = {"GET": SEARCH}
    answers: ClassVar[dict[str, Any]] = {"GET": {200: SimilarOut, 304: None}}
    problems: ClassVar[dict[str, Any]] = {"GET": (409,)}

    def found(self, request: Request, seed: Seed) -> Results:
        """What lies near ``seed``, as the address asks. Raises Problem."""
        caller = self.caller
        try:
            asked = SearchRequest(
                asker=Asker(caller.user.pk, frozenset(caller.artist_ids())),
                seeds=[seed],
                filters=_filters(request),
                exclude_own=_value(request, "without_own", False),
                exclude_same_album=_value(request, "without_album", False),
                per_artist=_value(request, "per_artist", None),
                limit=_value(request, "limit", 20),
                offset=_value(request, "offset", 0),
            )
            return search_page(asked)
        except BadRequest as error:
            raise Problem("invalid_parameter", str(error)) from error
        except SeedNotFound as error:
            raise Problem("not_found") from error
        except SeedNotHeard as error:
            raise Problem("conflict", str(error), reason="not_heard") from error

    def answer(self, found: Results, why: Mapping[UUID, list[str]]) -> Response:
        """The hits, written."""
        rows = [_row(hit, why.get(hit.track.pk, [])) for hit in found.hits]
        data = {
            "results": HitOut(rows, many=True, context=self.context()).data,
            "has_more": found.has_more,
            "model_version": found.model_version,
        }
        return self.conditional(data, conditions.tag_of(data))


class SimilarView(Searching):
    """Tracks like this one, among those that you may find: discoverable ones, and those of artists
    you work with."""

    summaries = {"GET": "Find similar tracks"}

    def get(self, request: Request, track_id: UUID) -> Response:
        found = self.found(request, Seed.track(track_id))
        return self.answer(found, reasons_of_results(track_id, found))


def _value(request: Request, name: str, default: T) -> Any | T:
    return _BY_NAME[name].value_in(request, default=default)


def _names(request: Request, name: str) -> tuple[str, ...]:
    text = _value(request, name, "")
    found = tuple(each.strip() for each in text.split(",") if each.strip())
    if len(found) > _MOST_NAMES:
        raise Problem("invalid_parameter", f"{name} has at most {_MOST_NAMES} names.")
    return found


def _range(request: Request, name: str) -> tuple[Any, Any] | None:
    low, high = _value(request, f"{name}_from", None), _value(request, f"{name}_to", None)
    if low is not None and high is not None and low > high:
        raise Problem("invalid_parameter", f"{name}_from lies above {name}_to.")
    return None if low is None and high is None else (low, high)


def _filters(request: Request) -> Filters:
    key = _value(request, "key", "")
    code = code_of_name(key) if key else None
    if key and code is None:
        raise Problem("invalid_parameter", "key is written as “A minor” or “F# major”.")
    artist = _value(request, "artist", None)
    return Filters(
        genres=_names(request, "genre"),
        tempo_bpm=_range(request, "tempo"),
        tempo_octaves=_value(request, "tempo_octaves", False),
        key_code=code,
        key_compatible=not _value(request, "key_exact", False),
        energy=_range(request, "energy"),
        instrumental=_value(request, "instrumental", None),
        languages=_names(request, "language"),
        released=_range(request, "released"),
        whose=Whose(_value(request, "whose", Whose.EVERYONE)),
        artist_ids=None if artist is None else (artist,),
    )


def _row(hit: Hit, why: list[str]) -> dict[str, Any]:
    report = hit.report
    return {
        "track": hit.track.pk,
        "revision": hit.revision.pk,
        "title": str(hit.track),
        "artist": hit.track.artist_id,
        "artist_name": hit.artist_name,
        "album": hit.track.album.title if hit.track.album else None,
        "is_own": hit.is_own,
        "percentile": hit.percentile,
        "reasons": why,
        "genre": report.genre if report.genre_decided else None,
        "tempo_bpm": report.tempo_bpm,
        "key": report.key or None,
        "energy": report.energy,
    }
