"""Clips whose votes differ, the worst first, and what staff settle about them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Least

from analysis.labels.ballots import recount
from analysis.labels.models import (
    Adjudication,
    AdjudicationChange,
    Answer,
    TimbreTag,
    VoiceClip,
    Vote,
)
from catalog.models import User
from catalog.names import clean_text


@dataclass(slots=True)
class Question:
    """One tag of one clip: who said what, and what staff have settled."""

    tag: TimbreTag
    votes: list[Vote] = field(default_factory=list)
    settled: Adjudication | None = None
    history: list[AdjudicationChange] = field(default_factory=list)

    @property
    def yes(self) -> int:
        """Votes for it."""
        return sum(vote.answer == Answer.YES for vote in self.votes)

    @property
    def no(self) -> int:
        """Votes against it."""
        return sum(vote.answer == Answer.NO for vote in self.votes)


@dataclass(slots=True)
class Dispute:
    """A clip and the tags about which its raters differ."""

    clip: VoiceClip
    questions: list[Question]


def disputed(*, tag: TimbreTag | None = None, settled: bool = False) -> QuerySet[Vote, Any]:
    """Pairs of clip id and tag id with a yes and a no, of tags in use: the most evenly split
    first, and of those the ones with the most votes. ``settled``: those where staff
    have decided all such tags; else those where a decision is missing."""
    decided = Adjudication.objects.filter(clip=OuterRef("ballot__clip"), tag=OuterRef("tag"))
    votes = Vote.objects.filter(tag__retired_at__isnull=True, answer__in=(Answer.YES, Answer.NO))
    if tag is not None:
        votes = votes.filter(tag=tag)
    votes = votes.filter(Exists(decided) if settled else ~Exists(decided))
    return (
        votes.order_by()
        .values("ballot__clip_id", "tag_id")
        .annotate(
            yes=Count("pk", filter=Q(answer=Answer.YES)), no=Count("pk", filter=Q(answer=Answer.NO))
        )
        .filter(yes__gt=0, no__gt=0)
        .annotate(split=Least(F("yes"), F("no")) * 1.0 / (F("yes") + F("no")))
        .order_by("-split", "-yes", "ballot__clip_id", "tag_id")
        .values_list("ballot__clip_id", "tag_id")
    )


def with_questions(pairs: Iterable[tuple[uuid.UUID, int]]) -> list[Dispute]:
    """The clips and tags of pairs, with all votes and decisions; a clip stands where its first tag
    does."""
    wanted: dict[uuid.UUID, list[int]] = defaultdict(list)
    for clip, tag in pairs:
        wanted[clip].append(tag)
    clips = VoiceClip.objects.in_bulk(list(wanted))
    tags = TimbreTag.objects.in_bulk({tag for of_clip in wanted.values() for tag in of_clip})
    questions = {
        (clip, tag): Question(tags[tag]) for clip, of_clip in wanted.items() for tag in of_clip
    }
    votes = Vote.objects.filter(ballot__clip__in=clips, tag__in=tags)
    for vote in votes.select_related("ballot__rater").order_by("ballot__created_at"):
        if question := questions.get((vote.ballot.clip_id, vote.tag_id)):
            question.votes.append(vote)
    decisions = Adjudication.objects.filter(clip__in=clips, tag__in=tags)
    for decision in decisions.select_related("decided_by"):
        if question := questions.get((decision.clip_id, decision.tag_id)):
            question.settled = decision
    for change in AdjudicationChange.objects.filter(clip__in=clips, tag__in=tags):
        if question := questions.get((change.clip_id, change.tag_id)):
            question.history.append(change)
    return [
        Dispute(clips[clip], [questions[clip, tag] for tag in of_clip])
        for clip, of_clip in wanted.items()
        if clip in clips
    ]


@transaction.atomic
def settle(
    clip_id: uuid.UUID,
    tag: TimbreTag,
    answer: str,
    *,
    by: User,
    note: str = "",
    decided_by_id: int | None = None,
    decided_at: datetime | None = None,
) -> None:
    """Decide what a clip is, above its votes; an empty answer leaves it to the votes again.

    Every decision leaves an :class:`AdjudicationChange`. ``decided_by_id`` and ``decided_at`` are
    for decisions that come from a table; else it is ``by``, now. Raises ValueError for no answer.
    """
    if answer and answer not in Answer.values:
        raise ValueError(f"no answer: {answer}")
    note = clean_text(note, 300)
    if answer:
        decision, _ = Adjudication.objects.update_or_create(
            clip_id=clip_id,
            tag=tag,
            defaults={"answer": answer, "note": note, "decided_by_id": decided_by_id or by.pk},
        )
        if decided_at is not None:
            Adjudication.objects.filter(pk=decision.pk).update(decided_at=decided_at)
    else:
        Adjudication.objects.filter(clip_id=clip_id, tag=tag).delete()
    AdjudicationChange.objects.create(
        clip_id=clip_id, tag=tag, answer=answer, note=note, by=by, by_email=by.email
    )
    recount([clip_id])
