"""Albums, and the order of albums and of the tracks in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import BinaryIO
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from catalog.models import Album, Artist, Track
from catalog.names import clean_text
from catalog.services.accounts import replace_picture


def create_album(
    *,
    artist: Artist,
    title: str,
    release_date: date | None = None,
    artwork: BinaryIO | None = None,
) -> Album:
    """A new album after the others. Raises ValidationError, PictureRefused."""
    last = artist.albums.aggregate(Max("position"))["position__max"] or 0
    album = Album(
        artist=artist, title=clean_text(title), release_date=release_date, position=last + 1
    )
    album.full_clean()
    replace_picture(album, "artwork", artwork)
    album.save()
    return album


def update_album(
    album: Album,
    *,
    title: str,
    release_date: date | None,
    artwork: BinaryIO | None = None,
    remove_artwork: bool = False,
) -> Album:
    """Rename an album, change its date or artwork. Raises ValidationError, PictureRefused."""
    album.title = clean_text(title)
    album.release_date = release_date
    album.full_clean()
    with transaction.atomic():
        replace_picture(album, "artwork", artwork, remove=remove_artwork)
        album.save()
    return album


def delete_album(album: Album, *, with_tracks: bool) -> None:
    """Delete an album; its tracks stay in the library unless ``with_tracks``."""
    with transaction.atomic():
        if with_tracks:
            album.tracks.all().delete()
        album.delete()


def order_albums(artist: Artist, ids: Sequence[UUID]) -> None:
    """Bring albums into the order of ``ids``; unknown ids are ignored, missing ones come last."""
    with transaction.atomic():
        _reorder(list(artist.albums.select_for_update(of=("self",))), ids)


def move_album(album: Album, *, by: int) -> None:
    """Move an album up (-1) or down (+1) among its artist's albums."""
    with transaction.atomic():
        _swap(list(album.artist.albums.select_for_update(of=("self",))), album.pk, by)


def order_tracks(album: Album, ids: Sequence[UUID]) -> None:
    """Bring an album's tracks into the order of ``ids``; see :func:`order_albums`."""
    with transaction.atomic():
        _reorder(list(album.tracks.select_for_update(of=("self",))), ids)


def move_track(track: Track, *, by: int) -> None:
    """Move a track up (-1) or down (+1) in its album; nothing happens outside an album."""
    if track.album is None:
        return
    with transaction.atomic():
        _swap(list(track.album.tracks.select_for_update(of=("self",))), track.pk, by)


def _reorder(rows: list[Album] | list[Track], ids: Sequence[UUID]) -> None:
    place = {id_: index for index, id_ in enumerate(ids)}
    _number(sorted(rows, key=lambda row: place.get(row.pk, len(place))))


def _swap(rows: list[Album] | list[Track], pk: UUID, by: int) -> None:
    at = next((index for index, row in enumerate(rows) if row.pk == pk), None)
    if at is None:
        return
    ordered: list[Album | Track] = [*rows]
    to = min(max(at + by, 0), len(ordered) - 1)
    ordered.insert(to, ordered.pop(at))
    _number(ordered)


def _number(rows: Sequence[Album | Track]) -> None:
    """Positions 1, 2, 3 ...; only rows whose place changed are written."""
    for position, row in enumerate(rows, start=1):
        if row.position != position:
            row.position = position
            row.save(update_fields=["position"])
