"""Writes of artists' own mix targets, and what ``?target=`` means.

A target is made of reports, and a page must neither show an old one nor wait for hundreds of
reports. So a target keeps what it was made of as a stamp, which costs two short queries to compare,
and is made anew by whoever reads it first after its tracks, their weights or reports changed. A
report that is written again gets another time, and so another stamp: a reader that keeps what it
made of the report before, at whatever moment, cannot pass it off as current.
"""

from __future__ import annotations

import json
import logging
import math
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from analysis import target_parts
from analysis.mixing import load_targets
from analysis.mixing.own_targets import (
    UnusableTarget,
    from_document,
    target_of_tracks,
    to_document,
)
from analysis.mixing.targets import ANY_GENRE, GenreTarget
from analysis.models import MixTarget, MixTargetTrack, TargetKind
from analysis.target_selectors import MAX_TRACKS, Part, parts_of, value_of
from catalog.models import Album, Artist, Track
from catalog.names import clean_text

log = logging.getLogger(__name__)

MAX_TARGETS = 50
MAX_NAME_LENGTH = 60
MAX_FILE_BYTES = 64 * 1024
LEAST_WEIGHT, MOST_WEIGHT = 0.1, 10.0

_OWN = "own:"
_ALL_GENRES = "all genres"


# --- Making and changing --------------------------------------------------------------------------


def create_of_catalogue(artist: Artist, *, name: str, album: Album | None = None) -> MixTarget:
    """A target of all tracks of an artist, or of one album. Raises ValidationError."""
    if album is not None and album.artist_id != artist.pk:
        raise ValidationError({"album": "Choose one of your albums."})
    kind = TargetKind.CATALOGUE if album is None else TargetKind.ALBUM
    return _create(MixTarget(artist=artist, name=name, kind=kind, album=album))


def create_of_tracks(artist: Artist, *, name: str, weights: Mapping[uuid.UUID, float]) -> MixTarget:
    """A target of chosen tracks, each with its weight (0.1 to 10). Raises ValidationError."""
    kind = _kind_of(artist, weights)
    return _create(MixTarget(artist=artist, name=name, kind=kind), weights)


def create_of_file(artist: Artist, *, file: BinaryIO, name: str = "") -> MixTarget:
    """A target from a JSON file that anybody may have written, by its own name if none is given.

    Raises ValidationError, which says what is wrong with the file.
    """
    try:
        found = from_document(_read_json(file), targets=load_targets())
    except UnusableTarget as error:
        raise ValidationError({"file": str(error)}) from error
    name = _clean_name(name.strip() or found.genre)
    document = to_document(replace(found, genre=name))
    return _create(
        MixTarget(
            artist=artist,
            name=name,
            kind=TargetKind.FILE,
            document=document,
            built_at=timezone.now(),
        )
    )


def update(
    target: MixTarget, *, name: str, weights: Mapping[uuid.UUID, float] | None = None
) -> MixTarget:
    """Rename a target and, with ``weights``, make it of other tracks or weigh them anew.

    Raises ValidationError for a name that is taken, too long or a genre's, and for tracks like
    :func:`create_of_tracks`.
    """
    target.name = _clean_name(name)
    if weights is not None:
        target.kind = _kind_of(target.artist, weights)
    with transaction.atomic():
        # As in _create: names stay unique. The target's own row is held too, against deletion.
        Artist.objects.select_for_update(of=("self",)).get(pk=target.artist_id)
        if not MixTarget.objects.select_for_update(of=("self",)).filter(pk=target.pk).exists():
            raise ValidationError("This target has been deleted meanwhile.")
        target.full_clean()
        target.save(update_fields=["name", "kind"])
        if weights is not None:
            target.parts.all().delete()
            _add_parts(target, weights)
            if current(target) is None:
                raise ValidationError(unusable_because(target))
    return target


def delete(target: MixTarget) -> None:
    """Delete a target; whoever had it as the default is judged against the predicted genre."""
    with transaction.atomic():
        Artist.objects.filter(pk=target.artist_id, default_genre=value_of(target.pk)).update(
            default_genre=""
        )
        target.delete()


# --- Using ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChosenTarget:
    """What a mix is to be judged against, and how addresses name it."""

    value: str
    target: GenreTarget


def resolve(artist: Artist, value: str) -> ChosenTarget | None:
    """What ``?target=`` or a default names: a genre, or one of *artist*'s own targets; None for
    anything else, and for a target none of whose tracks has been listened to."""
    if not value.startswith(_OWN):
        genre = load_targets().genres.get(value)
        return None if genre is None else ChosenTarget(value, genre)
    try:
        target_id = uuid.UUID(value.removeprefix(_OWN))
    except ValueError:
        return None
    row = MixTarget.objects.filter(artist=artist, pk=target_id).first()
    found = None if row is None else current(row)
    return None if found is None else ChosenTarget(value_of(target_id), found)


