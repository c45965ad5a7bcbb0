"""Similar tracks: ``search(SearchRequest(asker, [Seed.track(...)])) -> hits``, nearest first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from analysis.discovery import query
from analysis.discovery.percentiles import percentile
from analysis.discovery.request import SearchRequest
from analysis.discovery.seeds import Direction, direction, visible
from analysis.models import Report
from catalog.models import Revision, Track

SAME_RECORDING_DISTANCE = 0.01
"""Nearer than this are copies of one recording (docs/discovery.md)."""

_SPARE = 8
_ROUNDS = 6
_MOST_FETCHED = 1_000


@dataclass(frozen=True)
class Hit:
    """A track that was found. ``report`` comes without its document.

    ``percentile``: it is nearer to where the search began than this share (0..100, tenths) of all
    pairs of tracks are to each other; None while there are too few tracks for a share to mean
    anything.
    """

    track: Track
    revision: Revision
    report: Report
    distance: float
    percentile: float | None
    is_own: bool

    @property
    def artist_name(self) -> str:
        return self.track.artist.name


@dataclass(frozen=True)
class Results:
    """Hits, nearest first; ``has_more`` says that asking on may find others. ``model_version``
    names the space that was searched."""

    hits: list[Hit]
    has_more: bool
    model_version: str


def search(request: SearchRequest) -> list[Hit]:
    """The hits of :func:`search_page`."""
    return search_page(request).hits


def search_page(request: SearchRequest) -> Results:
    """What ``request`` asks for.

    Raises
    ------
    analysis.discovery.request.BadRequest
        For a request that makes no sense; the message is for people.
    analysis.discovery.seeds.SeedNotFound
        For a seed that is not there, or hidden from the asker.
    analysis.discovery.seeds.SeedNotHeard
        For a seed that has not been listened to; the message is for people.
    """
    request.check()
    start = direction(request)
    wanted = request.offset + request.limit
    rows, has_more = _collect(request, start, wanted)
    hits = _hits(rows[request.offset : wanted], request, start)
    return Results(hits, has_more, start.space.model_version)


def _where(request: SearchRequest, start: Direction) -> query.Conditions:
    where = query.visible_in(start.space, request.asker)
    query.add_filters(where, request.filters, request.asker)
    if request.exclude_own and request.asker.artist_ids:
        where.add("artist_id <> ALL(%s)", sorted(request.asker.artist_ids))
    if request.exclude_same_album and start.albums:
        where.add("(album_id IS NULL OR album_id <> ALL(%s))", list(start.albums))
    if request.exclude_same_recording and start.reports:
        where.add("report_id <> ALL(%s)", list(start.reports))
    return where


def _collect(request: SearchRequest, start: Direction, wanted: int) -> tuple[list[query.Row], bool]:
    """The first ``wanted`` rows under the rules that no index knows, and whether there may be more.

    Each round asks for what no round before has seen, and no more for artists who have had their
    share, so that one of many tracks cannot bar the way to all others.
    """
    where = _where(request, start)
    seen = set(start.tracks) | set(request.exclude_tracks)
    taken: list[query.Row] = []
    by_artist: Counter[int] = Counter()
    place_of_report: dict[object, int] = {}
    for _ in range(_ROUNDS):
        missing = wanted + 1 - len(taken)
        if missing <= 0:
            break
        count = min(_MOST_FETCHED, (missing * (3 if request.per_artist else 1)) + _SPARE)
        narrowed = query.Conditions([*where.parts], [*where.values])
        if seen:
            narrowed.add("track_id <> ALL(%s)", list(seen))
        full = [a for a, n in by_artist.items() if n >= (request.per_artist or n + 1)]
        if full:
            narrowed.add("artist_id <> ALL(%s)", full)
        rows, exhausted = query.nearest(
            start.vector,
            narrowed,
            count,
            space=start.space,
            with_vectors=request.exclude_same_recording and not start.is_one_place,
        )
        for row in rows:
            seen.add(row.track_id)
            if request.exclude_same_recording and _is_copy(row, start):
                continue
            held_at = place_of_report.get(row.report_id)
            is_full = request.per_artist and by_artist[row.artist_id] >= request.per_artist
            if held_at is not None:
                # Two artists hold one content: an own one is shown.
                held, own = taken[held_at], request.asker.artist_ids
                if row.artist_id in own and held.artist_id not in own and not is_full:
                    taken[held_at] = row
                    by_artist[held.artist_id] -= 1
                    by_artist[row.artist_id] += 1
                continue
            if is_full:
                continue
            by_artist[row.artist_id] += 1
            place_of_report[row.report_id] = len(taken)
            taken.append(row)
        if exhausted:
            break
    return taken[:wanted], len(taken) > wanted


def _is_copy(row: query.Row, start: Direction) -> bool:
    if row.vector is None:
        return row.distance < SAME_RECORDING_DISTANCE
    return bool(1.0 - np.max(start.positive @ row.vector) < SAME_RECORDING_DISTANCE)


def _hits(rows: list[query.Row], request: SearchRequest, start: Direction) -> list[Hit]:
    """Rows with what pages show of them. Who may see them is asked once more of the tracks
    themselves: what was hidden a moment ago is gone."""
    revisions = (
        Revision.objects.filter(visible(request.asker, "track__"))
        .select_related("track__artist", "track__album")
        .in_bulk([row.revision_id for row in rows])
    )
    reports = Report.objects.defer("document").in_bulk([row.report_id for row in rows])
    found = []
    for row in rows:
        revision, report = revisions.get(row.revision_id), reports.get(row.report_id)
        if revision is None or report is None:
            continue
        revision.artist = revision.track.artist
        found.append(
            Hit(
                track=revision.track,
                revision=revision,
                report=report,
                distance=row.distance,
                percentile=percentile(row.distance, start.space.pair_quantiles),
                is_own=row.artist_id in request.asker.artist_ids,
            )
        )
    return found
