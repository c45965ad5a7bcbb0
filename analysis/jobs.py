"""The life of a job: queued -> handed out -> running -> done or failed.

The :class:`~analysis.models.Job` row is the truth. The queue (django-q2) only carries tickets: a
job is handed to it a few at a time, in a fair order, so that one artist's thousand tracks do not
starve another's first one. Every change of a job's state is a conditional update on its ticket,
so a worker that was given up for dead can never write over the one that took its place.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Avg, Count, F, Q, QuerySet
from django.dispatch import Signal
from django.utils import timezone
from django_q.tasks import async_task

from analysis import background
from analysis.models import Job, JobState, Stage

log = logging.getLogger(__name__)

QUEUE_OF_STAGE = {
    Stage.LISTEN: "listen",
    Stage.SEPARATE: "heavy",
    Stage.VOICE: "heavy",
    Stage.LYRICS: "heavy",
    Stage.RELEASE: "heavy",
}
_LOCK_NUMBER = {
    Stage.LISTEN: 7_301,
    Stage.SEPARATE: 7_302,
    Stage.VOICE: 7_303,
    Stage.RELEASE: 7_304,
    Stage.LYRICS: 7_305,
}
# A job whose worker vanished is not at fault, mostly. But a file that kills every worker which
# touches it must end somewhere.
MAX_LOSSES = 6
_HANDED_OUT_LOST_AFTER = timedelta(seconds=120)
HOUSEKEEPING_EVERY_SECONDS = 600
FORGOTTEN_EVERY_SECONDS = 60
_HOUSEKEEPING_KEY = "analysis.housekeeping"
_FORGOTTEN_KEY = "analysis.forgotten"

job_over = Signal()
"""Jobs are done, or failed for good: ``sender=Job, job_ids=list[UUID], state=JobState``. Sent
inside the transaction that writes it, so that what a receiver stores is there with it or not."""

# Everybody's first waiting job before anybody's second, counting what is in hand. However long the
# queue, each artist's first few are read from an index (job_waiting), and so are those in hand.
_WAITS = "state = 'queued' AND ticket IS NULL AND waits_for_id IS NULL AND stage = %(stage)s"
_FAIR_ORDER = f"""
    WITH RECURSIVE artists (id) AS (
        (SELECT artist_id FROM analysis_job WHERE {_WAITS} ORDER BY artist_id LIMIT 1)
        UNION ALL
        SELECT (SELECT artist_id FROM analysis_job WHERE {_WAITS} AND artist_id > artists.id
                ORDER BY artist_id LIMIT 1)
        FROM artists WHERE artists.id IS NOT NULL
    ), busy AS (
        SELECT artist_id, count(*) AS jobs FROM analysis_job
        WHERE stage = %(stage)s AND (state = 'running' OR state = 'queued' AND ticket IS NOT NULL)
        GROUP BY artist_id
    )
    SELECT waiting.id
    FROM artists
    LEFT JOIN busy ON busy.artist_id = artists.id
    CROSS JOIN LATERAL (
        SELECT id, priority, queued_at,
               row_number() OVER (ORDER BY priority DESC, queued_at, id) AS place
        FROM analysis_job WHERE {_WAITS} AND artist_id = artists.id
        ORDER BY priority DESC, queued_at, id
        LIMIT %(room)s
    ) waiting
    ORDER BY waiting.priority DESC, waiting.place + coalesce(busy.jobs, 0),
             waiting.queued_at, waiting.id
    LIMIT %(room)s
"""


@dataclass(frozen=True)
class Tick:
    """What one round of the watchdog did."""

    requeued: int
    dispatched: int


def in_flight_limit(stage: str) -> int:
    """How many jobs of a stage may be handed out at once: enough to keep every worker busy."""
    queue = QUEUE_OF_STAGE[Stage(stage)]
    workers = settings.LISTEN_WORKERS if queue == "listen" else settings.HEAVY_WORKERS
    return 2 * workers


def _handed_out() -> Q:
    return Q(state=JobState.RUNNING) | Q(state=JobState.QUEUED, ticket__isnull=False)


def dispatch(stage: str) -> int:
    """Hand waiting jobs of a stage to the queue, in fair order; returns how many.

    With the PostgreSQL broker the ticket and the queue's entry are one transaction. With Redis a
    crash in between leaves a ticket nobody holds, which :func:`requeue_lost` takes back.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK_NUMBER[Stage(stage)]])
            if not cursor.fetchone()[0]:
                return 0  # somebody else is doing it right now
            room = in_flight_limit(stage) - Job.objects.filter(_handed_out(), stage=stage).count()
            if room <= 0:
                return 0
            cursor.execute(_FAIR_ORDER, {"stage": stage, "room": room})
            chosen = [row[0] for row in cursor.fetchall()]
        for job_id in chosen:
            ticket = uuid.uuid4()
            Job.objects.filter(pk=job_id).update(ticket=ticket, dispatched_at=timezone.now())
            async_task(
                "analysis.tasks.run_job",
                str(job_id),
                str(ticket),
                cluster=QUEUE_OF_STAGE[Stage(stage)],
                save=False,
            )
    return len(chosen)


