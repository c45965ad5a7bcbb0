"""What the serving timbre model says of each clip: for the queue, and for who compares it later.

A run of the pool ends with it; :func:`request_predictions` asks for nothing else, after a model was
switched on. Housekeeping asks too, should that have been missed.
"""

from __future__ import annotations

import logging
import time
from typing import Protocol

from django.db.models import QuerySet

from analysis.labels import pool_services
from analysis.labels.clip_files import read_clip
from analysis.labels.models import ClipState, PoolRun, VoiceClip
from analysis.neural.weights import WeightsUnavailable, find
from catalog.models import User

log = logging.getLogger(__name__)

_MODEL = "timbre"
_UNUSABLE = (WeightsUnavailable, KeyError, ValueError, OSError)


class Beating(Protocol):
    """What the work reports to; see :class:`analysis.heart.Heart`."""

    def progress(self, fraction: float, message: str) -> None: ...


def request_predictions(*, by: User | None = None) -> PoolRun | None:
    """Have the serving model listen to all clips that it has not heard; None if there are none.

    The run that is open takes it on; else a new one does this alone.
    """
    if not stale_clips().exists():
        return None
    return pool_services.request_run(scope=pool_services.NO_WALK, by=by)


def stale_clips() -> QuerySet[VoiceClip]:
    """Clips of the pool that the serving model has not heard; none while no model serves."""
    try:
        identity = find(_MODEL).identity
    except _UNUSABLE as error:
        log.error("no clip can be listened to: %s", error)
        return VoiceClip.objects.none()
    return VoiceClip.objects.filter(state=ClipState.POOL).exclude(predicted_by=identity)


def refresh(heart: Beating, *, until: float) -> tuple[int, bool]:
    """Listen to such clips until a time of the monotonic clock. Returns how many were heard, and
    whether none is left."""
    stale = list(stale_clips().order_by("lot").values_list("pk", flat=True))
    if not stale:
        return 0, True
    from analysis.neural.timbre.model import load

    try:
        timbre = load()
    except _UNUSABLE as error:
        log.error("no clip can be listened to: %s", error)
        return 0, True
    for number, pk in enumerate(stale):
        if time.monotonic() > until:
            return number, False
        heart.progress(number / len(stale), f"Listening to clip {number + 1} of {len(stale)}")
        clip = VoiceClip.objects.filter(pk=pk).first()
        if clip is None:
            continue
        try:
            heard = timbre.hear(read_clip(clip)).probabilities.tolist()
        except (FileNotFoundError, ValueError):
            log.exception("clip %s cannot be listened to", clip.name)
            heard = []
        found = dict(zip(timbre.tags, (round(float(p), 4) for p in heard), strict=False))
        VoiceClip.objects.filter(pk=pk).update(
            predicted=found, predicted_by=timbre.weights.identity
        )
    return len(stale), True
