"""What somebody may see of the map: asked in the query itself, as in every search."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.urls import reverse

from analysis import background
from analysis.discovery import query
from analysis.discovery.map_models import MapRun
from analysis.discovery.models import EmbeddingSpace
from analysis.discovery.request import Asker, BadRequest
from analysis.models import Report
from catalog.models import Track

MOST_POINTS = 1_500
"""In one answer. Of more, those with the lowest rank: going nearer shows the others."""

_FARTHEST = 1e6


@dataclass(frozen=True)
class Box:
    """A part of the map, both ends within."""

    left: float
    bottom: float
    right: float
    top: float

    @classmethod
    def from_query(cls, given: Mapping[str, str]) -> Box | None:
        """``box=left,bottom,right,top``; None if there is none. Raises BadRequest."""
        text = given.get("box", "")
        if not text:
            return None
        try:
            numbers = [float(part) for part in text.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) != 4 or not all(math.isfinite(n) and abs(n) <= _FARTHEST for n in numbers):
            raise BadRequest("A box is four numbers: left, bottom, right, top.")
        return cls(*numbers)


@dataclass(frozen=True)
class Points:
    """Tracks on a part of the map. ``is_all``: none was left out."""

    rows: list[dict[str, Any]]
    is_all: bool


_COLUMNS = """
    place.track_id, place.x, place.y, entry.genre, entry.tempo_bpm, entry.energy,
    entry.artist_id = ANY(%s), track.title, artist.name
"""
_TABLES = """
    JOIN analysis_mapplace place ON place.track_id = entry.track_id AND place.space_id = %s
    JOIN catalog_track track ON track.id = entry.track_id
    JOIN catalog_artist artist ON artist.id = entry.artist_id
"""


def _points(
    space: EmbeddingSpace, asker: Asker, condition: str, values: list[Any], limit: int
) -> list[dict[str, Any]]:
    where = query.visible_in(space, asker)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM (SELECT track_id, artist_id, genre, tempo_bpm, energy"
            f" FROM analysis_searchentry WHERE {where.text}) entry {_TABLES}"
            f" WHERE {condition} ORDER BY place.rank LIMIT %s",
            [sorted(asker.artist_ids), *where.values, space.pk, *values, limit],
        )
        found = cursor.fetchall()
    return [
        {
            "id": str(track_id),
            "x": round(x, 4),
            "y": round(y, 4),
            "genre": genre,
            "tempo_bpm": None if tempo_bpm is None else round(tempo_bpm, 1),
            "energy": None if energy is None else round(energy, 3),
            "is_own": bool(is_own),
            "title": title,
            "artist": artist,
        }
        for track_id, x, y, genre, tempo_bpm, energy, is_own, title, artist in found
    ]


def points_in(space: EmbeddingSpace, asker: Asker, box: Box | None) -> Points:
    """The tracks on a part of the map (None: all of it) that the asker may find."""
    condition, values = "true", []
    if box is not None:
        condition = "place.x BETWEEN %s AND %s AND place.y BETWEEN %s AND %s"
        values = [box.left, box.right, box.bottom, box.top]
    rows = _points(space, asker, condition, values, MOST_POINTS + 1)
    return Points(rows[:MOST_POINTS], len(rows) <= MOST_POINTS)


def point_of(space: EmbeddingSpace, asker: Asker, track_id: UUID) -> dict[str, Any] | None:
    """One track's point; None if it has none or the asker may not find it."""
    found = _points(space, asker, "place.track_id = %s", [track_id], 1)
    return found[0] if found else None


@dataclass(frozen=True)
class Song:
    """What the page tells of a track that was chosen on the map."""

    track: Track
    report: Report
    audio_url: str
    is_own: bool


def song_of(space: EmbeddingSpace, asker: Asker, track_id: UUID) -> Song | None:
    """A track on the map; None if the asker may not find it."""
    where = query.visible_in(space, asker)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT revision_id, report_id, artist_id FROM analysis_searchentry"
            f" WHERE {where.text} AND track_id = %s",
            [*where.values, track_id],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    revision_id, report_id, artist_id = row
    return Song(
        track=Track.objects.select_related("artist", "album").get(pk=track_id),
        report=Report.objects.defer("document").get(pk=report_id),
        audio_url=reverse("revision_audio", args=[revision_id]),
        is_own=artist_id in asker.artist_ids,
    )


def last_map(space: EmbeddingSpace) -> MapRun | None:
    """The run that drew the map of a space as it is now; None before the first."""
    return (
        MapRun.objects.filter(space=space, is_redrawn=True, state=background.WorkState.DONE)
        .order_by("-finished_at")
        .first()
    )


def map_under_way(space: EmbeddingSpace) -> MapRun | None:
    """The run of a space that waits or runs."""
    return MapRun.objects.filter(space=space, state__in=background.UNDER_WAY).first()
