"""Which clip comes next: shares, lanes, locks; with threads on connections of their own."""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone

from analysis.labels import clip_locks, label_settings, queue
from analysis.labels.ballots import Answers, recount, submit
from analysis.labels.models import Answer, Ballot, LabelSettings, TimbreTag, VoiceClip, Vote
from tests.factories import UserFactory


def rows(lots: list[float], **fields: object) -> list[VoiceClip]:
    """Clips without files, one per lot."""
    made = []
    for lot in lots:
        pk = uuid.uuid4()
        made.append(
            VoiceClip(
                pk=pk,
                name=f"{pk}.flac",
                singer="anna",
                start_s=0.0,
                end_s=3.0,
                file=f"clips/{pk}.flac",
                content_sha256=pk.hex * 2,
                lot=lot,
                **fields,
            )
        )
    return VoiceClip.objects.bulk_create(made)


def wish(**changes: float) -> LabelSettings:
    wishes = label_settings.current()
    plain = {"gold_share": 0.0, "overlap_share": 0.0, "held_out_share": 0.0, "control_share": 0.0}
    for name, value in {**plain, **changes}.items():
        setattr(wishes, name, value)
    wishes.save()
    return wishes


def answer(rater, clip: VoiceClip, **votes: str) -> Ballot:
    answers = Answers(votes or {"warm": "yes"})
    return submit(rater, ballot_id=uuid.uuid4(), clip_id=clip.pk, answers=answers)


def skip(rater, clip: VoiceClip) -> Ballot:
    answers = Answers({}, skipped=True)
    return submit(rater, ballot_id=uuid.uuid4(), clip_id=clip.pk, answers=answers)


def drawn(rater, holding=()) -> VoiceClip:
    clip = queue.next_clip(rater, holding=holding, chance=random.Random(3))
    assert clip is not None
    return clip


def test_draws_follow_the_shares_that_staff_set(db):
    wishes = wish(
        gold_share=0.05, overlap_share=0.1, held_out_share=0.2, control_share=0.2, overlap_votes=3
    )
    chance = random.Random(11)
    n = 40_000
    counts = Counter(queue.lane_of_draw(wishes, chance) for _ in range(n))
    left = 0.95
    several = left * 0.2 / 1.2
    held_out = (left - several) * 0.2
    control = (left - several - held_out) * 0.2
    model = (left - several - held_out - control) / 2
    assert counts["gold"] / n == pytest.approx(0.05, abs=0.01)
    assert counts["disputed"] / n == pytest.approx(several, abs=0.01)
    assert counts["held_out"] / n == pytest.approx(held_out, abs=0.01)
    assert counts["control"] / n == pytest.approx(control, abs=0.01)
    assert counts["uncertain"] / n == pytest.approx(model, abs=0.01)
    assert counts["balance"] / n == pytest.approx(model, abs=0.01)


def test_the_most_uncertain_clip_comes_first_and_the_lot_alone_decides_elsewhere(db):
    rater = UserFactory()
    # The model is sure of all but one clip in each of three places.
    sure, torn = {"warm": 0.99, "rough": 0.02}, {"warm": 0.5, "rough": 0.45}
    free = rows([0.5, 0.6, 0.7], predicted=sure)
    free[1].predicted = torn
    free[1].save()
    control = rows([0.05, 0.1], predicted=sure)
    control[1].predicted = torn
    control[1].save()
    held_out = rows([0.3, 0.8], predicted=sure, is_held_out=True)
    held_out[1].predicted = torn
    held_out[1].save()
    wish(control_share=0.2)
    chance = random.Random(1)

    class Fixed(random.Random):
        lane = ""

        def choice(self, options):
            return self.lane

        def random(self):
            return 0.999

    by_model = Fixed(1)
    by_model.lane = queue.UNCERTAIN
    first = queue.next_clip(rater, chance=by_model)
    assert first.pk == free[1].pk
    assert first.locked_for == "uncertain"
    # Draws of chance go by the lot, though the model is torn about the other clip.
    wish(control_share=0.2, held_out_share=1.0)
    assert queue.next_clip(rater, holding=[first.pk], chance=chance).pk == held_out[0].pk
    wish(control_share=0.2)
    VoiceClip.objects.filter(pk__in=[clip.pk for clip in free]).update(votes=1)
    held = [first.pk, held_out[0].pk]
    third = queue.next_clip(rater, holding=held, chance=by_model)
    assert (third.pk, third.locked_for) == (control[0].pk, "control")


