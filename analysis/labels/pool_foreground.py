"""A run of the pool in this process, for the command line; stems are made here too when asked."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils import timezone

from analysis import background, services
from analysis.background import WorkState
from analysis.heart import Heart
from analysis.labels import pool_services
from analysis.labels.models import PoolRun
from analysis.labels.pool import collect
from analysis.labels.pool_targets import find_targets
from analysis.models import Job, JobState, Stage

Say = Callable[[float, str], None]
_ASK_AGAIN_S = 2.0
_WITHOUT_END_S = 10.0 * 365 * 24 * 3_600


class AlreadyOpen(Exception):
    """Somebody else's run is under way; the message is for people."""


class _Telling:
    """A heart that also says how far the run is."""

    def __init__(self, heart: Heart, say: Say) -> None:
        self._heart, self._say = heart, say

    def progress(self, fraction: float, message: str) -> None:
        self._heart.progress(fraction, message)
        self._say(fraction, message)

    def check(self) -> None:
        self._heart.check()


def run_here(scope: dict[str, Any], *, wait: bool, say: Say) -> PoolRun:
    """Do a run to its end and return it.

    Without ``wait`` it ends where nothing is left to do but wait for stems: the run then stays
    open, and workers go on with it. With it, stems that no worker has in hand are made here.

    Raises
    ------
    AlreadyOpen
        If a worker has a run in hand.
    analysis.background.Lost
        If somebody stops it.
    """
    run = pool_services.request_run(scope=scope)
    while True:
        held = _claim(run)
        if held is None:
            raise AlreadyOpen(
                "A worker is collecting clips already; it does what was asked for here too. "
                "See the page of the pool."
            )
        with Heart.of_background(held) as heart:
            done = collect(held, _Telling(heart, say), round_s=_WITHOUT_END_S)
        held.refresh_from_db()
        if done or held.is_over:
            return held
        if find_targets(held.scope).waiting:
            if not wait:
                return held
            _make_stems(held, say)


def _claim(run: PoolRun) -> PoolRun | None:
    """Take a waiting run out of the workers' hands."""
    ticket = uuid.uuid4()
    with transaction.atomic():
        taken = PoolRun.objects.filter(pk=run.pk, state=WorkState.QUEUED).update(
            ticket=ticket, dispatched_at=timezone.now()
        )
    return background.claim(PoolRun, run.pk, ticket) if taken else None


def _make_stems(run: PoolRun, say: Say) -> None:
    """Make or await the stems of one track."""
    waiting = find_targets(run.scope).waiting
    jobs_of_it = Job.objects.filter(
        revision__in=waiting, stage=Stage.SEPARATE, state=JobState.QUEUED
    )
    for job in jobs_of_it.select_related("revision__track").order_by("queued_at"):
        # A worker that was about to come finds that its ticket is no longer good.
        ticket = uuid.uuid4()
        mine = Job.objects.filter(pk=job.pk, state=JobState.QUEUED)
        if mine.update(ticket=ticket, dispatched_at=timezone.now()):
            say(0.0, f"Separating {job.revision.track}")
            services.run(job.pk, ticket)
            return
    say(0.0, f"Waiting for the stems of {len(waiting)} tracks")
    time.sleep(_ASK_AGAIN_S)
    if not PoolRun.objects.filter(pk=run.pk, state=WorkState.QUEUED).exists():
        raise background.Lost(str(run.pk))
