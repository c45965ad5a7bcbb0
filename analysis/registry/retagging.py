"""Tagging all tracks anew after another version was switched on, behind everything that artists
wait for.

The watchdog of ``run_workers`` calls :func:`advance` every few seconds: it queues the next tracks
when few are left waiting, and counts. So nothing occupies a worker meanwhile, the queue stays
short, and a switch in the middle of it costs nothing. The old reports stay until the new ones are
there, and after.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Count as Aggregate
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from analysis import services, voice_services
from analysis.background import UNDER_WAY, WorkState
from analysis.listening_again import PRIORITY
from analysis.models import Job, JobState, Report, Stage
from analysis.neural import weights
from analysis.neural.weights import WeightsUnavailable
from analysis.registry.models import ModelName, ModelVersion, RetaggingRun
from analysis.versions import listen_version, voice_version
from catalog.models import Revision, User

log = logging.getLogger(__name__)

BATCH = 100
FEW_WAIT = 50
_LOCK_NUMBER = 7_401
STAGE_OF_MODEL = {ModelName.TIMBRE: Stage.VOICE, ModelName.EARS: Stage.LISTEN}


@dataclass(frozen=True)
class Count:
    """Tracks (newest versions) that were tagged before the switch: how many are left to do, and of
    those, how many are in the queue or at work, and how many failed."""

    left: int
    busy: int
    failed: int


def start(version: ModelVersion, *, by: User | None) -> RetaggingRun:
    """Begin to tag everything anew by a version that was just switched on; what was under way for
    another one ends. Call within the transaction of the switch."""
    # What the run before asked for and was not begun would only be turned away by a worker.
    _end(version.model, "superseded", "Another version was switched on.")
    return RetaggingRun.objects.create(
        model=version.model,
        version=version,
        created_by=by,
        state=WorkState.RUNNING,
        message="Starting",
        started_at=timezone.now(),
    )


def stop(run: RetaggingRun) -> bool:
    """Queue no more tracks; False if it is over already. What is done stays."""
    return bool(_end(run.model, "cancelled", "It was stopped.", pk=run.pk))


def go_on(run: RetaggingRun) -> bool:
    """Go on with a stopped run, if its version still serves."""
    return bool(
        RetaggingRun.objects.filter(
            pk=run.pk, state=WorkState.CANCELLED, version__is_serving=True
        ).update(state=WorkState.RUNNING, reason="", reason_code="", finished_at=None)
    )


def newest_run(model: str) -> RetaggingRun | None:
    """The run of the last switch."""
    return RetaggingRun.objects.filter(model=model).order_by("-created_at").first()


def advance() -> int:
    """One round over all runs; returns how many tracks were queued. Harmless to call at any time,
    by any number of machines."""
    queued = 0
    runs = RetaggingRun.objects.filter(state=WorkState.RUNNING).select_related("version")
    for run in list(runs):
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK_NUMBER])
                if not cursor.fetchone()[0]:
                    return queued
            queued += _advance(run)
    return queued


def _advance(run: RetaggingRun) -> int:
    if not run.version.is_serving:
        _finish(run, WorkState.CANCELLED)
        return 0
    try:
        if weights.find(run.model).identity != run.version.identity:
            return 0  # this machine is not in line yet; another one, or the next round, does it
        waiting = outdated(run.model)
    except (WeightsUnavailable, KeyError, ValueError, OSError) as error:
        log.warning("re-tagging waits: %s", error)
        return 0
    is_first = run.total is None
    count = _count(waiting)
    total = max(run.total or 0, count.left)
    if is_first and run.model == ModelName.TIMBRE:
        from analysis.labels.predicting import request_predictions

        request_predictions(by=run.created_by)
    if count.left <= count.failed:
        _finish(run, WorkState.DONE, total=total, failed=count.failed)
        return 0
    chosen: list[uuid.UUID] = []
    if count.busy < FEW_WAIT:
        over = Q(job_state__in=(JobState.DONE, JobState.CANCELLED))
        free = waiting.filter(Q(job_state=None) | over)
        chosen = list(free.values_list("pk", flat=True)[:BATCH])
        _request(run.model, chosen)
    done = total - count.left
    failed = f", {count.failed:,} failed" if count.failed else ""
    RetaggingRun.objects.filter(pk=run.pk, state=WorkState.RUNNING).update(
        total=total,
        done=done,
        failed=count.failed,
        percent=min(99, 100 * done // total),
        message=f"{done:,} of {total:,}{failed}",
        heartbeat_at=timezone.now(),
    )
    return len(chosen)


def outdated(model: str) -> QuerySet[Revision]:
    """Each track's newest revision that has a report of the model's stage, but none by the version
    that serves, the newest first; ``job_state`` is that of the job in hand for it, or None.

    A voice is only listened to again where the stems still are: nobody waits for a separation.
    Raises what :func:`analysis.versions.listen_version` does.
    """
    stage = STAGE_OF_MODEL[ModelName(model)]
    version = listen_version() if stage == Stage.LISTEN else voice_version()
    reports = Report.objects.filter(content_sha256=OuterRef("content_sha256"))
    heard = reports.filter(stage=stage)
    newer = Revision.objects.filter(track=OuterRef("track"), number__gt=OuterRef("number"))
    jobs = Job.objects.filter(revision=OuterRef("pk"), stage=stage, model_version=version)
    found = Revision.objects.filter(
        Exists(heard), ~Exists(heard.filter(model_version=version)), ~Exists(newer)
    )
    if stage == Stage.VOICE:
        found = found.filter(Exists(reports.filter(stage=Stage.SEPARATE)))
    return found.annotate(job_state=Subquery(jobs.values("state")[:1])).order_by(
        "-created_at", "pk"
    )


def _count(waiting: QuerySet[Revision]) -> Count:
    in_hand = Q(job_state__in=(JobState.QUEUED, JobState.RUNNING))
    found = waiting.order_by().aggregate(
        left=Aggregate("pk"),
        busy=Aggregate("pk", filter=in_hand),
        failed=Aggregate("pk", filter=Q(job_state=JobState.FAILED)),
    )
    return Count(**found)


def _request(model: str, revision_ids: list[uuid.UUID]) -> None:
    if not revision_ids:
        return
    if model == ModelName.EARS:
        services.request_listening(revision_ids, afresh=True, priority=PRIORITY)
    else:
        voice_services.request_voice(revision_ids, afresh=True, priority=PRIORITY)


def _finish(run: RetaggingRun, state: str, *, total: int = 0, failed: int = 0) -> None:
    RetaggingRun.objects.filter(pk=run.pk, state=WorkState.RUNNING).update(
        state=state,
        percent=100 if state == WorkState.DONE else run.percent,
        total=total,
        done=total - failed,
        failed=failed,
        message=f"{failed:,} failed" if failed else "",
        finished_at=timezone.now(),
    )


def _end(model: str, code: str, reason: str, **which: object) -> int:
    """End the runs of a model that are under way, and forget what they asked for and was not begun;
    returns how many runs those were."""
    stage = STAGE_OF_MODEL[ModelName(model)]
    ended = RetaggingRun.objects.filter(model=model, state__in=UNDER_WAY, **which).update(
        state=WorkState.CANCELLED, reason_code=code, reason=reason, finished_at=timezone.now()
    )
    Job.objects.filter(
        stage=stage, state=JobState.QUEUED, ticket__isnull=True, priority=PRIORITY
    ).delete()
    return ended