def test_a_rare_tag_is_looked_for_where_the_model_expects_it(db):
    rater = UserFactory()
    wish()
    clips = rows([0.2, 0.4, 0.6], predicted={"warm": 0.9, "rough": 0.05})
    clips[1].predicted = {"warm": 0.2, "rough": 0.8}
    clips[1].save()
    many = dict.fromkeys(("warm", "bright", "breathy", "clean"), 10_000)
    cache.set("labels-yes-counts", {**many, "rough": 0})

    class Balance(random.Random):
        def choice(self, options):
            return queue.BALANCE

    clip = queue.next_clip(rater, chance=Balance(5))
    assert (clip.pk, clip.locked_for) == (clips[1].pk, "balance")


def test_entropy_is_that_of_a_coin(db):
    assert queue.uncertainty({"warm": 0.5}, ["warm"]) == 1.0
    # A coin of 0.11 has 0.4999 bits.
    assert queue.uncertainty({"warm": 0.11, "old": 0.5}, ["warm"]) == pytest.approx(
        0.4999, abs=1e-3
    )
    assert queue.uncertainty({}, ["warm"]) == 0.0


def test_where_the_model_has_said_nothing_the_draw_counts_as_random(db):
    wish()
    rows([0.4, 0.9])
    assert drawn(UserFactory()).locked_for == "control"


def test_overlap_gets_its_votes_and_the_others_one(db):
    wish(overlap_share=0.1, overlap_votes=3)
    # 0.4505: the lot's later digits say 0.5, so one vote; 0.45005 says 0.05: several.
    once, several = rows([0.4505, 0.45005])
    raters = UserFactory.create_batch(4)
    got: Counter = Counter()
    for rater in raters:
        while (clip := queue.next_clip(rater, chance=random.Random(2))) is not None:
            got[clip.pk] += 1
            answer(rater, clip)
    assert got == {once.pk: 1, several.pk: 3}
    strategies = list(several.ballots.values_list("strategy", flat=True))
    assert strategies[1:] == ["overlap", "overlap"]


def test_raters_who_differ_call_for_more_votes_until_staff_settle_it(db):
    wish(overlap_share=0.0, overlap_votes=3)
    (clip,) = rows([0.5])
    anna, bo, cleo = UserFactory.create_batch(3)
    answer(anna, clip, warm="yes", rough="no")
    assert queue.next_clip(cleo) is None
    answer(bo, clip, warm="no", rough="unsure")
    again = drawn(cleo)
    assert (again.pk, again.locked_for) == (clip.pk, "disputed")
    clip_locks.release(cleo, [clip.pk])
    clip.adjudications.create(tag=TimbreTag.objects.get(slug="warm"), answer="yes")
    recount([clip.pk])
    assert queue.next_clip(cleo) is None


def test_gold_comes_once_to_each_rater_however_many_votes_it_has(db):
    wish(gold_share=1.0)
    (gold,) = rows([0.5], gold={"warm": "yes"})
    (other,) = rows([0.6])
    for rater in UserFactory.create_batch(3):
        first = drawn(rater)
        assert (first.pk, first.locked_for) == (gold.pk, "gold")
        answer(rater, first)
        assert drawn(rater).pk == other.pk
        clip_locks.release(rater, [other.pk])


def test_skipped_clips_come_back_once_at_the_end(db):
    wish()
    rater = UserFactory()
    first, second = rows([0.3, 0.6])
    skip(rater, first)
    assert drawn(rater).pk == second.pk
    answer(rater, second)
    back = drawn(rater)
    assert (back.pk, back.locked_for) == (first.pk, "again")
    skip(rater, first)
    assert queue.next_clip(rater) is None
    # For somebody else it is a clip like any other.
    assert drawn(UserFactory()).pk == first.pk


def test_locks_end_by_time_and_by_leaving_and_live_by_signs_of_life(db):
    wish(lock_minutes=10)
    (clip,) = rows([0.5])
    anna, bo = UserFactory.create_batch(2)
    drawn(anna)
    assert queue.next_clip(bo) is None
    assert clip_locks.hold(anna, [clip.pk]) == []
    # Another page of hers, or the same one loaded again, gets what she has in hand.
    assert drawn(anna).pk == clip.pk
    assert queue.next_clip(anna, holding=[clip.pk]) is None
    VoiceClip.objects.update(locked_until=timezone.now() - timedelta(seconds=1))
    assert drawn(bo).pk == clip.pk
    assert clip_locks.hold(anna, [clip.pk]) == [clip.pk]
    assert clip_locks.release(anna, [clip.pk]) == 0
    assert clip_locks.release(bo, [clip.pk]) == 1
    assert drawn(anna).pk == clip.pk


