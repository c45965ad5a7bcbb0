"""What the labelling pages read: tags, pace, what remains, a rater's own answers."""

from __future__ import annotations

import statistics
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone

from analysis.labels import label_settings
from analysis.labels.clip_locks import live_locks
from analysis.labels.models import (
    Adjudication,
    Ballot,
    ClipState,
    LabelSettings,
    TimbreTag,
    VoiceClip,
    Vote,
)
from analysis.labels.queue import with_too_few_votes, without_votes
from catalog.models import User

_REMAINING_KEY = "labels-remaining"
_REMAINING_SECONDS = 20
_PACE_OF_LAST = 50


@dataclass(frozen=True, slots=True)
class Remaining:
    """``fresh``: clips without any vote. ``more``: clips that shall have several votes, and have
    too few. Gold clips count for neither."""

    fresh: int
    more: int

    @property
    def clips(self) -> int:
        """Both together."""
        return self.fresh + self.more


@dataclass(frozen=True, slots=True)
class Pace:
    """A rater's own. ``seconds``: median of her last answers; None before the first."""

    total: int
    skipped: int
    today: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Doing:
    """What goes on in the pool."""

    clips: int
    answered: int
    in_hand: int


def tags_in_use() -> QuerySet[TimbreTag]:
    """Tags of the page, in their order."""
    return TimbreTag.objects.filter(retired_at__isnull=True)


def remaining(wishes: LabelSettings | None = None) -> Remaining:
    """At most 20 seconds old: counting a large pool with every clip would be dear."""
    found: Remaining | None = cache.get(_REMAINING_KEY)
    if found is None:
        wishes = wishes or label_settings.current()
        found = Remaining(without_votes().count(), with_too_few_votes(wishes).count())
        cache.set(_REMAINING_KEY, found, _REMAINING_SECONDS)
    return found


def doing() -> Doing:
    """Clips of the pool, those with votes, and those in somebody's hands."""
    pool = VoiceClip.objects.filter(state=ClipState.POOL)
    return Doing(
        clips=pool.count(),
        answered=pool.filter(votes__gt=0).count(),
        in_hand=VoiceClip.objects.filter(live_locks()).count(),
    )


def pace(rater: User) -> Pace:
    """How much the rater has done, and how fast."""
    ballots = Ballot.objects.filter(rater=rater)
    answered = ballots.filter(skipped=False)
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    last = answered.filter(seconds__isnull=False).order_by("-created_at")
    seconds = [one for one in last.values_list("seconds", flat=True)[:_PACE_OF_LAST] if one]
    return Pace(
        total=answered.count(),
        skipped=ballots.filter(skipped=True).count(),
        today=answered.filter(created_at__gte=midnight).count(),
        seconds=statistics.median(seconds) if seconds else None,
    )


def own_ballots(rater: User) -> QuerySet[Ballot]:
    """The rater's ballots with their votes, the newest first."""
    votes = Vote.objects.select_related("tag").order_by("tag__order", "tag__slug")
    clips = Ballot.objects.filter(rater=rater, clip__state=ClipState.POOL).select_related("clip")
    return (
        clips.defer("clip__fingerprint", "clip__facts", "clip__predicted")
        .prefetch_related(Prefetch("votes", votes))
        .order_by("-created_at", "-pk")
    )


def own_ballot(rater: User, ballot_id: uuid.UUID) -> Ballot | None:
    """One of the rater's ballots."""
    return own_ballots(rater).filter(pk=ballot_id).first()


def ballot_before(rater: User, ballot_id: uuid.UUID | None) -> Ballot | None:
    """The rater's ballot before one of hers; without one, or if that is gone, her newest."""
    found = own_ballots(rater)
    after = Ballot.objects.filter(rater=rater, pk=ballot_id).first() if ballot_id else None
    if after is not None:
        found = found.filter(
            Q(created_at__lt=after.created_at) | Q(created_at=after.created_at, pk__lt=after.pk)
        )
    return found.first()


def settled_clips(ballots: Sequence[Ballot]) -> set[uuid.UUID]:
    """Clips of these ballots that staff have settled, so that votes can no longer change."""
    clips = [ballot.clip_id for ballot in ballots]
    return set(Adjudication.objects.filter(clip__in=clips).values_list("clip_id", flat=True))
