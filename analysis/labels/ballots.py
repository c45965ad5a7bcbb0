"""What a rater answers: submitting, changing, taking back, and the counts that follow.

A ballot's id is made by the page that sends it. The same request may therefore come any number of
times, and counts once.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from analysis.labels import clip_locks, label_settings
from analysis.labels.consensus import live_slugs
from analysis.labels.models import (
    Adjudication,
    Answer,
    Ballot,
    ClipState,
    TimbreTag,
    VoiceClip,
    Vote,
)
from analysis.labels.queue import AGAIN
from catalog.models import User

# The newest so many ballots of a rater can be changed and taken back.
REOPENABLE = 100
# A longer pause is no labelling, and would spoil the pace.
LONGEST_SECONDS = 600.0


class Refusal(Exception):
    """An answer that does not count; the message is for the rater. ``retry_after_s``: when the same
    would be taken, for those that come too often."""

    def __init__(
        self, code: str, message: str, *, status: int = 409, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Answers:
    """What was sent about a clip. ``votes``: answer by slug; empty only for a skip. ``seconds``:
    from first hearing the clip to answering."""

    votes: Mapping[str, str]
    skipped: bool = False
    seconds: float | None = None


def submit(rater: User, *, ballot_id: uuid.UUID, clip_id: uuid.UUID, answers: Answers) -> Ballot:
    """Store a rater's answer about a clip, and give the clip back. Sent again, the same ballot is
    returned and nothing changes.

    Raises Refusal: the clip is gone, out of the pool, in somebody else's hands or answered in
    another window; a tag is unknown or retired; there is no vote and it is no skip.
    """
    with transaction.atomic():
        clip = _locked_clip(clip_id)
        sent_before = Ballot.objects.filter(pk=ballot_id).first()
        if sent_before is not None:
            if sent_before.rater_id != rater.pk or sent_before.clip_id != clip_id:
                raise Refusal("id_in_use", "This answer's number belongs to another answer.")
            return sent_before
        if clip.state != ClipState.POOL:
            raise Refusal("out_of_pool", "This clip was taken out of the pool meanwhile.")
        if clip_locks.is_locked_by_another(clip, rater):
            raise Refusal(
                "locked",
                "Your time with this clip ran out, and somebody else is labelling it now. "
                "Your answer was not counted.",
            )
        before = Ballot.objects.filter(clip=clip, rater=rater).first()
        if before is not None and not before.skipped:
            raise Refusal(
                "answered",
                "You have answered this clip in another window. That answer stands; go back to it "
                "to change it.",
            )
        votes = _tags_of(answers)
        ballot = Ballot(
            pk=ballot_id,
            clip=clip,
            rater=rater,
            strategy=clip.locked_for if clip.locked_by_id == rater.pk else "",
        )
        if before is not None:
            ballot.guess_shown = before.guess_shown
            ballot.changed_knowing = before.guess_shown
            if not (answers.skipped and ballot.strategy == AGAIN):
                ballot.strategy = before.strategy
            before.delete()
        _fill(ballot, answers, votes)
        _free(clip, rater)
        recount([clip.pk])
    return ballot


def change(rater: User, ballot_id: uuid.UUID, answers: Answers) -> Ballot:
    """Replace the votes of an own ballot (those for retired tags stay). Raises Refusal."""
    with transaction.atomic():
        ballot = _own_ballot(rater, ballot_id)
        votes = _tags_of(answers)
        live = Vote.objects.filter(ballot=ballot, tag__retired_at__isnull=True)
        kept = {tag.slug: answer for tag, answer in votes}
        differs = dict(live.values_list("tag__slug", "answer")) != kept
        live.delete()
        ballot.changed_knowing |= ballot.guess_shown and differs
        _fill(ballot, answers, votes)
        _free(ballot.clip, rater)
        recount([ballot.clip_id])
    return ballot


def take_back(rater: User, ballot_id: uuid.UUID) -> Ballot:
    """Undo an own ballot: its votes go, and what stays is as if the clip had been skipped, so it
    comes back at the end unless she answers it now: it is locked for her, if it is free. Raises
    Refusal."""
    with transaction.atomic():
        ballot = _own_ballot(rater, ballot_id)
        ballot.votes.all().delete()
        ballot.skipped = True
        ballot.seconds = None
        ballot.save()
        if not clip_locks.is_locked_by_another(ballot.clip, rater):
            minutes = label_settings.current().lock_minutes
            clip_locks.lock(ballot.clip, rater, ballot.strategy, minutes, timezone.now())
        recount([ballot.clip_id])
    return ballot


def show_guess(ballot: Ballot) -> dict[str, float] | None:
    """What the model says about an answered clip (probability by tag), and note that it was shown.
    Never for what models are compared on, nor for what checks raters, nor for a skip."""
    clip = ballot.clip
    if ballot.skipped or clip.is_held_out or clip.gold or not clip.predicted:
        return None
    guess = {slug: float(clip.predicted[slug]) for slug in live_slugs() if slug in clip.predicted}
    if guess and not ballot.guess_shown:
        ballot.guess_shown = True
        ballot.save(update_fields=["guess_shown"])
    return guess or None


def recount(clip_ids: Iterable[uuid.UUID]) -> None:
    """Bring ``votes`` and ``is_disputed`` of clips up to date. For whoever writes ballots, votes or
    adjudications; a few thousand clips at a time."""
    ballots = Ballot.objects.filter(clip=OuterRef("pk"), skipped=False).order_by()
    counted = ballots.values("clip").annotate(count=Count("pk")).values("count")
    ids = list(clip_ids)
    # Said of each part, so that no plan goes through all votes there are.
    of_these = Vote.objects.filter(ballot__clip__in=ids)
    of_clip = of_these.filter(ballot__clip=OuterRef("pk"), answer=Answer.YES)
    against = of_these.filter(
        ballot__clip=OuterRef("ballot__clip"), tag=OuterRef("tag"), answer=Answer.NO
    )
    settled = Adjudication.objects.filter(clip=OuterRef("ballot__clip"), tag=OuterRef("tag"))
    VoiceClip.objects.filter(pk__in=ids).update(
        votes=Coalesce(Subquery(counted), 0),
        is_disputed=Exists(of_clip.filter(Exists(against), ~Exists(settled))),
    )


def _locked_clip(clip_id: uuid.UUID) -> VoiceClip:
    clips = VoiceClip.objects.select_for_update(of=("self",)).defer("fingerprint", "facts")
    clip = clips.filter(pk=clip_id).first()
    if clip is None:
        raise Refusal("gone", "This clip is gone: its artist took back consent.", status=404)
    return clip


def _own_ballot(rater: User, ballot_id: uuid.UUID) -> Ballot:
    """With its clip's row locked, as submitting locks it."""
    ballot = Ballot.objects.filter(pk=ballot_id, rater=rater).first()
    if ballot is None:
        raise Refusal("gone", "This answer is gone, and so is its clip perhaps.", status=404)
    ballot.clip = _locked_clip(ballot.clip_id)
    ballot.refresh_from_db(fields=["skipped", "guess_shown", "changed_knowing", "strategy"])
    newer = Ballot.objects.filter(rater=rater, created_at__gt=ballot.created_at)
    if newer[:REOPENABLE].count() >= REOPENABLE:
        raise Refusal("too_old", f"Only your last {REOPENABLE} answers can be changed.")
    if Adjudication.objects.filter(clip=ballot.clip_id).exists():
        raise Refusal("settled", "Staff have settled this clip, so its votes stay as they are.")
    return ballot


