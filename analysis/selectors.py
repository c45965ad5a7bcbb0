"""Reads of the analysis: reports, jobs, similar tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from pgvector.django import CosineDistance

from analysis.models import Embedding, Job, Report, Stage
from catalog.models import Artist, Revision, Track

# Pairs beyond this many are sampled for a hit's percentile; enough for whole percents.
_PERCENTILE_POOL = 2_000
_LEAST_FOR_PERCENTILE = 20


def job_of(revision: Revision, stage: str = Stage.LISTEN) -> Job | None:
    """The newest job of a stage of a revision."""
    return revision.jobs.filter(stage=stage).order_by("-queued_at").first()


def report_of(revision: Revision, stage: str = Stage.LISTEN) -> Report | None:
    """The newest report of a stage; while a newer model works, the older one's report stays."""
    return (
        Report.objects.filter(content_sha256=revision.content_sha256, stage=stage)
        .order_by("-created_at")
        .first()
    )


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

    ``percentile``: it is nearer than this share (0..100) of all tracks that the asker may see;
    None where they are too few for a share to mean anything.
    ``reasons``: what both have in common, in words made from their reports.
    """

    track: Track
    revision: Revision
    report: Report
    percentile: int | None
    reasons: list[str]
    is_own: bool

    @property
    def artist_name(self) -> str:
        return self.track.artist.name


def visible_revisions(artist: Artist | None) -> QuerySet[Revision]:
    """Current revisions that an artist may find: own ones, and those of discoverable tracks. Nobody
    finds references by others: they are there to be measured, not to be heard."""
    allowed = Q(track__discoverable=True)
    if artist is not None:
        allowed |= Q(artist=artist)
    newer = Revision.objects.filter(track=OuterRef("track"), number__gt=OuterRef("number"))
    return Revision.objects.filter(allowed, track__is_reference=False).filter(~Exists(newer))


def similar_tracks(
    report: Report, *, asker: Artist | None, exclude: Track, limit: int = 8
) -> list[SimilarTrack]:
    """Tracks nearest to ``report``'s among those that ``asker`` may see, nearest first."""
    own = Embedding.objects.filter(report=report).first()
    if own is None:
        return []
    seen = visible_revisions(asker).filter(content_sha256=OuterRef("content_sha256"))
    pool = Embedding.objects.filter(
        Exists(seen.exclude(track=exclude)), model_version=own.model_version
    ).exclude(content_sha256=report.content_sha256)
    distance = CosineDistance("vector", own.vector)
    with transaction.atomic(), connection.cursor() as cursor:
        # The filter is applied while the index is walked, or few of the nearest would remain.
        cursor.execute("SET LOCAL hnsw.iterative_scan = 'relaxed_order'")
        nearest = list(
            pool.annotate(distance=distance).order_by("distance").select_related("report")[:limit]
        )
    nearest.sort(key=lambda embedding: embedding.distance)
    sample = sorted(
        pool.annotate(distance=distance).values_list("distance", flat=True)[:_PERCENTILE_POOL]
    )
    revisions: dict[str, Revision] = {}
    for revision in (
        visible_revisions(asker)
        .exclude(track=exclude)
        .filter(content_sha256__in=[embedding.content_sha256 for embedding in nearest])
        .select_related("track__artist", "track__album")
    ):
        # Two artists may hold the same content; an own one is shown first.
        if revision.content_sha256 not in revisions or revision.artist == asker:
            revisions[revision.content_sha256] = revision
    return [
        SimilarTrack(
            track=held.track,
            revision=held,
            report=embedding.report,
            percentile=_percentile(embedding.distance, sample),
            reasons=reasons(report.document, embedding.report.document),
            is_own=asker is not None and held.artist_id == asker.pk,
        )
        for embedding in nearest
        if (held := revisions.get(embedding.content_sha256)) is not None
    ]


def _percentile(distance: float, sample: list[float]) -> int | None:
    """Share (0..100) of sampled distances that are larger; None of fewer than twenty."""
    if len(sample) < _LEAST_FOR_PERCENTILE:
        return None
    return round(100 * sum(other > distance for other in sample) / len(sample))


def reasons(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What two reports have in common, as short phrases; empty if nothing can be named."""
    found = []
    a, b = one["tempo"]["bpm"], other["tempo"]["bpm"]
    if a and b and abs(a - b) <= 0.04 * a:
        found.append(f"same tempo, {b:.0f} BPM")
    elif a and b and min(abs(a - 2 * b) / a, abs(2 * a - b) / b) <= 0.04:
        found.append("tempo at half or double time")
    if key_name(one["key"]) and key_name(one["key"]) == key_name(other["key"]):
        found.append(f"same key, {key_name(other['key'])}")
    decided = one["genre"].get("decided") and other["genre"].get("decided")
    if decided and one["genre"]["label"] == other["genre"]["label"]:
        found.append(f"both heard as {other['genre']['label']}")
    for name in ("energy", "acousticness", "danceability", "valence"):
        a, b = one["features"][name], other["features"][name]
        if a is not None and b is not None and abs(a - b) <= 0.06:
            found.append(f"{name} alike")
    levels = [
        abs(x["level_db"] - y["level_db"])
        for x, y in zip(one["mix"]["bands"], other["mix"]["bands"], strict=False)
        if x["level_db"] is not None and y["level_db"] is not None
    ]
    if levels and max(levels) <= 3.0:
        found.append("tonal balance within 3 dB in every band")
    return found[:4]
