"""Drawing the map of the catalogue in the background, when enough is new.

Nothing moves while little is new: tracks that come are placed among their nearest. When they have
become many, all is drawn again, from the old places on. Of a very large catalogue a part draws the
map, the same part each time, and the others lie beside their nearest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from analysis import background
from analysis.discovery import projecting, spaces
from analysis.discovery.map_models import MapPlace, MapRun
from analysis.discovery.models import DIMENSIONS, EmbeddingSpace, SearchEntry
from analysis.discovery.projecting import Double, Float
from analysis.heart import Heart

LEAST_TRACKS = 20
"""A map of fewer says nothing."""

MOST_LEARNED = 50_000
_REDRAW_AFTER = 1.2
_RUNS_KEPT = timedelta(days=30)
_SMALL = 1_000
_READ_AT_ONCE, _WRITTEN_AT_ONCE = 20_000, 5_000


@dataclass(frozen=True)
class _Tracks:
    """Tracks in an order by lot that is always the same, and their unit vectors (n, 128)."""

    ids: list[UUID]
    reports: list[UUID]
    vectors: Float


def rank_of(track_id: UUID) -> float:
    """A number from 0 to 1 by lot: of a random identifier's 128 bits the last 32."""
    return (track_id.int & 0xFFFF_FFFF) / 2**32


def look_after() -> None:
    """What the housekeeping does: let the map of the space that serves take in what is new, and
    forget runs of long ago that only placed tracks."""
    MapRun.objects.filter(is_redrawn=False, finished_at__lt=timezone.now() - _RUNS_KEPT).delete()
    space = spaces.serving_space()
    if space is not None:
        _request_if_due(space)


def look_after_small() -> None:
    """The same as soon as a track is there, while a map is drawn in seconds."""
    space = spaces.serving_space()
    if space is not None and space.measured_entries <= _SMALL:
        _request_if_due(space)


def _request_if_due(space: EmbeddingSpace) -> None:
    if _unplaced(space).exists() and spaces.findable(space).count() >= LEAST_TRACKS:
        request_map(space)


def request_map(space: EmbeddingSpace) -> MapRun | None:
    """Bring a space's map up to date in the background; None if that waits or runs already, or has
    failed within a day: staff shall see that first."""
    failed = Q(
        state=background.WorkState.FAILED, finished_at__gt=timezone.now() - timedelta(days=1)
    )
    if MapRun.objects.filter(Q(state__in=background.UNDER_WAY) | failed, space=space).exists():
        return None
    run = MapRun(space=space)
    run.full_clean()
    run.save()
    background.start(run)
    return run


def _unplaced(space: EmbeddingSpace) -> QuerySet[SearchEntry]:
    """Entries whose content has no place yet."""
    placed = MapPlace.objects.filter(
        space=space, track=OuterRef("track"), report=OuterRef("report")
    )
    return spaces.findable(space).filter(~Exists(placed))


def run_map(run: MapRun, heart: Heart) -> None:
    """Do a claimed run. Raises background.Refused if there are too few tracks."""
    space = run.space
    total = spaces.findable(space).count()
    if total < LEAST_TRACKS:
        raise background.Refused(
            "too_few_tracks", f"A map needs {LEAST_TRACKS} tracks that have been heard."
        )
    heart.progress(0.05, "Reading the catalogue")
    learned = MapPlace.objects.filter(space=space, is_learned=True).count()
    if learned and min(total, MOST_LEARNED) <= _REDRAW_AFTER * learned:
        _place_new(run, heart)
    else:
        _redraw(run, heart)


def _place_new(run: MapRun, heart: Heart) -> None:
    space = run.space
    new = _read(_unplaced(space))
    drawn = MapPlace.objects.filter(space=space, is_learned=True)
    on_map = {
        (track_id, report_id): (x, y)
        for track_id, report_id, x, y in drawn.values_list("track_id", "report_id", "x", "y")
    }
    known = _read(
        spaces.findable(space).filter(
            Exists(drawn.filter(track=OuterRef("track"), report=OuterRef("report")))
        )
    )
    places = np.array([on_map[key] for key in zip(known.ids, known.reports, strict=True)])
    heart.progress(0.5, "Placing what is new")
    found = projecting.placed(new.vectors, known.vectors, places)
    _keep(run, heart, new, found, learned=0)


