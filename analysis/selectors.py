"""Reads of the analysis: reports, jobs, similar tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When

from analysis.discovery.request import Asker, SearchRequest, Seed
from analysis.discovery.search import search
from analysis.discovery.seeds import SeedNotHeard
from analysis.discovery.why import reasons_of
from analysis.models import Job, JobState, Report, Stage
from analysis.neural.weights import WeightsUnavailable
from analysis.versions import listen_version, voice_version
from catalog.models import Artist, Revision, Track


def job_of(revision: Revision, stage: str = Stage.LISTEN) -> Job | None:
    """The newest job of a stage of a revision, re-tagging left out (:data:`NOT_RETAGGING`)."""
    return revision.jobs.filter(NOT_RETAGGING, stage=stage).order_by("-queued_at").first()


NOT_RETAGGING = Q(priority__gte=0) | Q(state=JobState.DONE)
"""Jobs that somebody waits for. What is done again in the background, for another version of a
model, shows when it is done: until then the reports that were there stay, and the page is calm."""


def report_of(revision: Revision, stage: str = Stage.LISTEN) -> Report | None:
    """The report of a stage that pages show: that of the version that serves if there is one, or
    else the newest. So old reports stay while a newer model works, and going back to an older
    version shows its reports again at once."""
    found = Report.objects.filter(content_sha256=revision.content_sha256, stage=stage)
    return found.order_by(*shown_first(stage)).first()


def shown_first(stage: str) -> tuple[Case | str, ...]:
    """How reports of a stage are ordered so that the one that is shown (:func:`report_of`) comes
    first among those of one content."""
    version = _serving_version(stage)
    newest = ("-created_at",)
    if version is None:
        return newest
    return (Case(When(model_version=version, then=0), default=1), *newest)


def shown_reports(reports: QuerySet[Report], stage: str) -> QuerySet[Report]:
    """Of each content's reports of a stage, only those that may be shown: that of the version that
    serves, or all where there is none; order them by :func:`shown_first`."""
    version = _serving_version(stage)
    found = reports.filter(stage=stage)
    if version is None:
        return found
    same = Report.objects.filter(
        content_sha256=OuterRef("content_sha256"), stage=stage, model_version=version
    )
    return found.filter(Q(model_version=version) | ~Exists(same))


def _serving_version(stage: str) -> str | None:
    """Of stages whose versions are switched by people; None for others, and while the model is
    missing or damaged."""
    wanted = {Stage.LISTEN: listen_version, Stage.VOICE: voice_version}.get(Stage(stage))
    try:
        return wanted() if wanted else None
    except (WeightsUnavailable, KeyError, ValueError, OSError):
        return None  # said by /readyz


def count_with_reports(revisions: Sequence[Revision], stage: str = Stage.LISTEN) -> int:
    """How many of the revisions have a report of a stage."""
    contents = [revision.content_sha256 for revision in revisions]
    found = Report.objects.filter(content_sha256__in=contents, stage=stage)
    return found.values("content_sha256").distinct().count()


def key_name(key: dict[str, Any]) -> str:
    """``"F# minor"``, or an empty text where no key was found."""
    return f"{key['tonic']} {key['mode']}" if key.get("tonic") else ""


# --- Similar tracks -------------------------------------------------------------------------------


@dataclass(frozen=True)
class SimilarTrack:
    """A neighbour in the similarity space.

    ``percentile``: it is nearer than this share (0..100, tenths) of all pairs of tracks are to each
    other; None while there are too few for a share to mean anything.
    ``reasons``: what both have in common, in words made from their reports.
    """

    track: Track
    revision: Revision
    report: Report
    percentile: float | None
    reasons: list[str]
    is_own: bool

    @property
    def artist_name(self) -> str:
        return self.track.artist.name


def similar_tracks(
    report: Report, *, asker: Artist | None, exclude: Track, limit: int = 8
) -> list[SimilarTrack]:
    """Tracks nearest to ``report``'s among those that ``asker`` may find, nearest first."""
    try:
        hits = search(
            SearchRequest(
                Asker.of_artist(asker),
                [Seed.report(report.pk)],
                exclude_tracks=(exclude.pk,),
                limit=limit,
            )
        )
    except SeedNotHeard:
        return []
    why = reasons_of(report, hits)
    return [
        SimilarTrack(
            track=hit.track,
            revision=hit.revision,
            report=hit.report,
            percentile=hit.percentile,
            reasons=why[hit.track.pk],
            is_own=hit.is_own,
        )
        for hit in hits
    ]
