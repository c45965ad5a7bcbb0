"""Connecting the pool: its runs, and what it listens to."""

from __future__ import annotations

import uuid
from typing import Any

from analysis import background, jobs, services
from analysis.labels import pool_services, withdrawing
from analysis.labels.models import PoolRun
from analysis.models import Job, Stage


def do_run(run: PoolRun, heart: Any) -> None:
    """Do a round of a run; what loads networks is imported by the worker that needs it."""
    from analysis.labels.pool import collect

    collect(run, heart)


def on_job_over(job_ids: list[uuid.UUID], **_kwargs: Any) -> None:
    """Stems that a run may wait for are there, or will never be: it looks again."""
    separations = Job.objects.filter(
        pk__in=job_ids,
        stage=Stage.SEPARATE,
        revision__artist__may_train=True,
        revision__track__may_train=True,
    )
    if separations.exists():
        pool_services.wake_run()


def connect() -> None:
    """Enter the pool; called once when the app is ready."""
    background.register(PoolRun, do_run)
    jobs.job_over.connect(on_job_over, dispatch_uid="labels.pool.stems")
    withdrawing.connect(services.HOUSEKEEPING)