def chosen(artist: Artist, wanted: str, *, with_own: bool = True) -> ChosenTarget | None:
    """The wanted target, or else the artist's default; None for the predicted genre.

    ``with_own`` False leaves own targets out: they are for their artist's eyes.
    """
    for value in (wanted, artist.default_genre):
        if value and (with_own or not value.startswith(_OWN)):
            found = resolve(artist, value)
            if found is not None:
                return found
    return None


def current(target: MixTarget) -> GenreTarget | None:
    """A target as its tracks are now; None while none of them has been listened to."""
    if target.kind != TargetKind.FILE:
        parts = parts_of(target)
        stamp = target_parts.stamp_of(parts)
        if stamp != target.stamp:
            _build(target, parts, stamp)
    if target.document is None:
        return None
    try:
        found = from_document(target.document, targets=load_targets())
    except UnusableTarget as error:  # written by a version whose targets had other parts
        log.warning("mix target %s cannot be read: %s", target.pk, error)
        return None
    return replace(found, genre=target.name)


def unusable_because(target: MixTarget) -> str:
    """Why :func:`current` is None for a target, for people."""
    return target_parts.unusable_because(parts_of(target))


def exported(target: MixTarget) -> dict[str, Any] | None:
    """A target as the JSON that :func:`create_of_file` takes; None like :func:`current`."""
    found = current(target)
    return None if found is None else to_document(found)


# --- Inside ---------------------------------------------------------------------------------------


def _create(target: MixTarget, weights: Mapping[uuid.UUID, float] | None = None) -> MixTarget:
    target.name = _clean_name(target.name)
    with transaction.atomic():
        # One artist's targets are made one after another: their number stays right.
        artist = Artist.objects.select_for_update(of=("self",)).get(pk=target.artist_id)
        if artist.mix_targets.count() >= MAX_TARGETS:
            raise ValidationError(
                f"You have {MAX_TARGETS} targets, which is all there is room for. Delete one first."
            )
        target.full_clean()
        target.save()
        _add_parts(target, weights or {})
        if current(target) is None:
            raise ValidationError(unusable_because(target))
    return target


def _add_parts(target: MixTarget, weights: Mapping[uuid.UUID, float]) -> None:
    MixTargetTrack.objects.bulk_create(
        MixTargetTrack(target=target, track_id=track_id, weight=weight)
        for track_id, weight in weights.items()
    )


def _kind_of(artist: Artist, weights: Mapping[uuid.UUID, float]) -> TargetKind:
    """Which kind chosen tracks make. Raises ValidationError for what cannot be chosen."""
    if not weights:
        raise ValidationError("Choose at least one track.")
    if len(weights) > MAX_TRACKS:
        raise ValidationError(f"Choose at most {MAX_TRACKS} tracks.")
    for weight in weights.values():
        if not (math.isfinite(weight) and LEAST_WEIGHT <= weight <= MOST_WEIGHT):
            raise ValidationError(f"Weights go from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}.")
    kinds = Track.objects.filter(artist=artist, pk__in=weights).values_list(
        "is_reference", flat=True
    )
    if len(kinds) != len(weights):
        raise ValidationError("Choose tracks of your library.")
    return TargetKind.REFERENCES if all(kinds) else TargetKind.TRACKS


def _clean_name(name: str) -> str:
    """Raises ValidationError for a name that cannot be told from nothing, or from a genre."""
    text = clean_text(name, 10 * MAX_NAME_LENGTH)
    if not any(unicodedata.category(letter)[0] in "LNPS" for letter in text):
        raise ValidationError({"name": "Give the target a name."})
    taken = {genre.casefold() for genre in load_targets().genres} | {ANY_GENRE, _ALL_GENRES}
    if text.casefold() in taken:
        raise ValidationError({"name": "This is the name of a genre. Choose another one."})
    if len(text) > MAX_NAME_LENGTH:
        raise ValidationError({"name": f"Use at most {MAX_NAME_LENGTH} characters."})
    return text


def _read_json(file: BinaryIO) -> Any:
    """Raises UnusableTarget for what is too large, or no JSON."""
    data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise UnusableTarget(f"A target has at most {MAX_FILE_BYTES // 1024} KB; this is larger.")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:  # ValueError: no JSON, no UTF-8, endless numbers
        raise UnusableTarget("This is not a JSON file that can be read.") from error


def _build(target: MixTarget, parts: list[Part], stamp: str) -> None:
    """Make a target of reports and keep it. Of two readers that do so at once the last one's stays;
    if that read older reports, its stamp says so, and the next reader makes it anew."""
    targets = load_targets()
    try:
        made = target_of_tracks(target.name, target_parts.reference_tracks(parts), targets=targets)
    except UnusableTarget:  # there is no track with a report that can be used
        target.document = None
    else:
        target.document = to_document(made)
    target.stamp, target.built_at = stamp, timezone.now()
    MixTarget.objects.filter(pk=target.pk).update(
        document=target.document, stamp=target.stamp, built_at=target.built_at
    )
