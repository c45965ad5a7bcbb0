"""Long work that belongs to no single track: collecting clips, training a model, drawing a map.

A row of a model derived from :class:`BackgroundWork` is the truth, as a
:class:`~analysis.models.Job` is for a track's stages; the queue only carries tickets. Every change
of state is a conditional update on the ticket, so a worker that was given up for dead never writes
over its successor. What a kind of work has finished it keeps itself (in rows, or in
``settings.WORK_DIR``): when it is run again, it goes on from there.
"""

from __future__ import annotations

import logging
import traceback
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.db.models import F
from django.utils import timezone
from django_q.tasks import async_task

log = logging.getLogger(__name__)

QUEUE = "heavy"
MOST_LOSSES = 6
_HANDED_OUT_LOST_AFTER = timedelta(seconds=120)

W = TypeVar("W", bound="BackgroundWork")


class WorkState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


UNDER_WAY = (WorkState.QUEUED, WorkState.RUNNING)


class BackgroundWork(models.Model):
    """State, progress and signs of life of one piece of long work."""

    queue: ClassVar[str] = QUEUE

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=16, choices=WorkState, default=WorkState.QUEUED)
    percent = models.PositiveSmallIntegerField(default=0)
    message = models.CharField(max_length=200, blank=True)
    attempts = models.SmallIntegerField(default=0)
    losses = models.PositiveSmallIntegerField(default=0)
    reason_code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=1_000, blank=True, help_text="Why it ended, for people.")
    detail = models.TextField(blank=True, help_text="The traceback, for staff.")
    ticket = models.UUIDField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    dispatched_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ("-created_at",)

    @property
    def is_over(self) -> bool:
        """Done, failed or cancelled."""
        return self.state in (WorkState.DONE, WorkState.FAILED, WorkState.CANCELLED)


class Lost(Exception):
    """This attempt lost its work: cancelled, deleted, or given to another worker."""


