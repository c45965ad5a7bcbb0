"""Who has a clip in hand: taken with the clip, kept by signs of life, gone by itself.

A lock that ran out still names its rater until somebody else takes the clip: until then she may
take it up again, and her answer counts.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from analysis.labels import label_settings
from analysis.labels.models import VoiceClip
from catalog.models import User


def lock(clip: VoiceClip, rater: User, strategy: str, minutes: int, now: datetime) -> None:
    """Lock a row that this transaction holds."""
    clip.locked_by = rater
    clip.locked_until = now + timedelta(minutes=minutes)
    clip.locked_for = strategy
    clip.save(update_fields=["locked_by", "locked_until", "locked_for"])


def hold(rater: User, clip_ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """Lengthen the rater's locks; returns the clips that are no longer hers."""
    until = timezone.now() + timedelta(minutes=label_settings.current().lock_minutes)
    mine = VoiceClip.objects.filter(pk__in=list(clip_ids), locked_by=rater)
    mine.update(locked_until=until)
    held = set(mine.values_list("pk", flat=True))
    return [pk for pk in clip_ids if pk not in held]


def release(rater: User, clip_ids: Collection[uuid.UUID]) -> int:
    """Give clips back to the queue; returns how many were the rater's."""
    mine = VoiceClip.objects.filter(pk__in=list(clip_ids), locked_by=rater)
    return mine.update(locked_by=None, locked_until=None, locked_for="")


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