def test_a_page_that_is_left_holds_nothing_whichever_request_comes_first(db):
    clips = rows([0.2, 0.5, 0.8])
    anna = UserFactory()
    here, there = uuid.uuid4(), uuid.uuid4()

    def draw(page: uuid.UUID) -> VoiceClip | None:
        return queue.next_clip(
            anna, holding=[clip.pk for clip in clips if is_hers(clip)], page=page
        )

    def is_hers(clip: VoiceClip) -> bool:
        return VoiceClip.objects.filter(pk=clip.pk, locked_by=anna).exists()

    known, on_its_way, of_another_page = draw(here), draw(here), draw(there)
    assert None not in (known, on_its_way, of_another_page)
    assert clip_locks.leave(anna, here, [known.pk]) == 2
    assert [is_hers(clip) for clip in (known, on_its_way, of_another_page)] == [False, False, True]
    # Asked for before the page was left, and seen by the server after it.
    assert draw(here) is None
    assert draw(there) is not None


@pytest.mark.django_db(transaction=True)
def test_leaving_waits_for_a_clip_that_is_being_drawn():
    (clip,) = rows([0.5])
    anna, page = UserFactory(), uuid.uuid4()
    is_drawn, may_end = threading.Event(), threading.Event()

    def draw() -> None:
        with transaction.atomic():
            assert queue.next_clip(anna, page=page) is not None
            is_drawn.set()
            may_end.wait(20)
        connection.close()

    drawing = threading.Thread(target=draw)
    drawing.start()
    assert is_drawn.wait(20)
    threading.Timer(0.3, may_end.set).start()
    assert clip_locks.leave(anna, page, []) == 1
    drawing.join(20)
    clip.refresh_from_db()
    assert (clip.locked_by, clip.locked_until, clip.locked_page) == (None, None, None)


def test_duplicates_and_unusable_clips_are_never_drawn(db):
    rows([0.1], state="duplicate")
    rows([0.2], state="unusable", is_held_out=True)
    assert queue.next_clip(UserFactory()) is None


@pytest.mark.django_db(transaction=True)
def test_raters_at_once_never_get_the_same_clip():
    """Four raters on four connections empty a pool, again and again."""
    wish(control_share=0.3, held_out_share=0.3, overlap_share=0.2, overlap_votes=2)
    lots = [number / 30 + 0.00041 * number for number in range(20)]
    rows(lots[:14], predicted={"warm": 0.5})
    rows(lots[14:], is_held_out=True)
    raters = UserFactory.create_batch(4)
    # A test of this kind may find an empty database.
    tag, _ = TimbreTag.objects.get_or_create(slug="warm", defaults={"name": "Warm"})
    rounds, clashes, errors = 2, [], []
    for _ in range(rounds):
        held: dict[uuid.UUID, int] = {}
        guard = threading.Lock()
        start = threading.Barrier(len(raters))

        def label(rater, held=held, guard=guard, start=start) -> None:
            try:
                start.wait(20)
                while (clip := queue.next_clip(rater)) is not None:
                    with guard:
                        if clip.pk in held:
                            clashes.append((clip.pk, held[clip.pk], rater.pk))
                        held[clip.pk] = rater.pk
                    with guard:
                        del held[clip.pk]
                    answer(rater, clip)
            except Exception as error:  # noqa: BLE001 - told by the test, in its own thread
                errors.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=label, args=(rater,)) for rater in raters]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert errors == []
        assert clashes == []
        # Whoever ended while another still held the last clips finds them now.
        for rater in raters:
            while (clip := queue.next_clip(rater)) is not None:
                answer(rater, clip)
        # Everything was answered as often as wanted, never more, and never twice by one person.
        overlap = VoiceClip.objects.filter(overlap_lot__lt=0.2)
        assert set(overlap.values_list("votes", flat=True)) <= {2}
        assert set(VoiceClip.objects.exclude(pk__in=overlap).values_list("votes", flat=True)) == {1}
        assert Ballot.objects.count() == VoiceClip.objects.count() + overlap.count()
        Ballot.objects.all().delete()
        recount(VoiceClip.objects.values_list("pk", flat=True))
    assert not Vote.objects.filter(tag=tag, answer=Answer.YES).exists()


@pytest.mark.django_db(transaction=True)
def test_one_clip_and_two_raters_at_the_same_moment():
    wish()
    rows([0.5])
    raters = UserFactory.create_batch(2)
    for _ in range(12):
        start = threading.Barrier(2)
        got: list[VoiceClip | None] = []

        def ask(rater, start=start, got=got) -> None:
            start.wait(20)
            got.append(queue.next_clip(rater))
            connection.close()

        threads = [threading.Thread(target=ask, args=(rater,)) for rater in raters]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(clip is None for clip in got) == [False, True]
        VoiceClip.objects.update(locked_by=None, locked_until=None)
