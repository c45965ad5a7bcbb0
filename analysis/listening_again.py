"""Listening again in bulk, after an update of the models or the measurements."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from analysis.models import Job, JobState, Report, Stage
from analysis.services import request_listening
from analysis.versions import listen_version
from catalog.models import Artist, Revision
from catalog.selectors import current_revisions

PRIORITY = -10
"""Behind everything that artists wait for, which has 0."""

_AT_ONCE = 500


@dataclass(frozen=True)
class Requested:
    """How many revisions have only reports of other versions, and what became of them: ``queued``
    now, ``waiting`` or running since before, ``failed`` with today's version and left alone."""

    found: int
    queued: int
    waiting: int
    failed: int


def heard_by_older(
    artist: Artist | None = None, *, with_earlier: bool = False
) -> QuerySet[Revision]:
    """Revisions that have a report, but none by today's version: each track's newest, and with
    ``with_earlier`` also those before it."""
    reports = Report.objects.filter(content_sha256=OuterRef("content_sha256"), stage=Stage.LISTEN)
    revisions = Revision.objects.all() if with_earlier else current_revisions()
    found = revisions.filter(
        Exists(reports), ~Exists(reports.filter(model_version=listen_version()))
    )
    return found if artist is None else found.filter(artist=artist)


def request(artist: Artist | None = None, *, with_earlier: bool = False) -> Requested:
    """Queue the listening of everything that only other versions have heard, at low priority.

    Asking again queues nothing twice. Raises what :func:`analysis.versions.listen_version` does
    while the model is missing or damaged.
    """
    jobs = Job.objects.filter(
        revision=OuterRef("pk"), stage=Stage.LISTEN, model_version=listen_version()
    )
    by_state: dict[str | None, list[uuid.UUID]] = defaultdict(list)
    for revision_id, state in (
        heard_by_older(artist, with_earlier=with_earlier)
        .annotate(job_state=Subquery(jobs.values("state")[:1]))
        .order_by("-created_at", "pk")
        .values_list("pk", "job_state")
    ):
        by_state[state].append(revision_id)
    # A job that is done without a report: the report was removed since.
    to_queue = by_state[None] + by_state[JobState.DONE]
    _queue(to_queue)
    return Requested(
        found=sum(len(revision_ids) for revision_ids in by_state.values()),
        queued=len(to_queue),
        waiting=len(by_state[JobState.QUEUED]) + len(by_state[JobState.RUNNING]),
        failed=len(by_state[JobState.FAILED]),
    )


def without_sections(artist: Artist | None = None) -> QuerySet[Revision]:
    """Each track's newest revision that today's version has heard, but before it kept sections."""
    reports = Report.objects.filter(
        content_sha256=OuterRef("content_sha256"),
        stage=Stage.LISTEN,
        model_version=listen_version(),
        sections__isnull=True,
    )
    found = current_revisions().filter(Exists(reports))
    return found if artist is None else found.filter(artist=artist)


def request_sections(artist: Artist | None = None) -> int:
    """Queue, at low priority, the listening of everything that has no sections yet and does not
    wait for it already; returns how many revisions that are."""
    under_way = Job.objects.filter(
        revision=OuterRef("pk"),
        stage=Stage.LISTEN,
        model_version=listen_version(),
        state__in=(JobState.QUEUED, JobState.RUNNING),
    )
    ids = list(without_sections(artist).exclude(Exists(under_way)).values_list("pk", flat=True))
    _queue(ids)
    return len(ids)


def _queue(revision_ids: Sequence[uuid.UUID]) -> None:
    for start in range(0, len(revision_ids), _AT_ONCE):
        request_listening(revision_ids[start : start + _AT_ONCE], afresh=True, priority=PRIORITY)
