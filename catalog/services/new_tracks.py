"""Tracks made from what is known about them, before there is any sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from catalog.models import Artist, Track
from catalog.names import clean_text
from catalog.signals import tracks_added
from catalog.tags import normal_isrc


@dataclass(frozen=True)
class NewTrack:
    """What is known about a track that shall be made."""

    title: str
    version: str = ""
    composer: str = ""
    isrc: str = ""
    release_date: date | None = None
    album_id: UUID | None = None
    discoverable: bool = False
    is_reference: bool = False


def create_tracks(artist: Artist, wanted: Sequence[NewTrack]) -> list[Track | ValidationError]:
    """Make tracks at the end of their albums; what is wrong with one does not keep the others.

    Returns, in the order of ``wanted``, each track or why it could not be made. A fixed number of
    queries, however many there are.
    """
    with transaction.atomic():
        # One artist's tracks are made one after another, so that places in albums stay right.
        Artist.objects.select_for_update(of=("self",)).get(pk=artist.pk)
        named = {new.album_id for new in wanted if new.album_id is not None}
        albums = artist.albums.in_bulk(named)
        last = dict(
            artist.tracks.filter(album__in=albums)
            .order_by()
            .values_list("album")
            .annotate(Max("position"))
        )
        outcomes: list[Track | ValidationError] = []
        for new in wanted:
            try:
                track = _checked(artist, new)
                if new.album_id is not None:
                    if new.album_id not in albums:
                        raise ValidationError({"album": "This artist has no such album."})
                    track.album = albums[new.album_id]
                    track.position = last[new.album_id] = last.get(new.album_id, 0) + 1
                track.clean_fields(exclude=["artist", "album"])
            except ValidationError as error:
                outcomes.append(error)
            else:
                outcomes.append(track)
        made = Track.objects.bulk_create([each for each in outcomes if isinstance(each, Track)])
        tracks_added.send(Track, tracks=made)
    return outcomes


def _checked(artist: Artist, new: NewTrack) -> Track:
    code = normal_isrc(new.isrc)
    if new.isrc.strip() and not code:
        raise ValidationError(
            {"isrc": "An ISRC has two letters, three letters or digits, and seven digits."}
        )
    # As the table's own constraint says, without asking the database about every track.
    if new.is_reference and new.album_id is not None:
        raise ValidationError({"album": "A reference by somebody else is in no album."})
    if new.is_reference and new.discoverable:
        raise ValidationError(
            {"discoverable": "A reference is somebody else's music: others cannot find it here."}
        )
    return Track(
        artist=artist,
        title=clean_text(new.title),
        version=clean_text(new.version, 120),
        composer=clean_text(new.composer),
        isrc=code,
        release_date=new.release_date,
        discoverable=new.discoverable,
        is_reference=new.is_reference,
    )
