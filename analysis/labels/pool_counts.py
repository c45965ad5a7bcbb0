"""The figures of a run of the pool, kept in its row while it goes on."""

from __future__ import annotations

from analysis import background
from analysis.background import WorkState
from analysis.labels.models import PoolRun


def set_counts(run: PoolRun, counts: dict[str, int]) -> None:
    """Set figures of a claimed run. Raises :class:`analysis.background.Lost`."""
    run.counts = {**run.counts, **counts}
    ours = PoolRun.objects.filter(pk=run.pk, ticket=run.ticket, state=WorkState.RUNNING)
    if not ours.update(counts=run.counts):
        raise background.Lost(str(run.pk))


def add_counts(run: PoolRun, more: dict[str, int]) -> None:
    """Add to figures of a claimed run, within the transaction that makes them true. Raises
    :class:`analysis.background.Lost`."""
    set_counts(run, {name: run.counts.get(name, 0) + value for name, value in more.items()})
