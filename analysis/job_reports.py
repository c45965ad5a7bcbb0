"""A job's report: what it is found by, and how it is stored with the job's end."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from analysis import jobs
from analysis.models import Job, Report


def report_key(job: Job) -> dict[str, Any]:
    """What the report of a job is found by: content, stage and version."""
    return {
        "content_sha256": job.revision.content_sha256,
        "stage": job.stage,
        "model_version": job.model_version,
    }


def has_report(job: Job) -> bool:
    """Whether a job's content has been through its stage in its version."""
    return Report.objects.filter(**report_key(job)).exists()


def finish_with_report(job: Job, document: dict[str, Any]) -> None:
    """The job's end and the report in one transaction.

    Raises :class:`analysis.jobs.Superseded` if the job was given to somebody else meanwhile.
    """
    with transaction.atomic():
        jobs.finish(job)
        Report.objects.update_or_create(**report_key(job), defaults={"document": document})
