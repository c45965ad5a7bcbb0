"""Writes of the pool's runs: asking for one, stopping it, laying it down until there is more to do.

There is one open run at most. Whoever wants more done joins it: its scope grows, and it looks
again. A run works for a minute at a time, then goes to the end of the queue, so that songs are
separated and voices heard in between; while nothing but the stems of others is missing, it waits
without a worker.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from analysis import background
from analysis.background import WorkState
from analysis.labels.models import ClipState, PoolRun, VoiceClip
from catalog.models import User
from sonicsite import locks

log = logging.getLogger(__name__)

EVERYTHING: dict[str, Any] = {}
NO_WALK: dict[str, Any] = {"walk": False}
"""Scopes: all consenting artists; none, only uploaded takes and what models say of clips. A scope
{"artists": [ids]} is in between."""

_TURN = "pool runs"
_LOOK_AGAIN_AFTER = timedelta(minutes=5)
# The watchdog takes a ticket back that nobody came with for two minutes.
_TAKEN_BACK_AFTER = timedelta(minutes=2)

OPEN = (WorkState.QUEUED, WorkState.RUNNING)


def scope_of(artist_ids: Iterable[int] | None) -> dict[str, Any]:
    """The scope that is limited to some artists; None for all."""
    return EVERYTHING if artist_ids is None else {"artists": sorted(set(artist_ids))}


def request_run(*, scope: dict[str, Any] = EVERYTHING, by: User | None = None) -> PoolRun:
    """A run that will do what the scope asks for: the open one, or a new one."""
    with transaction.atomic():
        locks.turn(_TURN)
        run = open_run()
        if run is None:
            run = PoolRun.objects.create(scope=scope, created_by=by)
            background.start(run)
        else:
            run.scope = {**_merged(run.scope, scope), "again": True}
            PoolRun.objects.filter(pk=run.pk).update(scope=run.scope)
            _wake()
    return run


def stop_run(run: PoolRun) -> bool:
    """Stop a run that waits or works; what it has made stays. False if it was over already."""
    return background.cancel(run)


def resume_run(run: PoolRun, *, by: User | None = None) -> PoolRun:
    """Go on with a run that was stopped or failed: the same one, or the open one if there is."""
    with transaction.atomic():
        locks.turn(_TURN)
        if open_run() is None:
            background.resume(run)
            run.refresh_from_db()
            return run
    return request_run(scope=_plain(run.scope), by=by)


def open_run() -> PoolRun | None:
    """The run that waits or works, if there is one."""
    return PoolRun.objects.filter(state__in=OPEN).order_by("created_at").first()


def wake_run() -> None:
    """Let a run that waits for stems look again, now."""
    with transaction.atomic():
        if PoolRun.objects.filter(state=WorkState.QUEUED).exists():
            _wake()


def _wake() -> None:
    PoolRun.objects.filter(state=WorkState.QUEUED).update(ticket=None, dispatched_at=None)
    transaction.on_commit(lambda: background.dispatch(PoolRun))


def finish_or_go_on(run: PoolRun) -> bool:
    """End a run that has done all it was asked for; one that was asked for more meanwhile goes
    into the queue again. Returns whether it is over. Raises :class:`analysis.background.Lost`."""
    with transaction.atomic():
        locks.turn(_TURN)
        scope = PoolRun.objects.select_for_update().values_list("scope", flat=True).get(pk=run.pk)
        if not scope.get("again"):
            background.finish(run)
            return True
        PoolRun.objects.filter(pk=run.pk).update(scope=_plain(scope))
        give_up_turn(run)
        return False


def give_up_turn(run: PoolRun) -> None:
    """Put a claimed run at the end of the queue. Raises :class:`analysis.background.Lost`."""
    _lay_down(run, message="Waiting for its turn", ticket=None, dispatched_at=None)


def wait_for_stems(run: PoolRun, tracks: int) -> None:
    """Lay a claimed run down until stems are there, or for some minutes. Raises
    :class:`analysis.background.Lost`."""
    counted = "1 track" if tracks == 1 else f"{tracks} tracks"
    _lay_down(
        run,
        message=f"Waiting for the stems of {counted}",
        # Nobody has this ticket: the watchdog takes it back when it is time to look again.
        ticket=uuid.uuid4(),
        dispatched_at=timezone.now() + _LOOK_AGAIN_AFTER - _TAKEN_BACK_AFTER,
    )


def _lay_down(run: PoolRun, **changes: Any) -> None:
    laid = PoolRun.objects.filter(pk=run.pk, ticket=run.ticket, state=WorkState.RUNNING).update(
        state=WorkState.QUEUED, attempts=F("attempts") - 1, **changes
    )
    if not laid:
        raise background.Lost(str(run.pk))


def _plain(scope: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in scope.items() if name != "again"}


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The scope that holds both."""
    scopes = [_plain(scope) for scope in (one, other)]
    walking = [scope for scope in scopes if scope.get("walk", True)]
    if not walking:
        return NO_WALK
    if any("artists" not in scope for scope in walking):
        return EVERYTHING
    return scope_of(artist for scope in walking for artist in scope["artists"])


def set_usable(clip: VoiceClip, *, usable: bool) -> bool:
    """Take a clip out of the pool as unusable, or put it (back) in, a near-duplicate too. False if
    nothing changed. Votes stay as they are."""
    state = ClipState.POOL if usable else ClipState.UNUSABLE
    changed = VoiceClip.objects.filter(pk=clip.pk).exclude(state=state)
    if changed.update(state=state, duplicate_of=None, locked_by=None, locked_until=None):
        clip.state, clip.duplicate_of = state, None
        return True
    return False
