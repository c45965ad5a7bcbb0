"""Long work without a track, done in the test itself."""

from __future__ import annotations

import uuid

from analysis import background
from analysis.background import WorkState


def worked(run):
    """Do a piece of long work as a worker does: claim it by its ticket, and do it."""
    ticket = uuid.uuid4()
    type(run).objects.filter(pk=run.pk).update(ticket=ticket, state=WorkState.QUEUED)
    background.run(run._meta.label, run.pk, ticket)
    run.refresh_from_db()
    return run
