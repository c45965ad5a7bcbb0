"""The spaces of the model versions: which one serves, and when another takes its place."""

from __future__ import annotations

from datetime import timedelta

from django.db import models, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from analysis import background
from analysis.discovery.models import EmbeddingSpace, IndexRun, SearchEntry
from analysis.models import Job, JobState, Stage
from analysis.neural.weights import WeightsUnavailable
from analysis.versions import listen_version
from sonicsite import locks

COVERED = 0.99
"""A new space takes over when it has this share of the tracks of the one that serves, and nothing
is still to be listened to."""

MEASURE_AGAIN_AFTER = 1.2
"""The quantiles are measured again when there are so many times as many tracks."""

_FIRST_MEASURED, _SMALL = 20, 1_000
_TURN = "embedding spaces"


def serving_space() -> EmbeddingSpace | None:
    """The space that is searched; None while there is none at all."""
    return EmbeddingSpace.objects.filter(is_serving=True).first()


def findable(space: EmbeddingSpace) -> QuerySet[SearchEntry]:
    """What a space's index and quantiles are made of: all but references, hidden tracks too."""
    return SearchEntry.objects.filter(space=space, is_reference=False)


def space_of(model_version: str) -> EmbeddingSpace:
    """The space of a model version, made when it is first needed. The first of all serves at once:
    before it there was nothing to be found."""
    space = EmbeddingSpace.objects.filter(model_version=model_version).first()
    if space is not None:
        return space
    with transaction.atomic():
        locks.turn(_TURN)
        space, _ = EmbeddingSpace.objects.get_or_create(
            model_version=model_version,
            defaults={"is_serving": not EmbeddingSpace.objects.filter(is_serving=True).exists()},
        )
    return space


def switch_to(space: EmbeddingSpace) -> None:
    """Search ``space`` from the next query on; searches that run finish in the one before."""
    with transaction.atomic():
        locks.turn(_TURN)
        EmbeddingSpace.objects.filter(is_serving=True).exclude(pk=space.pk).update(is_serving=False)
        EmbeddingSpace.objects.filter(pk=space.pk).update(is_serving=True)


def missing_in(space: EmbeddingSpace, other: EmbeddingSpace) -> QuerySet[SearchEntry]:
    """Entries of ``other`` whose tracks ``space`` does not have."""
    here = SearchEntry.objects.filter(space=space, track=OuterRef("track"))
    return SearchEntry.objects.filter(~Exists(here), space=other)


def can_take_over(space: EmbeddingSpace, serving: EmbeddingSpace) -> bool:
    """Whether ``space`` has as good as all tracks of the one that serves."""
    under_way = Job.objects.filter(
        stage=Stage.LISTEN,
        model_version=space.model_version,
        state__in=(JobState.QUEUED, JobState.RUNNING),
    )
    if under_way.exists():
        return False
    total = SearchEntry.objects.filter(space=serving).count()
    return missing_in(space, serving).count() <= (1.0 - COVERED) * total


def request_index(space: EmbeddingSpace, *, then_serve: bool = False) -> IndexRun | None:
    """Build a space's index and measure its quantiles in the background; None if that waits or runs
    already, or has failed within a day: staff shall see that first."""
    unfinished = models.Q(state__in=background.UNDER_WAY)
    failed = models.Q(
        state=background.WorkState.FAILED, finished_at__gt=timezone.now() - timedelta(days=1)
    )
    if IndexRun.objects.filter(unfinished | failed, space=space).exists():
        return None
    run = IndexRun(space=space, then_serve=then_serve)
    run.full_clean()
    run.save()
    background.start(run)
    return run


def look_after_small() -> None:
    """:func:`look_after` the serving space as soon as it is worth it, while it is small: the first
    artists shall not wait for the housekeeping."""
    serving = serving_space()
    if serving is None or serving.measured_entries > _SMALL:
        return
    entries = findable(serving).count()
    if entries >= _FIRST_MEASURED and entries > MEASURE_AGAIN_AFTER * serving.measured_entries:
        request_index(serving)


def look_after() -> None:
    """What the housekeeping does: index and measure what has grown, and let the space of today's
    version (a newer one, or one that was rolled back to) take over when it is complete."""
    serving = serving_space()
    if serving is None:
        return
    entries = findable(serving).count()
    grown = entries > MEASURE_AGAIN_AFTER * serving.measured_entries
    if entries and (grown or serving.indexed_at is None):
        request_index(serving)
    wanted = _wanted_space()
    if wanted is not None and wanted.pk != serving.pk and can_take_over(wanted, serving):
        request_index(wanted, then_serve=True)


def _wanted_space() -> EmbeddingSpace | None:
    """The space of the version that listens now; None while that cannot be told, or it has heard
    nothing yet."""
    try:
        version = listen_version()
    except (WeightsUnavailable, KeyError, ValueError, OSError):
        return None
    return EmbeddingSpace.objects.filter(model_version=version).first()
