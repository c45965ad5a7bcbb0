"""Answers: sent once or often, changed, taken back, refused."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from analysis.labels import ballots
from analysis.labels.ballots import Answers, Refusal
from analysis.labels.models import Ballot, TimbreTag, VoiceClip
from tests.analysis.labels.test_queue import drawn, rows, wish
from tests.factories import UserFactory


@pytest.fixture
def clip(db) -> VoiceClip:
    wish()
    return rows([0.5], predicted={"warm": 0.8, "rough": 0.1})[0]


def submit(rater, clip, votes=None, *, ballot_id=None, skipped=False, seconds=4.25) -> Ballot:
    votes = {"warm": "yes", "rough": "no"} if votes is None and not skipped else votes or {}
    return ballots.submit(
        rater,
        ballot_id=ballot_id or uuid.uuid4(),
        clip_id=clip.pk,
        answers=Answers(votes, skipped=skipped, seconds=seconds),
    )


def votes_of(ballot: Ballot) -> dict[str, str]:
    return dict(ballot.votes.values_list("tag__slug", "answer"))


def test_a_ballot_keeps_votes_seconds_and_why_the_clip_was_chosen_and_gives_it_back(clip):
    rater = UserFactory()
    drawn(rater)
    ballot = submit(rater, clip, {"warm": "yes", "rough": "no", "clean": "unsure"})
    assert votes_of(ballot) == {"warm": "yes", "rough": "no", "clean": "unsure"}
    assert ballot.strategy in ("uncertain", "balance")
    assert (ballot.seconds, ballot.skipped) == (4.25, False)
    clip.refresh_from_db()
    assert (clip.votes, clip.is_disputed, clip.locked_by, clip.locked_until) == (
        1,
        False,
        None,
        None,
    )


def test_the_same_request_counts_once(clip):
    rater = UserFactory()
    ballot_id = uuid.uuid4()
    first = submit(rater, clip, ballot_id=ballot_id)
    again = submit(rater, clip, {"warm": "no"}, ballot_id=ballot_id)
    assert again == first
    assert votes_of(first) == {"warm": "yes", "rough": "no"}
    assert Ballot.objects.count() == 1
    # Sent late, after it was taken back, it does not come to life again.
    ballots.take_back(rater, ballot_id)
    assert submit(rater, clip, ballot_id=ballot_id).skipped
    assert votes_of(first) == {}


def test_another_window_and_another_person_are_refused_in_words(clip):
    rater, other = UserFactory.create_batch(2)
    first = submit(rater, clip)
    with pytest.raises(Refusal, match="another window") as refused:
        submit(rater, clip)
    assert refused.value.code == "answered"
    with pytest.raises(Refusal) as refused:
        submit(other, clip, ballot_id=first.pk)
    assert refused.value.code == "id_in_use"
    for act in (
        ballots.take_back,
        lambda who, pk: ballots.change(who, pk, Answers({"warm": "no"})),
    ):
        with pytest.raises(Refusal) as refused:
            act(other, first.pk)
        assert (refused.value.code, refused.value.status) == ("gone", 404)
    assert votes_of(first) == {"warm": "yes", "rough": "no"}


def test_a_clip_in_somebody_elses_hands_is_refused_and_an_old_lock_is_not(clip):
    anna, bo = UserFactory.create_batch(2)
    drawn(anna)
    with pytest.raises(Refusal, match="somebody else is labelling it now") as refused:
        submit(bo, clip)
    assert refused.value.code == "locked"
    VoiceClip.objects.update(locked_until=timezone.now() - timedelta(seconds=1))
    submit(anna, clip)  # late, but nobody has taken it
    submit(bo, clip)  # one vote more than needed does no harm
    clip.refresh_from_db()
    assert clip.votes == 2


@pytest.mark.parametrize(
    ("votes", "code"),
    [
        ({}, "empty"),
        ({"nasal": "yes"}, "unknown_tag"),
        ({"wa\0rm": "yes"}, "unknown_tag"),
        ({"old": "yes", "warm": "yes"}, "retired_tag"),
        ({"warm": "maybe"}, "unknown_answer"),
    ],
)
def test_what_cannot_be_counted_is_refused_and_leaves_nothing(clip, votes, code):
    TimbreTag.objects.create(slug="old", name="Old", retired_at=timezone.now())
    with pytest.raises(Refusal) as refused:
        submit(UserFactory(), clip, votes)
    assert (refused.value.code, refused.value.status) == (code, 422)
    assert not Ballot.objects.exists()


def test_clips_that_left_the_pool_or_are_gone(clip):
    rater = UserFactory()
    VoiceClip.objects.update(state="unusable")
    with pytest.raises(Refusal, match="out of the pool"):
        submit(rater, clip)
    VoiceClip.objects.all().delete()
    with pytest.raises(Refusal, match="took back consent") as refused:
        submit(rater, clip)
    assert refused.value.status == 404


def test_a_change_of_mind_replaces_votes_for_tags_in_use(clip):
    rater = UserFactory()
    ballot = submit(rater, clip)
    TimbreTag.objects.filter(slug="rough").update(retired_at=timezone.now())
    ballots.change(rater, ballot.pk, Answers({"warm": "unsure", "clean": "yes"}, seconds=2.0))
    assert votes_of(ballot) == {"warm": "unsure", "clean": "yes", "rough": "no"}
    ballot.refresh_from_db()
    assert (ballot.seconds, ballot.changed_knowing) == (2.0, False)
    assert Ballot.objects.count() == 1


def test_taking_back_and_answering_anew(clip):
    rater = UserFactory()
    drawn(rater)
    ballot = submit(rater, clip)
    ballots.take_back(rater, ballot.pk)
    ballots.take_back(rater, ballot.pk)
    clip.refresh_from_db()
    assert (clip.votes, clip.locked_by) == (0, rater)
    anew = submit(rater, clip, {"warm": "no"})
    assert Ballot.objects.get() == anew
    assert anew.strategy == ballot.strategy
    clip.refresh_from_db()
    assert (clip.votes, clip.locked_by) == (1, None)


def test_what_staff_have_settled_and_what_is_long_ago_stays(clip, monkeypatch):
    rater = UserFactory()
    ballot = submit(rater, clip)
    monkeypatch.setattr(ballots, "REOPENABLE", 2)
    for other in rows([0.6, 0.7]):
        submit(rater, other)
    with pytest.raises(Refusal, match="last 2 answers") as refused:
        ballots.take_back(rater, ballot.pk)
    assert refused.value.code == "too_old"
    monkeypatch.setattr(ballots, "REOPENABLE", 100)
    clip.adjudications.create(tag=TimbreTag.objects.get(slug="warm"), answer="no")
    with pytest.raises(Refusal, match="settled"):
        ballots.change(rater, ballot.pk, Answers({"warm": "no"}))
    assert votes_of(ballot) == {"warm": "yes", "rough": "no"}


def test_the_guess_comes_after_the_vote_and_a_later_change_is_marked(clip):
    rater = UserFactory()
    ballot = submit(rater, clip)
    assert ballots.show_guess(ballot) == {"warm": 0.8, "rough": 0.1}
    ballots.change(rater, ballot.pk, Answers({"warm": "yes", "rough": "no"}))
    ballot.refresh_from_db()
    assert (ballot.guess_shown, ballot.changed_knowing) == (True, False)
    ballots.change(rater, ballot.pk, Answers({"warm": "yes", "rough": "yes"}))
    ballot.refresh_from_db()
    assert ballot.changed_knowing
    # Nor is it forgotten by way of undo.
    ballots.take_back(rater, ballot.pk)
    assert submit(rater, clip).changed_knowing


@pytest.mark.parametrize("fields", [{"is_held_out": True}, {"gold": {"warm": "yes"}}])
def test_the_guess_stays_hidden_for_what_compares_models_and_raters(db, fields):
    (clip,) = rows([0.5], predicted={"warm": 0.8}, **fields)
    assert ballots.show_guess(submit(UserFactory(), clip)) is None


def test_a_skip_tells_no_guess_and_odd_seconds_are_left_out(clip):
    rater = UserFactory()
    skipped = submit(rater, clip, skipped=True)
    assert ballots.show_guess(skipped) is None
    clip.refresh_from_db()
    assert clip.votes == 0
    assert submit(rater, clip, seconds=90_000.0).seconds is None


def test_counts_follow_what_other_parts_write(clip):
    warm = TimbreTag.objects.get(slug="warm")
    for answer in ("yes", "no"):
        ballot = Ballot.objects.create(clip=clip, imported_from="sheet.csv")
        ballot.votes.create(tag=warm, answer=answer)
    ballots.recount([clip.pk])
    clip.refresh_from_db()
    assert (clip.votes, clip.is_disputed) == (2, True)
