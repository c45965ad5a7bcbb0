"""Writes of the stems: asking for them, waiting for them, and what comes after them.

Other stages that need stems

* enter how they are asked for in :data:`FOLLOW_UPS` when the site starts,
* call :func:`await_stems` from their work, and return right after it, where
  :func:`analysis.stem_files.stems_report` finds none.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone

from analysis import jobs, services
from analysis.job_reports import has_report
from analysis.models import Job, JobState, Stage
from analysis.neural.separation import engines
from analysis.neural.separation.engine import EngineUnavailable
from analysis.stem_files import stems_report
from analysis.versions import separate_version
from catalog.models import Revision

log = logging.getLogger(__name__)


FOLLOW_UPS: dict[str, Callable[[list[uuid.UUID]], object]] = {}
"""How stages that need stems are asked for, by stage: a function of revision ids, which may be
called again and again, within a transaction. Entered when the site starts."""


def request_separation(
    revision_ids: Iterable[uuid.UUID],
    *,
    engine: str = engines.AUTO,
    then: Iterable[str] = (),
    again: bool = True,
    afresh: bool = False,
    priority: int = 0,
) -> list[Job]:
    """Ask for the stems of revisions; returns the jobs that have them in hand, or had.

    A job that runs is left alone, and so is one that waits, unless it is of a lower ``priority``:
    that is raised. A failed or cancelled one starts again, unless ``again``
    is off. Stems that are there are not made anew, unless ``afresh``.

    Parameters
    ----------
    engine : a name of :data:`analysis.neural.separation.engines.BY_QUALITY`, or ``auto`` for the
        best that is here
    then : stages to ask for when the stems are there; at once if they are

    Raises
    ------
    EngineUnavailable
        If the engine is not on this site.
    ValueError
        For a name that no engine has.
    """
    name = engines.chosen(engine)
    if not engines.is_present(name):
        raise EngineUnavailable(f"{name} is not installed on this site")
    version = separate_version(name)
    stages = [str(Stage(stage)) for stage in then]
    found = []
    for revision in Revision.objects.filter(pk__in=list(revision_ids)):
        with transaction.atomic():
            job = _job_of(revision, name, version, priority)
            _ask(job, stages, again=again, afresh=afresh, priority=priority)
        found.append(job)
    transaction.on_commit(lambda: jobs.dispatch(Stage.SEPARATE))
    return found


def _job_of(revision: Revision, engine: str, version: str, priority: int) -> Job:
    """The job of an engine, locked; a new one is done already where the content's stems are."""
    job, created = Job.objects.get_or_create(
        revision=revision,
        stage=Stage.SEPARATE,
        model_version=version,
        defaults={
            "artist_id": revision.artist_id,
            "options": {"engine": engine, "then": []},
            "priority": priority,
        },
    )
    job = Job.objects.select_for_update().get(pk=job.pk)
    if created and has_report(job):
        job.state, job.percent, job.finished_at = JobState.DONE, 100, timezone.now()
        job.save(update_fields=["state", "percent", "finished_at"])
    return job


def _ask(job: Job, then: list[str], *, again: bool, afresh: bool, priority: int) -> None:
    over = job.state in (JobState.FAILED, JobState.CANCELLED)
    is_done = job.state == JobState.DONE and has_report(job) and not afresh
    if is_done:
        _follow_up(job.revision_id, then)
        return
    wanted = sorted({*job.options.get("then", []), *then})
    changes: dict[str, Any] = {"options": {**job.options, "then": wanted}}
    if (over and again) or job.state == JobState.DONE:
        changes |= {"afresh": afresh, "priority": priority, **services.fresh_start()}
    elif job.state == JobState.QUEUED and job.priority < priority:
        changes["priority"] = priority
    Job.objects.filter(pk=job.pk).update(**changes)
    job.refresh_from_db()


def engine_of(job: Job) -> str:
    """The engine that a separation was asked of."""
    return str(job.options.get("engine", ""))


def _follow_up(revision_id: uuid.UUID, stages: Iterable[str]) -> None:
    for stage in stages:
        ask = FOLLOW_UPS.get(stage)
        if ask is None:
            log.error("nobody says how %s is asked for after the stems", stage)
            continue
        ask([revision_id])


def await_stems(job: Job) -> None:
    """Lay a claimed job of another stage down until its revision has stems; return right after it.

    The stems are asked for, unless a job has them in hand. The job is handed out again when they
    are there; it fails if they cannot be made, and is cancelled if they are.
    """
    separation = (
        Job.objects.filter(
            revision=job.revision,
            stage=Stage.SEPARATE,
            state__in=(JobState.QUEUED, JobState.RUNNING),
        )
        .order_by("queued_at")
        .first()
    )
    if separation is not None:
        Job.objects.filter(
            pk=separation.pk, state=JobState.QUEUED, priority__lt=job.priority
        ).update(priority=job.priority)
    if separation is None and stems_report(job.revision) is None:
        try:
            separation = request_separation([job.revision_id], priority=job.priority)[0]
        except EngineUnavailable as error:
            log.error("cannot separate: %s", error)
            reason = "This needs the stems, and no engine that could make them is on this site."
            services.with_database(
                lambda: jobs.fail(job, code="no_separate", reason=reason, final=True)
            )
            return
    services.with_database(
        lambda: jobs.put_back(job, waits_for=separation, message="Waiting for the stems")
    )


def after_listening(revision: Revision) -> None:
    """What the artist's settings ask for by themselves; nothing for references by others."""
    artist = revision.artist
    then = [
        stage
        for stage, wanted in (
            (Stage.VOICE, artist.auto_voice),
            (Stage.LYRICS, artist.auto_lyrics),
        )
        if wanted
    ]
    if revision.track.is_reference or not (artist.auto_separate or then):
        return
    try:
        # What the artist stopped, or what failed, does not begin again because a track is heard
        # again.
        request_separation([revision.pk], then=then, again=False)
    except (EngineUnavailable, OSError) as error:
        log.error("cannot separate by itself: %s", error)


def finish(job: Job) -> None:
    """Mark a claimed job done, and ask for the stages that are to follow.

    Raises :class:`analysis.jobs.Superseded` if the job was given to somebody else meanwhile.
    """
    with transaction.atomic():
        jobs.finish(job)
        # Read again: stages may have been added while the job ran.
        options = Job.objects.select_for_update().values_list("options", flat=True).get(pk=job.pk)
        Job.objects.filter(pk=job.pk).update(options={**options, "then": []}, afresh=False)
        _follow_up(job.revision_id, options.get("then", ()))
