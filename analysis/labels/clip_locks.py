"""Who has a clip in hand: taken with the clip, kept by signs of life, gone by itself.

A lock that ran out still names its rater until somebody else takes the clip: until then she may
take it up again, and her answer counts.

A page that is left gives back what it knows of, and names itself: a clip may have been on its way
to it. Whichever of the two the server sees first, nothing stays locked (:func:`turn_of`).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from analysis.labels import label_settings
from analysis.labels.models import VoiceClip
from catalog.models import User
from sonicsite import locks

# A request takes no longer than this to reach the server, or to be given up.
_LEFT_SECONDS = 120


def lock(
    clip: VoiceClip,
    rater: User,
    strategy: str,
    minutes: int,
    now: datetime,
    *,
    page: uuid.UUID | None = None,
) -> None:
    """Lock a row that this transaction holds."""
    clip.locked_by = rater
    clip.locked_until = now + timedelta(minutes=minutes)
    clip.locked_for = strategy
    clip.locked_page = page
    clip.save(update_fields=["locked_by", "locked_until", "locked_for", "locked_page"])


def hold(rater: User, clip_ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """Lengthen the rater's locks; returns the clips that are no longer hers."""
    until = timezone.now() + timedelta(minutes=label_settings.current().lock_minutes)
    mine = VoiceClip.objects.filter(pk__in=list(clip_ids), locked_by=rater)
    mine.update(locked_until=until)
    held = set(mine.values_list("pk", flat=True))
    return [pk for pk in clip_ids if pk not in held]


def release(rater: User, clip_ids: Collection[uuid.UUID]) -> int:
    """Give clips back to the queue; returns how many were the rater's."""
    return _give_back(Q(pk__in=list(clip_ids), locked_by=rater))


def leave(rater: User, page: uuid.UUID, clip_ids: Collection[uuid.UUID]) -> int:
    """Give back these clips, and all others that the rater's ``page`` has asked for or is asking
    for; returns how many."""
    with transaction.atomic():
        turn_of(rater, page)
        cache.set(_left_key(rater, page), True, _LEFT_SECONDS)
        return _give_back(Q(locked_by=rater) & (Q(pk__in=list(clip_ids)) | Q(locked_page=page)))


def turn_of(rater: User, page: uuid.UUID) -> None:
    """What a page asks for and its leaving come one after the other, until the transaction ends."""
    locks.turn(_left_key(rater, page))


def has_left(rater: User, page: uuid.UUID) -> bool:
    """Whether the page was left; asked within its turn."""
    return bool(cache.get(_left_key(rater, page)))


def _left_key(rater: User, page: uuid.UUID) -> str:
    return f"labelling-left:{rater.pk}:{page}"


def _give_back(clips: Q) -> int:
    return VoiceClip.objects.filter(clips).update(
        locked_by=None, locked_until=None, locked_for="", locked_page=None
    )


def is_locked_by_another(clip: VoiceClip, rater: User) -> bool:
    """Whether somebody else has the clip in hand now."""
    return (
        clip.locked_by_id is not None
        and clip.locked_by_id != rater.pk
        and clip.locked_until is not None
        and clip.locked_until > timezone.now()
    )


def live_locks() -> Q:
    """Clips that somebody has in hand."""
    return Q(locked_by__isnull=False, locked_until__gt=timezone.now())
