"""Verdicts on pairs of tracks: given, taken back, and handed out for training."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import IO
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from analysis.discovery.gallery_models import PairFeedback, Verdict
from analysis.discovery.request import Asker
from analysis.discovery.seeds import startable
from analysis.discovery.spaces import serving_space
from analysis.versions import listen_version
from catalog.models import Revision, User
from catalog.selectors import current_revision

COLUMNS = (
    "content_a_sha256",
    "content_b_sha256",
    "verdict",
    "rater",
    "model_version",
    "changed_at",
)


class PairRefused(Exception):
    """There is nothing to say about this pair; the message is for people."""


class PairNotFound(LookupError):
    """A track that is not there, or hidden from the asker."""


@dataclass(frozen=True)
class Exported:
    """How many verdicts were written, and how many were left out for want of consent."""

    written: int
    withheld: int


def judge(user: User, a: UUID, b: UUID, verdict: Verdict) -> Verdict | None:
    """Keep what ``user`` thinks of a pair; the same verdict again takes it back. Returns what now
    stands. Raises PairRefused for a track and itself, and PairNotFound."""
    if a == b:
        raise PairRefused("A track is always like itself.")
    first, second = (_heard_revision(user, track_id) for track_id in sorted((a, b)))
    space = serving_space()
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        row = PairFeedback.objects.filter(
            user=user, track_a=first.track_id, track_b=second.track_id
        ).first()
        if row is not None and row.verdict == verdict:
            row.delete()
            return None
        row = row or PairFeedback(user=user, track_a_id=first.track_id, track_b_id=second.track_id)
        row.verdict = verdict
        row.content_a_sha256 = first.content_sha256
        row.content_b_sha256 = second.content_sha256
        row.model_version = space.model_version if space is not None else listen_version()
        row.full_clean()
        row.save()
    return verdict


def _heard_revision(user: User, track_id: UUID) -> Revision:
    track = startable(Asker.of_user(user)).filter(pk=track_id).first()
    revision = None if track is None else current_revision(track)
    if revision is None:
        raise PairNotFound(str(track_id))
    return revision


def for_training() -> QuerySet[PairFeedback]:
    """Verdicts on pairs of which both artists allow training with both tracks."""
    return PairFeedback.objects.filter(
        track_a__artist__may_train=True,
        track_a__may_train=True,
        track_a__is_reference=False,
        track_b__artist__may_train=True,
        track_b__may_train=True,
        track_b__is_reference=False,
    )


def export(out: IO[str]) -> Exported:
    """Write verdicts as CSV with :data:`COLUMNS`, for training: only pairs of which both artists
    allow training with both tracks. Raters are numbered, not named."""
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    numbers: dict[int, int] = {}
    written = 0
    for row in for_training().order_by("created_at", "pk").iterator():
        writer.writerow(
            (
                row.content_a_sha256,
                row.content_b_sha256,
                1 if row.verdict == Verdict.SIMILAR else 0,
                numbers.setdefault(row.user_id, len(numbers) + 1),
                row.model_version,
                row.changed_at.isoformat(timespec="seconds"),
            )
        )
        written += 1
    return Exported(written, PairFeedback.objects.count() - written)
