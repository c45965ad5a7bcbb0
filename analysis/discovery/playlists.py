"""Writing playlists: made, filled, put in order, and a way from one song to another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, Max, OuterRef
from django.utils import timezone

from analysis.discovery import query, song_path
from analysis.discovery.gallery_models import Playlist, PlaylistItem
from analysis.discovery.request import Asker, BadRequest, SearchRequest, Seed
from analysis.discovery.seeds import SeedNotFound, direction, visible
from catalog.models import Artist, Revision, Track
from sonicsite.limits import TokenBuckets

MOST_PLAYLISTS = 200
MOST_ITEMS = 1_000
LEAST_STEPS, MOST_STEPS = 1, 30
_POINTS = 6
_CANDIDATES_OF_A_POINT = 150

WAYS = TokenBuckets(rate=0.2, burst=10)
"""Per account and web process: a way is several searches."""


class PlaylistRefused(Exception):
    """It cannot be done; the message is for people, ``code`` for programs: ``name``,
    ``too_many_playlists``, ``too_many_tracks`` or ``gone``."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class BadItem:
    """What cannot be taken into a playlist: its place among what was given, from 0, and why."""

    index: int
    code: str
    message: str


class ItemsRefused(Exception):
    """Some of what was given cannot be taken, so nothing was."""

    def __init__(self, items: Sequence[BadItem]) -> None:
        super().__init__(items[0].message)
        self.items = list(items)


def create(artist: Artist, name: str) -> Playlist:
    """A new, empty playlist. Raises PlaylistRefused."""
    with transaction.atomic():
        Artist.objects.select_for_update().get(pk=artist.pk)
        if Playlist.objects.filter(artist=artist).count() >= MOST_PLAYLISTS:
            raise PlaylistRefused(
                f"{MOST_PLAYLISTS} playlists is the most. Delete one first.", "too_many_playlists"
            )
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
        raise PlaylistRefused(
            "Give the playlist a name of at most 120 characters.", "name"
        ) from error
    return name


def findable(artist: Artist, track_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the tracks that can be in a playlist of the artist: ones that it may find and that
    have sound."""
    found = Track.objects.filter(
        Exists(Revision.objects.filter(track=OuterRef("pk"))),
        visible(Asker.of_artist(artist)),
        pk__in=list(track_ids),
    )
    return set(found.values_list("pk", flat=True))


def add(playlist: Playlist, track_ids: Sequence[UUID]) -> int:
    """Put tracks at the end that the artist may find; returns how many were not in it yet.
    Raises PlaylistRefused when it would be too long."""
    allowed = findable(playlist.artist, track_ids)
    return _append(playlist, [pk for pk in track_ids if pk in allowed])


def add_all(playlist: Playlist, track_ids: Sequence[UUID]) -> int:
    """As :func:`add`, but all or nothing. Raises ItemsRefused, PlaylistRefused."""
    allowed = findable(playlist.artist, track_ids)
    bad = [_not_there(i) for i, pk in enumerate(track_ids) if pk not in allowed]
    if bad:
        raise ItemsRefused(bad)
    return _append(playlist, track_ids)


def _append(playlist: Playlist, track_ids: Sequence[UUID]) -> int:
    with transaction.atomic():
        _lock(playlist)
        held = set(playlist.items.values_list("track_id", flat=True))
        new = [pk for pk in dict.fromkeys(track_ids) if pk not in held]
        if len(held) + len(new) > MOST_ITEMS:
            raise _too_long()
        last = playlist.items.aggregate(last=Max("position"))["last"]
        first = 0 if last is None else last + 1
        PlaylistItem.objects.bulk_create(
            PlaylistItem(playlist=playlist, track_id=pk, position=first + i)
            for i, pk in enumerate(new)
        )
        _touch(playlist)
    return len(new)


def replace(playlist: Playlist, wanted: Sequence[int | UUID]) -> None:
    """Make the playlist what ``wanted`` says, in its order: ids of its own items, which stay, the
    hidden ones too, and ids of tracks that the artist may find. What is not named goes.

    Raises ItemsRefused, PlaylistRefused; then nothing has changed.
    """
    if len(wanted) > MOST_ITEMS:
        raise _too_long()
    allowed = findable(playlist.artist, (one for one in wanted if isinstance(one, UUID)))
    with transaction.atomic():
        _lock(playlist)
        held = dict(playlist.items.values_list("pk", "track_id"))
        order: dict[UUID, None] = {}
        bad = []
        for index, one in enumerate(wanted):
            track_id = held.get(one) if isinstance(one, int) else one if one in allowed else None
            if track_id is None:
                bad.append(_not_there(index, in_playlist=isinstance(one, int)))
            elif track_id in order:
                bad.append(BadItem(index, "twice", "This stands in the order twice."))
            else:
                order[track_id] = None
        if bad:
            raise ItemsRefused(bad)
        item_of = {track_id: pk for pk, track_id in held.items()}
        playlist.items.exclude(track__in=order).delete()
        PlaylistItem.objects.bulk_create(
            PlaylistItem(playlist=playlist, track_id=track_id, position=place)
            for place, track_id in enumerate(order)
            if track_id not in item_of
        )
        PlaylistItem.objects.bulk_update(
            [
                PlaylistItem(pk=item_of[track_id], position=place)
                for place, track_id in enumerate(order)
                if track_id in item_of
            ],
            ["position"],
        )
        _touch(playlist)


def _not_there(index: int, *, in_playlist: bool = False) -> BadItem:
    message = (
        "The playlist has no such item."
        if in_playlist
        else "There is no such track, or not for this artist, or it has no sound yet."
    )
    return BadItem(index, "does_not_exist", message)


def _too_long() -> PlaylistRefused:
    return PlaylistRefused(f"A playlist holds at most {MOST_ITEMS:,} tracks.", "too_many_tracks")


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
    if Playlist.objects.select_for_update().filter(pk=playlist.pk).first() is None:
        raise PlaylistRefused("This playlist has just been deleted.", "gone")


def _touch(playlist: Playlist) -> None:
    Playlist.objects.filter(pk=playlist.pk).update(changed_at=timezone.now())


def create_way(
    artist: Artist, start: UUID, end: UUID, steps: int, *, name: str = ""
) -> tuple[Playlist, int]:
    """A new playlist that leads from one song to another, and how many tracks the way has.

    Raises SeedNotFound (its arguments are the ids that are not there), SeedNotHeard, BadRequest and
    PlaylistRefused.
    """
    way = way_between(Asker.of_artist(artist), start, end, steps)
    titles = {track.pk: str(track) for track in Track.objects.filter(pk__in=[start, end])}
    with transaction.atomic():
        playlist = create(artist, name or f"{titles[start][:55]} to {titles[end][:55]}")
        add(playlist, way)
    return playlist, len(way)


def way_between(asker: Asker, start: UUID, end: UUID, steps: int) -> list[UUID]:
    """Tracks from one song to another, both included, with at most ``steps`` between them that the
    asker may find.

    Raises SeedNotFound (its arguments are the ids that are not there), SeedNotHeard, and BadRequest
    in words.
    """
    if start == end:
        raise BadRequest("Choose two different tracks.")
    if not LEAST_STEPS <= steps <= MOST_STEPS:
        raise BadRequest(f"Choose {LEAST_STEPS} to {MOST_STEPS} tracks in between.")
    there = Track.objects.filter(visible(asker), pk__in=[start, end]).values_list("pk", flat=True)
    if missing := {start, end} - set(there):
        raise SeedNotFound(*missing)
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
