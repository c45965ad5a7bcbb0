"""The life of a job: fair turns, tickets, heartbeats, giving up."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from analysis import jobs, tasks
from analysis.background import WorkState
from analysis.discovery.models import Snippet
from analysis.models import Job, JobState, Stage
from catalog.models import Revision
from tests.factories import ArtistFactory, JobFactory, RevisionFactory, TrackFactory

pytestmark = pytest.mark.django_db


def jobs_of(artist, count: int) -> list[Job]:
    return [JobFactory(revision__track=TrackFactory(artist=artist)) for _ in range(count)]


def claimed(job: Job) -> Job:
    """Hand ``job`` out and claim it, as a worker does."""
    ticket = uuid.uuid4()
    Job.objects.filter(pk=job.pk).update(ticket=ticket, dispatched_at=timezone.now())
    found = jobs.claim(job.pk, ticket)
    assert found is not None
    return found


def _nodes(plan: dict) -> Iterator[tuple[str, float]]:
    """Every node of a plan, with the rows that it read or made in all its rounds."""
    rows = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    yield plan["Node Type"], rows * plan["Actual Loops"]
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def silent_for(job: Job, seconds: float) -> None:
    then = timezone.now() - timedelta(seconds=seconds)
    Job.objects.filter(pk=job.pk).update(heartbeat_at=then)


class TestFairTurns:
    def test_a_thousand_tracks_do_not_starve_anothers_first(self, settings):
        settings.LISTEN_WORKERS = 1
        busy, newcomer = ArtistFactory(), ArtistFactory()
        jobs_of(busy, 40)
        (first,) = jobs_of(newcomer, 1)
        jobs.dispatch(Stage.LISTEN)
        first.refresh_from_db()
        assert first.ticket is not None, "the newcomer's only job is among the first two"

    def test_a_long_queue_is_not_gone_through(self, settings):
        settings.LISTEN_WORKERS = 2
        artists = [ArtistFactory() for _ in range(3)]
        for artist in artists:
            (job,) = jobs_of(artist, 1)
            for state in (JobState.QUEUED, JobState.DONE):
                Job.objects.bulk_create(
                    Job(
                        revision=job.revision,
                        artist=artist,
                        stage=Stage.LISTEN,
                        model_version=f"{state} {number}",
                        state=state,
                    )
                    for number in range(700)
                )
        order = {"stage": Stage.LISTEN, "room": 4}
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE analysis_job")
            cursor.execute(jobs._FAIR_ORDER, order)
            assert len(cursor.fetchall()) == 4
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {jobs._FAIR_ORDER}", order)
            plan = cursor.fetchone()[0][0]["Plan"]
        read = sum(rows for node, rows in _nodes(plan) if "Scan" in node)
        assert read < 60, plan

    def test_turns_count_what_an_artist_already_has_in_hand(self, settings):
        settings.LISTEN_WORKERS = 2
        busy, other = ArtistFactory(), ArtistFactory()
        running = [claimed(job) for job in jobs_of(busy, 2)]
        jobs_of(busy, 10)
        theirs = jobs_of(other, 2)
        assert jobs.dispatch(Stage.LISTEN) == jobs.in_flight_limit(Stage.LISTEN) - len(running)
        handed_out = set(Job.objects.filter(ticket__isnull=False, state="queued"))
        assert handed_out == set(theirs)

    def test_only_a_few_are_handed_out_at_once(self, settings):
        settings.LISTEN_WORKERS = 3
        jobs_of(ArtistFactory(), 20)
        assert jobs.dispatch(Stage.LISTEN) == 6
        assert jobs.dispatch(Stage.LISTEN) == 0
        assert OrmQ.objects.count() == 6

    def test_the_estimate_counts_turns_not_all_that_wait(self):
        busy, newcomer = ArtistFactory(), ArtistFactory()
        jobs_of(busy, 30)
        (mine,) = jobs_of(newcomer, 1)
        place, wait_s = jobs.position_and_wait(mine)
        assert place == 2
        assert wait_s is None
        done = JobFactory(revision__track=TrackFactory(artist=busy))
        Job.objects.filter(pk=done.pk).update(
            state=JobState.DONE, run_seconds=3.0, finished_at=timezone.now()
        )
        assert jobs.position_and_wait(mine)[1] == pytest.approx(3.0)


class TestTickets:
    def test_a_ticket_is_good_once(self):
        job = JobFactory()
        first = claimed(job)
        assert jobs.claim(job.pk, first.ticket) is None

    def test_an_old_ticket_is_worth_nothing(self):
        job = claimed(JobFactory())
        silent_for(job, 60)
        jobs.requeue_lost()
        again = claimed(job)
        assert not jobs.beat(job.pk, job.ticket)
        with pytest.raises(jobs.Superseded):
            jobs.finish(job)
        jobs.fail(job, code="internal", reason="late news")
        again.refresh_from_db()
        assert again.state == JobState.RUNNING
        jobs.finish(again)
        again.refresh_from_db()
        assert (again.state, again.percent, again.attempts) == (JobState.DONE, 100, 1)

    def test_a_deleted_tracks_job_cannot_be_finished(self):
        job = claimed(JobFactory())
        job.revision.track.delete()
        assert not jobs.beat(job.pk, job.ticket)
        with pytest.raises(jobs.Superseded):
            jobs.finish(job)


class TestWatchdog:
    def test_a_living_job_is_left_alone(self):
        job = claimed(JobFactory())
        assert jobs.requeue_lost() == 0
        job.refresh_from_db()
        assert job.state == JobState.RUNNING

    def test_a_silent_job_starts_again_and_loses_no_attempt(self, settings):
        job = claimed(JobFactory())
        silent_for(job, settings.JOB_LOST_AFTER_SECONDS + 1)
        assert jobs.requeue_lost() == 1
        job.refresh_from_db()
        assert (job.state, job.ticket, job.losses, job.attempts) == (JobState.QUEUED, None, 1, 0)

    def test_a_file_that_kills_every_worker_is_given_up(self):
        job = JobFactory()
        for _ in range(jobs.MAX_LOSSES):
            silent_for(claimed(job), 60)
            jobs.requeue_lost()
        job.refresh_from_db()
        assert job.state == JobState.FAILED
        assert "several times" in job.reason

    def test_a_ticket_that_nobody_took_is_handed_out_again(self):
        job = JobFactory()
        long_ago = timezone.now() - timedelta(minutes=5)
        Job.objects.filter(pk=job.pk).update(ticket=uuid.uuid4(), dispatched_at=long_ago)
        tick = jobs.tick()
        assert (tick.requeued, tick.dispatched) == (1, 1)

    def test_tickets_without_a_running_job_mean_a_hanging_cluster(self):
        job = JobFactory()
        assert not jobs.stalled("listen")
        waiting = timezone.now() - timedelta(seconds=30)
        Job.objects.filter(pk=job.pk).update(ticket=uuid.uuid4(), dispatched_at=waiting)
        assert jobs.stalled("listen")
        assert not jobs.stalled("heavy")
        claimed(JobFactory())
        assert not jobs.stalled("listen")

    def test_a_queue_is_busy_with_its_own_background_work_only(self):
        waiting = timezone.now() - timedelta(seconds=30)
        for stage in (Stage.LISTEN, Stage.SEPARATE):
            job = JobFactory(stage=stage)
            Job.objects.filter(pk=job.pk).update(ticket=uuid.uuid4(), dispatched_at=waiting)
        snippet = Snippet.objects.create(duration_s=3.0, state=WorkState.RUNNING)
        assert not jobs.stalled("listen")
        assert jobs.stalled("heavy")
        Snippet.objects.filter(pk=snippet.pk).update(state=WorkState.DONE)
        assert jobs.stalled("listen")

    def test_a_file_whose_announcement_was_lost_is_asked_for_within_minutes(self):
        """Its process died after the file was accepted, and before its job was made."""
        cache.clear()
        revision = RevisionFactory()
        asked = "analysis.tasks.ask_for_forgotten"
        for _ in range(2):
            jobs.tick()
        assert [one.task["func"] for one in OrmQ.objects.all()].count(asked) == 1
        tasks.ask_for_forgotten()
        assert not Job.objects.exists(), "it may be on its way"
        accepted = timezone.now() - timedelta(seconds=61)
        Revision.objects.filter(pk=revision.pk).update(created_at=accepted)
        tasks.ask_for_forgotten()
        assert Job.objects.get().revision == revision


class TestFailing:
    def test_three_attempts_then_a_reason(self, settings):
        job = JobFactory()
        for attempt in range(1, settings.JOB_ATTEMPTS + 1):
            current = claimed(job)
            assert current.attempts == attempt
            jobs.fail(current, code="internal", reason="It broke.", detail="Traceback")
        job.refresh_from_db()
        assert (job.state, job.reason, job.detail) == (JobState.FAILED, "It broke.", "Traceback")

    def test_a_refused_file_fails_at_once(self):
        job = claimed(JobFactory())
        jobs.fail(job, code="silent", reason="Only silence.", final=True)
        job.refresh_from_db()
        assert (job.state, job.attempts) == (JobState.FAILED, 1)


@pytest.mark.django_db(transaction=True)
def test_a_job_is_claimed_by_one_of_many():
    job = JobFactory()
    ticket = uuid.uuid4()
    Job.objects.filter(pk=job.pk).update(ticket=ticket, dispatched_at=timezone.now())
    got: list[bool] = []

    def try_it() -> None:
        try:
            got.append(jobs.claim(job.pk, ticket) is not None)
        finally:
            connection.close()

    threads = [threading.Thread(target=try_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 7 + [True]


@pytest.mark.django_db(transaction=True)
def test_two_dispatchers_never_hand_out_one_job_twice(settings):
    settings.LISTEN_WORKERS = 3
    jobs_of(ArtistFactory(), 12)

    def dispatch() -> None:
        try:
            jobs.dispatch(Stage.LISTEN)
        finally:
            connection.close()

    threads = [threading.Thread(target=dispatch) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Job.objects.filter(ticket__isnull=False).count() == OrmQ.objects.count() == 6
