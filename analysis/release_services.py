"""Writes of the release check: asking for it, encoding, keeping what came out."""

from __future__ import annotations

from dataclasses import asdict

from django.conf import settings
from django.db import transaction

from analysis import jobs, services
from analysis.heart import Heart
from analysis.job_reports import finish_with_report, has_report
from analysis.models import Job, JobState, Stage
from analysis.versions import release_version
from catalog.models import Revision


def request_release_check(revision: Revision, *, afresh: bool = False) -> Job:
    """Queue the release check of a revision, or return the job that has it in hand.

    A job that waits or runs is left alone; a failed one starts again. ``afresh`` repeats what is
    already done.
    """
    job, created = Job.objects.get_or_create(
        revision=revision,
        stage=Stage.RELEASE,
        model_version=release_version(),
        defaults={"artist_id": revision.artist_id},
    )
    if not created:
        again = [JobState.FAILED, JobState.DONE] if afresh else [JobState.FAILED]
        Job.objects.filter(pk=job.pk, state__in=again).update(
            afresh=afresh, **services.fresh_start()
        )
        job.refresh_from_db()
    transaction.on_commit(lambda: jobs.dispatch(Stage.RELEASE))
    return job


def check_release(job: Job, heart: Heart) -> None:
    """Do a claimed job: encode, decode, measure, and store the report with the job's end."""
    revision = job.revision
    if job.model_version != release_version():
        # Queued for encoders that no longer serve: the result would carry a wrong name.
        request_release_check(revision)
        job.delete()
        return
    if not job.afresh and has_report(job):
        services.with_database(lambda: jobs.finish(job))
        return
    # Imported here because the web process never encodes.
    from analysis.sound.lossy import check_lossy, library_versions

    with services.local_copy(revision) as path:
        found = check_lossy(
            path, max_duration_s=float(settings.UPLOAD_MAX_SECONDS), progress=heart.progress
        )
    heart.check()
    document = {**asdict(found), "versions": library_versions()}
    services.with_database(lambda: finish_with_report(job, document))


def connect() -> None:
    """Enter the stage; called once when the app is ready."""
    services.WORK[Stage.RELEASE] = check_release
