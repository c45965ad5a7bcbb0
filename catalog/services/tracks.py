"""Changing and deleting tracks and their revisions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from catalog.models import Album, Revision, ShareLink, Track, User
from catalog.names import MAX_NOTE_LENGTH, clean_text
from catalog.selectors import current_revision_ids
from catalog.services.consent import set_track_consent
from catalog.signals import reanalysis_wanted
from catalog.tags import normal_isrc

# Consent has a way of its own: a form that is older than its withdrawal must not give it back.
_DETAILS = (
    "title", "version", "composer", "isrc", "release_date", "discoverable", "is_reference", "album",
    "position", "updated_at",
)  # fmt: skip


def update_track(
    track: Track,
    *,
    title: str,
    version: str,
    composer: str,
    isrc: str,
    release_date: date | None,
    discoverable: bool,
    is_reference: bool = False,
    may_train: bool | None = None,
    by: User | None = None,
) -> Track:
    """Change what is known about a track. Raises ValidationError.

    A track that turns out to be somebody else's leaves its album, its share links end, and nothing
    is trained on it. ``may_train`` gives or ends consent to that; None leaves it as it is.
    """
    code = normal_isrc(isrc)
    if isrc.strip() and not code:
        raise ValidationError(
            {"isrc": "An ISRC has two letters, three letters or digits, and seven digits."}
        )
    if is_reference and discoverable:
        raise ValidationError(
            {"discoverable": "A reference is somebody else's music: others cannot find it here."}
        )
    track.title = clean_text(title)
    track.version = clean_text(version, 120)
    track.composer = clean_text(composer)
    track.isrc = code
    track.release_date = release_date
    track.discoverable = discoverable
    track.is_reference = is_reference
    if is_reference:
        track.album, track.position = None, 0
    track.full_clean()
    if is_reference and may_train:
        raise ValidationError(
            {
                "may_train": "A reference is somebody else's music: training on it is not yours to "
                "allow."
            }
        )
    with transaction.atomic():
        track.save(update_fields=_DETAILS)
        if may_train is not None or is_reference:
            allow = bool(may_train) and not is_reference
            set_track_consent(Track.objects.filter(pk=track.pk), allow=allow, by=by)
            track.may_train = allow
        if is_reference:
            ShareLink.objects.filter(track=track, revoked_at=None).update(revoked_at=timezone.now())
    return track


def delete_track(track: Track) -> None:
    """Delete a track with all its revisions and their files."""
    track.delete()


def delete_tracks(tracks: QuerySet[Track]) -> int:
    """Delete several tracks; returns how many there were."""
    _, by_model = tracks.delete()
    return by_model.get(Track._meta.label, 0)


def delete_revision(revision: Revision) -> None:
    """Delete one version of a track.

    Raises ValidationError for the last one: a track without sound is deleted as a track.
    """
    with transaction.atomic():
        Track.objects.select_for_update(of=("self",)).get(pk=revision.track_id)
        if not revision.track.revisions.exclude(pk=revision.pk).exists():
            raise ValidationError(
                "This is the track's only version. Delete the track instead.", code="last_revision"
            )
        revision.delete()


def update_revision_note(revision: Revision, note: str) -> Revision:
    """Say what changed in a version; an empty note says nothing."""
    revision.note = clean_text(note, MAX_NOTE_LENGTH)
    revision.save(update_fields=["note"])
    return revision


def move_tracks(tracks: QuerySet[Track], album: Album | None) -> int:
    """Put tracks at the end of ``album``, or take them out of any; returns how many were moved.
    References by others stay outside albums."""
    with transaction.atomic():
        own = tracks.filter(is_reference=False)
        moving = list(own.select_for_update(of=("self",)).exclude(album=album))
        last = 0
        if album is not None:
            last = album.tracks.aggregate(Max("position"))["position__max"] or 0
        for place, track in enumerate(moving, start=1):
            track.album = album
            track.position = last + place if album is not None else 0
            track.save(update_fields=["album", "position", "updated_at"])
    return len(moving)


def reanalyse_tracks(tracks: QuerySet[Track]) -> int:
    """Ask for the current revision of each track to be listened to again; returns how many."""
    ids = list(
        tracks.annotate(current=current_revision_ids())
        .exclude(current=None)
        .values_list("current", flat=True)
    )
    want_reanalysis(ids)
    return len(ids)


def want_reanalysis(revision_ids: Iterable[UUID]) -> None:
    """Announce, once committed, that these revisions are to be listened to again."""
    ids = list(revision_ids)
    if ids:
        transaction.on_commit(lambda: reanalysis_wanted.send_robust(Revision, revision_ids=ids))
