"""Many tracks in one call, each with its own result."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analysis.api import idempotency
from analysis.api.batches import items_of, read_each
from analysis.api.problems import Problem, as_problem
from analysis.api.resources import ApiView
from analysis.api.serializing import Input, ProblemDocument
from analysis.api.tracks import TrackIn, TrackOut, new_track, track_rows
from catalog.models import Artist
from catalog.partner_models import Scope
from catalog.services.new_tracks import NewTrack, create_tracks


class TracksBulkIn(Input):
    """Up to 1,000 tracks, of one artist or of several."""

    example: ClassVar[dict[str, Any]] = {"items": [TrackIn.example, {"title": "Quay"}]}

    items = TrackIn(many=True)


class TracksBulkResult(serializers.Serializer):
    """What came of one item: a track, or a problem."""

    index = serializers.IntegerField(help_text="Its place in the call, from 0.")
    status = serializers.IntegerField(help_text="201, or what the call alone would have got.")
    track = TrackOut(allow_null=True)
    problem = ProblemDocument(allow_null=True)


class TracksBulkOut(serializers.Serializer):
    """What came of each item, in their order."""

    example: ClassVar[dict[str, Any]] = {
        "created": 1,
        "failed": 1,
        "results": [
            {"index": 0, "status": 201, "track": TrackOut.example, "problem": None},
            {
                "index": 1,
                "status": 400,
                "track": None,
                "problem": {
                    "type": "/developers/#invalid",
                    "title": "Some of what was sent is not valid",
                    "status": 400,
                    "code": "invalid",
                    "detail": "Look at: artist.",
                    "request_id": "0b7f6c1e9a5d4c3f8e2b1a0d9c8b7a6f",
                    "errors": [
                        {"field": "artist", "code": "required", "message": "Say for which artist."}
                    ],
                },
            },
        ],
    }

    created = serializers.IntegerField()
    failed = serializers.IntegerField()
    results = TracksBulkResult(many=True)


class TracksBulkView(ApiView):
    """Make up to 1,000 tracks at once. Each item has its own result: what is wrong with one does
    not keep the others."""

    tag = "tracks"
    summaries = {"POST": "Make many tracks"}
    costly = frozenset({"POST"})
    repeatable = idempotency.Way.TRANSACTION
    requests: ClassVar[dict[str, Any]] = {"POST": TracksBulkIn}
    answers: ClassVar[dict[str, Any]] = {"POST": {200: TracksBulkOut}}

    def post(self, request: Request) -> Response:
        items = read_each(TrackIn, items_of(request.data, "tracks"))
        outcomes: list[Any] = [None] * len(items)
        wanted: dict[int, list[tuple[int, NewTrack]]] = {}
        artists: dict[int | None, Artist | Problem] = {}
        for index, item in enumerate(items):
            if isinstance(item, Problem):
                outcomes[index] = item
                continue
            artist = self._artist(item.get("artist"), artists)
            if isinstance(artist, Problem):
                outcomes[index] = artist
            else:
                wanted.setdefault(artist.pk, []).append((index, new_track(item)))
        by_id = {artist.pk: artist for artist in artists.values() if isinstance(artist, Artist)}
        for artist_id, entries in wanted.items():
            made = create_tracks(by_id[artist_id], [entry for _, entry in entries])
            for (index, _), outcome in zip(entries, made, strict=True):
                outcomes[index] = outcome
        return Response(self._written(outcomes))

    def _artist(
        self, artist_id: int | None, known: dict[int | None, Artist | Problem]
    ) -> Artist | Problem:
        if artist_id not in known:
            try:
                known[artist_id] = self.caller.artist(artist_id, scope=Scope.WRITE)
            except Problem as problem:
                known[artist_id] = problem
        return known[artist_id]

    def _written(self, outcomes: list[Any]) -> dict[str, Any]:
        made = {each.pk for each in outcomes if not isinstance(each, Exception)}
        rows = list(track_rows().filter(pk__in=made))
        written = TrackOut(rows, many=True, context=self.context()).data
        by_id = {row.pk: each for row, each in zip(rows, written, strict=True)}
        results = []
        for index, outcome in enumerate(outcomes):
            problem = as_problem(outcome) if isinstance(outcome, Exception) else None
            results.append(
                {
                    "index": index,
                    "status": problem.status_code if problem else 201,
                    "track": None if problem else by_id[outcome.pk],
                    "problem": problem.document() if problem else None,
                }
            )
        return {"created": len(made), "failed": len(outcomes) - len(made), "results": results}
