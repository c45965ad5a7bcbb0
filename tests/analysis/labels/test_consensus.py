"""Soft labels: disagreement kept, decisions above votes, few queries."""

from __future__ import annotations

from uuid import uuid4

import pytest

from analysis.labels.consensus import SoftLabel, consensus
from analysis.labels.disputes import disputed, settle, with_questions
from analysis.labels.models import (
    Adjudication,
    AdjudicationChange,
    Answer,
    Ballot,
    TimbreTag,
    VoiceClip,
    Vote,
)
from tests.analysis.labels.rows import ballot, clip, labeller, staff

pytestmark = pytest.mark.django_db


def test_the_share_of_yes_is_kept_and_cannot_tell_does_not_count():
    one, other = clip("one.flac"), clip("other.flac")
    raters = [labeller(name) for name in "abc"]
    for rater, answer in zip(raters, ("yes", "yes", "no"), strict=True):
        ballot(one, rater, breathy=answer, rough="unsure")
    ballot(other, raters[0], breathy="unsure")
    labels = consensus([one.pk, other.pk, uuid4()])
    assert labels == {one.pk: {"breathy": SoftLabel(pytest.approx(2 / 3), 3)}}


def test_what_staff_settled_stands_above_the_votes_and_the_votes_stay():
    chief, voice = staff(), clip("voice.flac")
    tags = {tag.slug: tag for tag in TimbreTag.objects.all()}
    for name in "ab":
        ballot(voice, labeller(name), breathy="no", rough="yes", warm="yes")
    settle(voice.pk, tags["breathy"], Answer.YES, by=chief, note="Air on every vowel.")
    settle(voice.pk, tags["rough"], Answer.UNSURE, by=chief)
    settle(voice.pk, tags["clean"], Answer.NO, by=chief)
    assert consensus([voice.pk])[voice.pk] == {
        "breathy": SoftLabel(1.0, 2, adjudicated=True),
        "warm": SoftLabel(1.0, 2),
        "clean": SoftLabel(0.0, 0, adjudicated=True),
    }
    assert Vote.objects.filter(answer="no").count() == 2
    settle(voice.pk, tags["breathy"], "", by=chief, note="Heard again.")
    assert consensus(None)[voice.pk]["breathy"] == SoftLabel(0.0, 2)
    history = AdjudicationChange.objects.filter(tag=tags["breathy"]).values_list("answer", "note")
    assert list(history) == [("", "Heard again."), ("yes", "Air on every vowel.")]
    assert Adjudication.objects.count() == 2


def test_retired_tags_are_left_out_unless_asked_for():
    voice = clip("voice.flac")
    ballot(voice, labeller("a"), warm="yes", bright="no")
    TimbreTag.objects.filter(slug="bright").update(retired_at="2026-01-01T00:00:00Z")
    assert set(consensus(None)[voice.pk]) == {"warm"}
    assert set(consensus([voice.pk], ["bright"])[voice.pk]) == {"bright"}


def test_many_clips_cost_four_queries(django_assert_max_num_queries):
    voices = VoiceClip.objects.bulk_create(
        VoiceClip(
            name=f"{number}.flac",
            singer="anna",
            start_s=0.0,
            end_s=3.0,
            content_sha256=str(number),
            lot=0.5,
        )
        for number in range(2_000)
    )
    ballots = Ballot.objects.bulk_create(Ballot(clip=voice) for voice in voices)
    warm = TimbreTag.objects.get(slug="warm")
    Vote.objects.bulk_create(Vote(ballot=made, tag=warm, answer="yes") for made in ballots)
    with django_assert_max_num_queries(3):
        assert len(consensus([voice.pk for voice in voices])) == 2_000
    with django_assert_max_num_queries(3):
        assert len(consensus(VoiceClip.objects.filter(singer="anna"))) == 2_000


def test_the_most_evenly_split_come_first_and_leave_when_they_are_settled():
    raters = [labeller(name) for name in "abcd"]
    clear, split, torn = clip("clear.flac"), clip("split.flac"), clip("torn.flac")
    for voice, answers in ((clear, "yyyy"), (split, "yyny"), (torn, "ynyn")):
        for rater, answer in zip(raters, answers, strict=True):
            ballot(voice, rater, rough="yes" if answer == "y" else "no")
    rough = TimbreTag.objects.get(slug="rough")
    assert list(disputed()) == [(torn.pk, rough.pk), (split.pk, rough.pk)]
    settle(torn.pk, rough, Answer.NO, by=staff())
    assert list(disputed()) == [(split.pk, rough.pk)]
    assert list(disputed(settled=True)) == [(torn.pk, rough.pk)]
    (question,) = with_questions(disputed(settled=True))[0].questions
    assert (question.yes, question.no, question.settled.answer) == (2, 2, "no")