def claim(job_id: uuid.UUID, ticket: uuid.UUID) -> Job | None:
    """Start work on a job, if the ticket is still good; None if somebody else has it or had it."""
    now = timezone.now()
    claimed = Job.objects.filter(pk=job_id, ticket=ticket, state=JobState.QUEUED).update(
        state=JobState.RUNNING,
        percent=0,
        message="Starting",
        started_at=now,
        heartbeat_at=now,
        attempts=F("attempts") + 1,
    )
    if not claimed:
        return None
    return Job.objects.select_related("revision").get(pk=job_id)


def beat(
    job_id: uuid.UUID, ticket: uuid.UUID, *, percent: int | None = None, message: str = ""
) -> bool:
    """Say that a running job lives (and how far it is); False if it is no longer ours."""
    changes: dict[str, object] = {"heartbeat_at": timezone.now()}
    if percent is not None:
        changes |= {"percent": percent, "message": message}
    return bool(
        Job.objects.filter(pk=job_id, ticket=ticket, state=JobState.RUNNING).update(**changes)
    )


def finish(job: Job) -> None:
    """Mark a claimed job done. Call inside the transaction that stores what it made.

    Raises :class:`Superseded` if the job was given to somebody else meanwhile.
    """
    now = timezone.now()
    done = Job.objects.filter(pk=job.pk, ticket=job.ticket, state=JobState.RUNNING).update(
        state=JobState.DONE,
        percent=100,
        message="",
        reason="",
        reason_code="",
        detail="",
        finished_at=now,
        heartbeat_at=now,
        run_seconds=(now - job.started_at).total_seconds() if job.started_at else None,
    )
    if not done:
        raise Superseded(str(job.pk))
    job_over.send(Job, job_ids=[job.pk], state=JobState.DONE)


class Superseded(Exception):
    """This attempt lost its job to another one; what it made is thrown away."""


def fail(job: Job, *, code: str, reason: str, detail: str = "", final: bool = False) -> None:
    """Record a failed attempt: queued again, or failed for good after the last allowed attempt."""
    give_up = final or job.attempts >= settings.JOB_ATTEMPTS
    common: dict[str, object] = {"detail": detail[-20_000:], "ticket": None}
    if give_up:
        common |= {
            "state": JobState.FAILED,
            "reason_code": code,
            "reason": reason[:500],
            "message": "",
            "finished_at": timezone.now(),
        }
    else:
        common |= {"state": JobState.QUEUED, "message": "Trying again", "queued_at": timezone.now()}
    with transaction.atomic():
        ours = Job.objects.filter(pk=job.pk, ticket=job.ticket, state=JobState.RUNNING)
        if ours.update(**common) and give_up:
            job_over.send(Job, job_ids=[job.pk], state=JobState.FAILED)


def requeue_lost() -> int:
    """Take back jobs whose worker stopped giving signs of life, and tickets that nobody took."""
    now = timezone.now()
    lost = Job.objects.filter(
        state=JobState.RUNNING,
        heartbeat_at__lt=now - timedelta(seconds=settings.JOB_LOST_AFTER_SECONDS),
    )
    with transaction.atomic():
        hopeless = lost.filter(losses__gte=MAX_LOSSES - 1).select_for_update(skip_locked=True)
        given_up = list(hopeless.values_list("pk", flat=True))
        Job.objects.filter(pk__in=given_up).update(
            state=JobState.FAILED,
            ticket=None,
            message="",
            finished_at=now,
            reason_code="worker_lost",
            reason="Working on this file stopped the machine several times, so we gave up on it. "
            "Export it again in another format, or tell us.",
        )
        if given_up:
            log.error("%d jobs lost their worker %d times and failed", len(given_up), MAX_LOSSES)
            job_over.send(Job, job_ids=given_up, state=JobState.FAILED)
    # An attempt that was cut off does not count as one; queued anew, it goes to the back.
    requeued = lost.update(
        state=JobState.QUEUED,
        ticket=None,
        queued_at=now,
        percent=0,
        message="Starting again after an interruption",
        losses=F("losses") + 1,
        attempts=F("attempts") - 1,
    )
    stale = Job.objects.filter(
        state=JobState.QUEUED, ticket__isnull=False, dispatched_at__lt=now - _HANDED_OUT_LOST_AFTER
    ).update(ticket=None)
    if requeued or stale:
        log.warning("requeued %d lost jobs, took back %d unclaimed tickets", requeued, stale)
    return requeued + stale


def cancel(job: Job) -> bool:
    """Stop a job that waits or runs, as its owner asked; False if it was over already.

    A worker that has it in hand loses it, and notices with its next sign of life.
    """
    cancelled = Job.objects.filter(pk=job.pk, state__in=(JobState.QUEUED, JobState.RUNNING)).update(
        state=JobState.CANCELLED,
        ticket=None,
        waits_for=None,
        message="",
        reason_code="cancelled",
        reason="You stopped it.",
        finished_at=timezone.now(),
    )
    settle_waiting()
    return bool(cancelled)