def _tags_of(answers: Answers) -> list[tuple[TimbreTag, str]]:
    if answers.skipped:
        return []
    if not answers.votes:
        raise Refusal("empty", "Answer at least one tag, or skip the clip.", status=422)
    tags = {tag.slug: tag for tag in TimbreTag.objects.all()}
    unknown = sorted(slug for slug in answers.votes if slug not in tags)
    if unknown:
        raise Refusal("unknown_tag", f"There is no tag “{unknown[0][:40]}”.", status=422)
    retired = [tags[slug].name for slug in answers.votes if tags[slug].retired_at]
    if retired:
        raise Refusal(
            "retired_tag",
            f"{', '.join(retired)} is no longer in use. Reload the page, and answer the others.",
            status=422,
        )
    wrong = [answer for answer in answers.votes.values() if answer not in Answer.values]
    if wrong:
        raise Refusal("unknown_answer", "An answer is yes, no or unsure.", status=422)
    return [(tags[slug], answer) for slug, answer in answers.votes.items()]


def _fill(ballot: Ballot, answers: Answers, votes: list[tuple[TimbreTag, str]]) -> None:
    ballot.skipped = answers.skipped
    seconds = answers.seconds
    if seconds is not None:
        ballot.seconds = round(seconds, 2) if 0.0 <= seconds <= LONGEST_SECONDS else None
    ballot.save(force_insert=ballot._state.adding)
    Vote.objects.bulk_create(Vote(ballot=ballot, tag=tag, answer=answer) for tag, answer in votes)


def _free(clip: VoiceClip, rater: User) -> None:
    if clip.locked_by_id == rater.pk:
        clip_locks.release(rater, [clip.pk])
