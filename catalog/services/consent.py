"""Consent to training: given and taken back, by artist and by track. Both are needed.

Every change is written down as a :class:`~catalog.consent_models.ConsentEvent` and announced within
the same transaction, so that what was made with the consent goes with it, or the consent stays.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from catalog.consent_models import ConsentAction, ConsentEvent, ConsentScope
from catalog.models import Artist, Track, User
from catalog.signals import training_consent_given, training_consent_withdrawn

_ACTIONS = {True: ConsentAction.GIVEN, False: ConsentAction.WITHDRAWN}


def set_artist_consent(artist: Artist, *, allow: bool, by: User | None) -> bool:
    """Allow or end training on an artist's recordings as a whole; False if nothing changed.

    The single tracks keep what is said about them: it counts again when consent is given again.
    """
    with transaction.atomic():
        locked = Artist.objects.select_for_update(of=("self",)).get(pk=artist.pk)
        artist.may_train = allow
        if locked.may_train == allow:
            return False
        Artist.objects.filter(pk=artist.pk).update(may_train=allow)
        ConsentEvent.objects.create(
            artist=artist, scope=ConsentScope.ARTIST, action=_ACTIONS[allow], by=by
        )
        _announce(artist, allow, None)
    return True


def set_track_consent(tracks: QuerySet[Track], *, allow: bool, by: User | None) -> int:
    """Allow or end training on some tracks of one artist; returns how many changed.

    References by others are never allowed: they are not the artist's to give.
    """
    with transaction.atomic():
        changing = tracks.filter(may_train=not allow)
        if allow:
            changing = changing.filter(is_reference=False)
        locked = list(changing.select_for_update(of=("self",)).select_related("artist"))
        if not locked:
            return 0
        Track.objects.filter(pk__in=[track.pk for track in locked]).update(may_train=allow)
        ConsentEvent.objects.bulk_create(
            ConsentEvent(
                artist_id=track.artist_id,
                scope=ConsentScope.TRACK,
                track=track,
                action=_ACTIONS[allow],
                by=by,
            )
            for track in locked
        )
        for artist in {track.artist for track in locked}:
            of_artist = [track.pk for track in locked if track.artist_id == artist.pk]
            _announce(artist, allow, of_artist)
    return len(locked)


def _announce(artist: Artist, allow: bool, track_ids: list | None) -> None:
    signal = training_consent_given if allow else training_consent_withdrawn
    signal.send(Artist, artist=artist, track_ids=track_ids)
