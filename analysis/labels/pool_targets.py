"""What a run of the pool walks over: current versions of the tracks that may be used."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from analysis import separation_services
from analysis.models import Job, JobState, Report, Stage
from analysis.neural.separation.engine import EngineUnavailable
from catalog.models import Revision, Track
from catalog.selectors import consenting_tracks, current_revision_ids

log = logging.getLogger(__name__)

LOW_PRIORITY = -10
"""Stems that only the pool waits for come after everything that an artist waits for."""

_HOPEFUL = (JobState.QUEUED, JobState.RUNNING)


@dataclass
class Targets:
    """Current versions of consenting tracks: ``cut`` of ``tracks`` have been cut, ``ready`` can be,
    for ``waiting`` somebody makes stems, for ``without_stems`` nobody does (yet), and of
    ``stemless`` none could be made."""

    tracks: int = 0
    cut: int = 0
    ready: list[Revision] = field(default_factory=list)
    waiting: list[uuid.UUID] = field(default_factory=list)
    without_stems: list[uuid.UUID] = field(default_factory=list)
    stemless: list[uuid.UUID] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """The figures that a run shows."""
        return {
            "tracks": self.tracks,
            "cut": self.cut,
            "ready": len(self.ready),
            "waiting": len(self.waiting),
            "stemless": len(self.stemless) + len(self.without_stems),
        }


def tracks_in(scope: dict[str, Any]) -> QuerySet[Track]:
    """The tracks that a run's scope holds."""
    tracks = consenting_tracks()
    if not scope.get("walk", True):
        return tracks.none()
    return tracks.filter(artist__in=scope["artists"]) if "artists" in scope else tracks


def find_targets(scope: dict[str, Any]) -> Targets:
    """Look at the tracks of a scope, the longest in the catalogue first."""
    current = (
        tracks_in(scope)
        .annotate(current=current_revision_ids())
        .exclude(current=None)
        .values_list("current", flat=True)
    )
    revisions = (
        Revision.objects.filter(pk__in=list(current))
        .select_related("track", "artist", "cut")
        .order_by("created_at", "pk")
    )
    found = Targets()
    pending = []
    for revision in revisions:
        found.tracks += 1
        if hasattr(revision, "cut"):
            found.cut += 1
        else:
            pending.append(revision)
    with_stems = set(
        Report.objects.filter(
            stage=Stage.SEPARATE, content_sha256__in=[one.content_sha256 for one in pending]
        ).values_list("content_sha256", flat=True)
    )
    states = _separations([one.pk for one in pending])
    for revision in pending:
        asked = states.get(revision.pk)
        if revision.content_sha256 in with_stems:
            found.ready.append(revision)
        elif asked is None:
            found.without_stems.append(revision.pk)
        elif asked & set(_HOPEFUL):
            found.waiting.append(revision.pk)
        else:
            found.stemless.append(revision.pk)
    return found


def _separations(revision_ids: list[uuid.UUID]) -> dict[uuid.UUID, set[str]]:
    states: dict[uuid.UUID, set[str]] = {}
    jobs = Job.objects.filter(revision__in=revision_ids, stage=Stage.SEPARATE)
    for revision_id, state in jobs.values_list("revision", "state"):
        states.setdefault(revision_id, set()).add(state)
    return states


def ask_for_stems(revision_ids: list[uuid.UUID], *, check: Callable[[], None]) -> None:
    """Ask for stems that nobody has asked for, at low priority. Where this site has no engine that
    makes them, nothing is asked for."""
    for revision_id in revision_ids:
        check()
        try:
            with transaction.atomic():
                separation_services.request_separation(
                    [revision_id], again=False, priority=LOW_PRIORITY
                )
        except EngineUnavailable as error:
            log.error("cannot separate for the pool: %s", error)
            return