class Refused(Exception):
    """The work cannot be done with what there is; the message is for people, and is final."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


Do = Callable[[Any, "Any"], None]
_KINDS: dict[str, Do] = {}


def register(model: type[W], do: Callable[[W, Any], None]) -> None:
    """Enter what does a kind of work: ``do(work, heart)``, called once when the app is ready.

    ``heart`` is an :class:`analysis.heart.Heart`: ``heart.progress(share, message)`` and
    ``heart.check()`` raise :class:`Lost` when the work was cancelled or given to another worker.
    ``do`` stores what it makes in a transaction that also calls :func:`finish`.
    """
    _KINDS[model._meta.label] = do


def start(work: BackgroundWork) -> None:
    """Hand out a saved piece of work as soon as this transaction is over."""
    transaction.on_commit(lambda: dispatch(type(work)))


def dispatch(model: type[BackgroundWork]) -> int:
    """Hand waiting work of a kind to the queue, the oldest first and one at a time; returns how
    many pieces were handed out."""
    with transaction.atomic():
        # Who comes second waits for the first, and sees then what was handed out: with skip_locked
        # the next piece would go out beside it.
        waiting = (
            model._default_manager.select_for_update()
            .filter(state=WorkState.QUEUED, ticket__isnull=True)
            .order_by("created_at")
            .first()
        )
        if (
            waiting is None
            or model._default_manager.filter(
                models.Q(state=WorkState.RUNNING)
                | models.Q(state=WorkState.QUEUED, ticket__isnull=False)
            ).exists()
        ):
            return 0
        ticket = uuid.uuid4()
        model._default_manager.filter(pk=waiting.pk).update(
            ticket=ticket, dispatched_at=timezone.now()
        )
        async_task(
            "analysis.tasks.run_background",
            model._meta.label,
            str(waiting.pk),
            str(ticket),
            cluster=model.queue,
            save=False,
        )
    return 1


def claim(model: type[W], pk: uuid.UUID, ticket: uuid.UUID) -> W | None:
    """Start work, if the ticket is still good; None if somebody else has it or had it."""
    now = timezone.now()
    claimed = model._default_manager.filter(pk=pk, ticket=ticket, state=WorkState.QUEUED).update(
        state=WorkState.RUNNING,
        percent=0,
        message="Starting",
        started_at=now,
        heartbeat_at=now,
        attempts=F("attempts") + 1,
    )
    return model._default_manager.get(pk=pk) if claimed else None


def run(label: str, pk: uuid.UUID, ticket: uuid.UUID) -> None:
    """Do one piece of work, whatever comes of it; never raises for what the work does."""
    from analysis.heart import Heart  # it imports the jobs, and with them the models

    model: type[BackgroundWork] = apps.get_model(label)
    work = claim(model, pk, ticket)
    if work is None:
        log.info("ticket of %s %s is no longer good", label, pk)
        return
    try:
        with Heart.of_background(work) as heart:
            _KINDS[label](work, heart)
    except Lost:
        log.warning("%s %s was cancelled, or given to another worker", label, pk)
    except Refused as error:
        fail(work, code=error.code, reason=error.message, final=True)
    except Exception:
        log.exception("%s %s: attempt %d failed", label, pk, work.attempts)
        fail(
            work,
            code="internal",
            reason="Something went wrong on our side. The traceback is kept with this run.",
            detail=traceback.format_exc(),
        )
    dispatch(model)


def beat(
    model: type[BackgroundWork],
    pk: uuid.UUID,
    ticket: uuid.UUID,
    *,
    percent: int | None = None,
    message: str = "",
) -> bool:
    """Say that running work lives (and how far it is); False if it is no longer ours."""
    changes: dict[str, object] = {"heartbeat_at": timezone.now()}
    if percent is not None:
        changes |= {"percent": percent, "message": message}
    return bool(
        model._default_manager.filter(pk=pk, ticket=ticket, state=WorkState.RUNNING).update(
            **changes
        )
    )


def finish(work: BackgroundWork) -> None:
    """Mark claimed work done. Call inside the transaction that stores what it made.

    Raises :class:`Lost` if it was cancelled or given to another worker meanwhile.
    """
    now = timezone.now()
    done = (
        type(work)
        ._default_manager.filter(pk=work.pk, ticket=work.ticket, state=WorkState.RUNNING)
        .update(
            state=WorkState.DONE,
            percent=100,
            message="",
            reason="",
            reason_code="",
            detail="",
            ticket=None,
            finished_at=now,
            heartbeat_at=now,
        )
    )
    if not done:
        raise Lost(str(work.pk))


def fail(
    work: BackgroundWork, *, code: str, reason: str, detail: str = "", final: bool = False
) -> None:
    """Record a failed attempt: queued again, or failed for good after the last allowed attempt."""
    changes: dict[str, object] = {"detail": detail[-20_000:], "ticket": None}
    if final or work.attempts >= settings.JOB_ATTEMPTS:
        changes |= {
            "state": WorkState.FAILED,
            "reason_code": code,
            "reason": reason[:1_000],
            "message": "",
            "finished_at": timezone.now(),
        }
    else:
        changes |= {"state": WorkState.QUEUED, "message": "Trying again"}
    type(work)._default_manager.filter(
        pk=work.pk, ticket=work.ticket, state=WorkState.RUNNING
    ).update(**changes)


def cancel(work: BackgroundWork) -> bool:
    """Stop work that waits or runs; False if it was over already. Its worker notices with its next
    sign of life; what it has finished stays for :func:`resume`."""
    return bool(
        type(work)
        ._default_manager.filter(pk=work.pk, state__in=UNDER_WAY)
        .update(
            state=WorkState.CANCELLED,
            ticket=None,
            message="",
            reason_code="cancelled",
            reason="It was stopped.",
            finished_at=timezone.now(),
        )
    )


def resume(work: BackgroundWork) -> bool:
    """Queue failed or cancelled work again, to go on where it was; False if it is not over."""
    changed = (
        type(work)
        ._default_manager.filter(pk=work.pk, state__in=(WorkState.FAILED, WorkState.CANCELLED))
        .update(
            state=WorkState.QUEUED,
            ticket=None,
            percent=0,
            message="",
            reason="",
            reason_code="",
            detail="",
            attempts=0,
            losses=0,
            finished_at=None,
        )
    )
    if changed:
        start(work)
    return bool(changed)


def is_busy(queue: str) -> bool:
    """Whether a worker of a queue has any kind of this work in hand."""
    kinds: list[type[BackgroundWork]] = [apps.get_model(label) for label in _KINDS]
    return any(
        model._default_manager.filter(state=WorkState.RUNNING).exists()
        for model in kinds
        if model.queue == queue
    )


def tick() -> int:
    """One round of the watchdog over all kinds: take back what was lost, hand out what waits."""
    now = timezone.now()
    handed_out = 0
    for label in _KINDS:
        model: type[BackgroundWork] = apps.get_model(label)
        rows = model._default_manager
        # Mostly there is nothing of a kind: one look instead of a round of updates.
        if not rows.filter(state__in=UNDER_WAY).exists():
            continue
        lost = rows.filter(
            state=WorkState.RUNNING,
            heartbeat_at__lt=now - timedelta(seconds=settings.JOB_LOST_AFTER_SECONDS),
        )
        lost.filter(losses__gte=MOST_LOSSES - 1).update(
            state=WorkState.FAILED,
            ticket=None,
            message="",
            finished_at=now,
            reason_code="worker_lost",
            reason="It stopped its worker several times, so we gave up on it.",
        )
        lost.update(
            state=WorkState.QUEUED,
            ticket=None,
            message="Going on after an interruption",
            losses=F("losses") + 1,
            attempts=F("attempts") - 1,
        )
        rows.filter(
            state=WorkState.QUEUED,
            ticket__isnull=False,
            dispatched_at__lt=now - _HANDED_OUT_LOST_AFTER,
        ).update(ticket=None)
        handed_out += dispatch(model)
    return handed_out
