"""Training that starts by itself: after so many newly labelled clips, or every so many days."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.utils import timezone

from analysis.background import UNDER_WAY
from analysis.labels import label_settings
from analysis.labels.models import Ballot
from analysis.registry.models import ModelName, TrainingRun, Trigger

log = logging.getLogger(__name__)


def newly_labelled() -> int:
    """Clips that were labelled since the last training was asked for, whatever came of it."""
    ballots = Ballot.objects.filter(skipped=False, votes__isnull=False)
    last = _last()
    if last is not None:
        ballots = ballots.filter(created_at__gt=last.created_at)
    return ballots.values("clip").distinct().count()


def due() -> str | None:
    """The trigger that asks for a training now, or None."""
    wishes = label_settings.current()
    if not wishes.train_after_labels and not wishes.train_every_days:
        return None
    new = newly_labelled()
    if not new or is_under_way():
        return None
    if 0 < wishes.train_after_labels <= new:
        return Trigger.LABELS
    last = _last()
    every = timedelta(days=wishes.train_every_days)
    if every and (last is None or timezone.now() - last.created_at >= every):
        return Trigger.SCHEDULE
    return None


def start_if_due() -> TrainingRun | None:
    """Start a training if its time has come; called now and then by the watchdog."""
    from analysis.registry.training_runs import CannotTrain, start_training

    trigger = due()
    if trigger is None:
        return None
    try:
        run = start_training(ModelName.TIMBRE, trigger=trigger)
    except CannotTrain as error:
        log.info("no training now: %s", error)
        return None
    log.info("training starts by itself: %s", trigger)
    return run


def is_under_way(model: str = ModelName.TIMBRE) -> bool:
    """Whether a training of a model waits or runs."""
    return TrainingRun.objects.filter(model=model, state__in=UNDER_WAY).exists()


def _last() -> TrainingRun | None:
    return TrainingRun.objects.filter(model=ModelName.TIMBRE).order_by("-created_at").first()