def _redraw(run: MapRun, heart: Heart) -> None:
    tracks = _read(spaces.findable(run.space))
    learning = min(len(tracks.ids), MOST_LEARNED)
    vectors = tracks.vectors[:learning]
    old = _old_places(run.space, tracks.ids[:learning])
    known = np.array(sorted(old), dtype=np.intp)
    start: Double | None = None
    # A start that most tracks would have to leave is worse than none.
    if len(known) >= max(4, 0.2 * learning):
        there = np.array([old[index] for index in known])
        start = projecting.placed(vectors, vectors[known], there)
        start[known] = there
    heart.progress(0.2, f"Drawing {learning:,} tracks")
    places = projecting.learn(vectors, start)
    heart.progress(0.8, "Measuring the map")
    run.kept_share, run.chance_share = projecting.kept_neighbours(vectors, places)
    if start is not None:
        run.moved = projecting.moved_by(places[known], start[known])
    rest = projecting.placed(tracks.vectors[learning:], vectors, places)
    _keep(run, heart, tracks, np.concatenate([places, rest]), learned=learning)


def _old_places(space: EmbeddingSpace, ids: list[UUID]) -> dict[int, tuple[float, float]]:
    """Old places by index: of this space, or of the one whose map was drawn last, so that a new
    version of the model leaves people their map."""
    last = MapRun.objects.filter(state=background.WorkState.DONE).order_by("-finished_at").first()
    here = MapPlace.objects.filter(space=space)
    if last is not None and not here.exists():
        here = MapPlace.objects.filter(space=last.space_id)
    index_of = {track_id: index for index, track_id in enumerate(ids)}
    return {
        index_of[track_id]: (x, y)
        for track_id, x, y in here.values_list("track_id", "x", "y").iterator(20_000)
        if track_id in index_of
    }


def _read(entries: QuerySet[SearchEntry]) -> _Tracks:
    """Tracks by their rank. One array for all: a million Python lists would not fit."""
    rows = entries.values_list("track_id", "report_id", "vector")
    found = np.empty((entries.count(), DIMENSIONS), dtype=np.float32)
    ids: list[UUID] = []
    reports: list[UUID] = []
    for track_id, report_id, vector in rows.iterator(_READ_AT_ONCE):
        if len(ids) == len(found):  # One more has come since they were counted.
            break
        found[len(ids)] = vector
        ids.append(track_id)
        reports.append(report_id)
    order = sorted(range(len(ids)), key=lambda index: (rank_of(ids[index]), ids[index]))
    found = found[order]
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return _Tracks([ids[i] for i in order], [reports[i] for i in order], found)


def _keep(run: MapRun, heart: Heart, tracks: _Tracks, places: Double, *, learned: int) -> None:
    """Write places, all at once for whoever looks, and end the run."""
    heart.check()
    with transaction.atomic():
        # A track that was deleted meanwhile has no entry any more.
        alive = set(
            SearchEntry.objects.filter(space=run.space).values_list("track_id", "report_id")
            if len(tracks.ids) > _SMALL
            else SearchEntry.objects.filter(space=run.space, track__in=tracks.ids).values_list(
                "track_id", "report_id"
            )
        )
        made = [
            MapPlace(
                space=run.space,
                track_id=track_id,
                report_id=report_id,
                x=float(x),
                y=float(y),
                rank=rank_of(track_id),
                is_learned=index < learned,
            )
            for index, (track_id, report_id, (x, y)) in enumerate(
                zip(tracks.ids, tracks.reports, places, strict=True)
            )
            if (track_id, report_id) in alive
        ]
        for begin in range(0, len(made), _WRITTEN_AT_ONCE):
            MapPlace.objects.bulk_create(
                made[begin : begin + _WRITTEN_AT_ONCE],
                update_conflicts=True,
                unique_fields=["space", "track"],
                update_fields=["report", "x", "y", "rank", "is_learned"],
            )
        run.is_redrawn = learned > 0
        run.tracks = MapPlace.objects.filter(space=run.space).count()
        run.save(update_fields=["is_redrawn", "tracks", "kept_share", "chance_share", "moved"])
        background.finish(run)
        if run.is_redrawn:
            MapPlace.objects.filter(~Q(space=run.space)).delete()


def connect() -> None:
    """Enter the work; called once when the app is ready."""
    background.register(MapRun, run_map)