def put_back(job: Job, *, waits_for: Job | None, message: str) -> None:
    """Lay a claimed job down until another one is done (or at once, without one): it waits in the
    queue without a ticket, and this attempt does not count.

    Raises :class:`Superseded` if the job was given to somebody else meanwhile.
    """
    put = Job.objects.filter(pk=job.pk, ticket=job.ticket, state=JobState.RUNNING).update(
        state=JobState.QUEUED,
        ticket=None,
        waits_for=waits_for,
        percent=0,
        message=message[:200],
        attempts=F("attempts") - 1,
    )
    if not put:
        raise Superseded(str(job.pk))


def settle_waiting() -> None:
    """Let go of jobs whose awaited job is done; end those whose awaited job failed or was stopped.

    A job whose awaited job was deleted waits for nothing any more, by the database's own rule.
    """
    waiting = Job.objects.filter(state=JobState.QUEUED, waits_for__isnull=False)
    waiting.filter(waits_for__state=JobState.DONE).update(waits_for=None, message="")
    over = waiting.filter(waits_for__state__in=(JobState.FAILED, JobState.CANCELLED))
    for job in over.select_related("waits_for"):
        awaited = job.waits_for
        if awaited is None:
            continue
        waiting_for_it = Job.objects.filter(pk=job.pk, state=JobState.QUEUED, waits_for=awaited)
        needed = awaited.get_stage_display().lower()
        with transaction.atomic():
            ended = waiting_for_it.update(
                state=awaited.state,
                waits_for=None,
                message="",
                reason_code=f"no_{awaited.stage}"[:40],
                reason=f"This needs the {needed}, and they were not made. {awaited.reason}"[:500],
                finished_at=timezone.now(),
            )
            if ended and awaited.state == JobState.FAILED:
                job_over.send(Job, job_ids=[job.pk], state=JobState.FAILED)


def tick() -> Tick:
    """One round of the watchdog: take back what was lost, hand out what waits."""
    requeued = requeue_lost()
    settle_waiting()
    if _is_due(_HOUSEKEEPING_KEY, HOUSEKEEPING_EVERY_SECONDS):
        async_task("analysis.tasks.housekeeping", cluster="listen", save=False)
    # Somebody waits for these, so not only with everything else.
    if _is_due(_FORGOTTEN_KEY, FORGOTTEN_EVERY_SECONDS):
        async_task("analysis.tasks.ask_for_forgotten", cluster="listen", save=False)
    dispatched = sum(dispatch(stage) for stage in Stage.values) + background.tick()
    return Tick(requeued=requeued, dispatched=dispatched)


def _is_due(key: str, every_s: int) -> bool:
    # Looked at first: adding what is there makes the database write an error into its log.
    return cache.get(key) is None and cache.add(key, True, every_s)


def stalled(queue: str) -> bool:
    """Whether tickets of a queue wait although no job of it is running: its cluster hangs."""
    stages = [stage for stage, name in QUEUE_OF_STAGE.items() if name == queue]
    jobs = Job.objects.filter(stage__in=stages)
    if jobs.filter(state=JobState.RUNNING).exists():
        return False
    if background.is_busy(queue):
        return False
    waiting_since = timezone.now() - timedelta(seconds=20)
    return jobs.filter(
        state=JobState.QUEUED, ticket__isnull=False, dispatched_at__lt=waiting_since
    ).exists()


def position_and_wait(job: Job) -> tuple[int, float | None]:
    """Place in the queue (1 is next) of a queued job, and the expected wait in seconds.

    Under fair turns, each other artist's jobs count only up to this artist's own turn. The wait is
    None until a job of the stage has been finished.
    """
    waiting = Job.objects.filter(stage=job.stage, state=JobState.QUEUED)
    turn = (
        waiting.filter(artist_id=job.artist_id, priority__gte=job.priority)
        .filter(queued_at__lt=job.queued_at)
        .count()
        + 1
    )
    others = (
        waiting.filter(priority__gte=job.priority)
        .exclude(artist_id=job.artist_id)
        .values("artist_id")
        .annotate(jobs=Count("id"))
    )
    ahead = sum(min(row["jobs"], turn) for row in others) + turn - 1
    mean_seconds = recent_run_seconds(job.stage)
    if mean_seconds is None:
        return ahead + 1, None
    workers = max(1, in_flight_limit(job.stage) // 2)
    return ahead + 1, mean_seconds * (ahead // workers + 1)


def recent_run_seconds(stage: str) -> float | None:
    """Mean duration in seconds of the last 20 finished jobs of a stage."""
    recent: QuerySet[Job] = Job.objects.filter(
        stage=stage, state=JobState.DONE, run_seconds__isnull=False
    ).order_by("-finished_at")[:20]
    return Job.objects.filter(pk__in=recent.values("pk")).aggregate(mean=Avg("run_seconds"))["mean"]
