"""Writing playlists: made, filled, put in order, and a way from one song to another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import numpy as np
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from analysis.discovery import query, song_path
from analysis.discovery.gallery_models import Playlist, PlaylistItem
from analysis.discovery.request import Asker, BadRequest, SearchRequest, Seed
from analysis.discovery.seeds import SeedNotFound, direction, visible
from catalog.models import Artist, Track

MOST_PLAYLISTS = 200
MOST_ITEMS = 1_000
LEAST_STEPS, MOST_STEPS = 1, 30
_POINTS = 6
_CANDIDATES_OF_A_POINT = 150


class PlaylistRefused(Exception):
    """It cannot be done; the message is for people."""


def create(artist: Artist, name: str) -> Playlist:
    """A new, empty playlist. Raises PlaylistRefused."""
    with transaction.atomic():
        Artist.objects.select_for_update().get(pk=artist.pk)
        if Playlist.objects.filter(artist=artist).count() >= MOST_PLAYLISTS:
            raise PlaylistRefused(f"{MOST_PLAYLISTS} playlists is the most. Delete one first.")
        playlist = Playlist(artist=artist, name=_name(name))
        playlist.save()
    return playlist


def rename(playlist: Playlist, name: str) -> None:
    """Give another name. Raises PlaylistRefused."""
    playlist.name = _name(name)
    playlist.save(update_fields=["name", "changed_at"])


def delete(playlist: Playlist) -> None:
    """Remove the list; its tracks stay."""
    playlist.delete()


def _name(text: str) -> str:
    """One line of text. Raises PlaylistRefused."""
    name = " ".join(text.replace("\0", "").split())
    try:
        Playlist._meta.get_field("name").clean(name, None)
    except ValidationError as error:
        raise PlaylistRefused("Give the playlist a name of at most 120 characters.") from error
    return name


def add(playlist: Playlist, track_ids: Sequence[UUID]) -> int:
    """Put tracks at the end that the artist may find; returns how many were not in it yet.
    Raises PlaylistRefused when it would be too long."""
    allowed = set(
        Track.objects.filter(
            visible(Asker.of_artist(playlist.artist)), pk__in=list(track_ids)
        ).values_list("pk", flat=True)
    )
    with transaction.atomic():
        _lock(playlist)
        held = set(playlist.items.values_list("track_id", flat=True))
        new = [pk for pk in dict.fromkeys(track_ids) if pk in allowed and pk not in held]
        if len(held) + len(new) > MOST_ITEMS:
            raise PlaylistRefused(f"A playlist holds at most {MOST_ITEMS:,} tracks.")
        last = playlist.items.aggregate(last=Max("position"))["last"]
        first = 0 if last is None else last + 1
        PlaylistItem.objects.bulk_create(
            PlaylistItem(playlist=playlist, track_id=pk, position=first + i)
            for i, pk in enumerate(new)
        )
        _touch(playlist)
    return len(new)


def remove(playlist: Playlist, item_id: int) -> None:
    """Take an item out, if it is there."""
    with transaction.atomic():
        _lock(playlist)
        playlist.items.filter(pk=item_id).delete()
        _touch(playlist)


def move(playlist: Playlist, item_id: int, by: int) -> None:
    """Move an item up (-1) or down (1) by one place, if it can go there."""
    with transaction.atomic():
        _lock(playlist)
        order = list(playlist.items.values_list("pk", flat=True))
        if item_id not in order:
            return
        at = order.index(item_id)
        to = at + by
        if 0 <= to < len(order):
            order[at], order[to] = order[to], order[at]
            _write_order(playlist, order)


def put_in_order(playlist: Playlist, item_ids: Iterable[int]) -> None:
    """Put items into the order given; what it does not name follows as it was."""
    with transaction.atomic():
        _lock(playlist)
        held = list(playlist.items.values_list("pk", flat=True))
        known = set(held)
        named = [pk for pk in dict.fromkeys(item_ids) if pk in known]
        _write_order(playlist, [*named, *(pk for pk in held if pk not in set(named))])


def _write_order(playlist: Playlist, order: list[int]) -> None:
    PlaylistItem.objects.bulk_update(
        [PlaylistItem(pk=pk, position=place) for place, pk in enumerate(order)], ["position"]
    )
    _touch(playlist)


def _lock(playlist: Playlist) -> None:
    Playlist.objects.select_for_update().get(pk=playlist.pk)


def _touch(playlist: Playlist) -> None:
    Playlist.objects.filter(pk=playlist.pk).update(changed_at=timezone.now())


def way_between(asker: Asker, start: UUID, end: UUID, steps: int) -> list[UUID]:
    """Tracks from one song to another, both included, with at most ``steps`` between them that the
    asker may find.

    Raises SeedNotFound, SeedNotHeard, and BadRequest in words.
    """
    if start == end:
        raise BadRequest("Choose two different tracks.")
    if not LEAST_STEPS <= steps <= MOST_STEPS:
        raise BadRequest(f"Choose {LEAST_STEPS} to {MOST_STEPS} tracks in between.")
    if Track.objects.filter(visible(asker), pk__in=[start, end]).count() < 2:
        raise SeedNotFound(f"{start} {end}")
    both = direction(SearchRequest(asker, [Seed.track(start), Seed.track(end)]))
    a, b = (direction(SearchRequest(asker, [Seed.track(one)])).vector for one in (start, end))
    points = np.stack([a, *song_path.waypoints(a, b, _POINTS), b])
    places: dict[UUID, np.ndarray] = {}
    contents = set(both.reports)
    for point in points:
        where = query.visible_in(both.space, asker)
        where.add("track_id <> ALL(%s)", [start, end])
        rows, _ = query.nearest(
            point, where, _CANDIDATES_OF_A_POINT, space=both.space, with_vectors=True
        )
        for row in rows:
            # One content may be held by several tracks.
            if row.vector is not None and row.report_id not in contents:
                contents.add(row.report_id)
                places[row.track_id] = row.vector
    ids = list(places)
    stacked = np.stack([places[pk] for pk in ids]) if ids else np.zeros((0, len(a)), np.float32)
    chosen = song_path.smoothest(a, b, stacked, steps)
    return [start, *(ids[i] for i in chosen), end]
