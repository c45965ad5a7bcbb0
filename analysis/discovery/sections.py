"""Which section of one track is like which section of another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from analysis.discovery import percentiles
from analysis.discovery.models import DIMENSIONS, EmbeddingSpace, SectionEmbeddings
from analysis.models import Report, Stage
from catalog.models import Revision

Float = npt.NDArray[np.float32]
_STORED = np.dtype("<f2")


@dataclass(frozen=True)
class Sections:
    """The sections of one content in the order of time: ``vectors`` (n, 128) have length one,
    times are in seconds of the file."""

    start_s: list[float]
    end_s: list[float]
    vectors: Float


@dataclass(frozen=True)
class SectionMatch:
    """A section of A and the section of B that is like it.

    ``percentile``: they are nearer than this share (0..100) of pairs of sections of different
    tracks; None while too few were heard.
    """

    a_start_s: float
    a_end_s: float
    b_start_s: float
    b_end_s: float
    percentile: float | None


class NoSections(LookupError):
    """A track was heard before sections were kept, or by other versions than the other track: it
    has to be listened to again. The message is for people."""


def store(report: Report, sections: Any) -> None:
    """Keep the sections that the listening stage found beside their report: ``start_s``, ``end_s``,
    and ``vectors`` (n, 128) of length one."""
    SectionEmbeddings.objects.update_or_create(
        report=report,
        defaults={
            "start_s": [round(float(value), 3) for value in sections.start_s],
            "end_s": [round(float(value), 3) for value in sections.end_s],
            "vectors": np.ascontiguousarray(sections.vectors, dtype=_STORED).tobytes(),
        },
    )


def of_reports(report_ids: Iterable[UUID]) -> dict[UUID, Sections]:
    """Sections of those reports that have any, in one query."""
    rows = SectionEmbeddings.objects.filter(report__in=list(report_ids))
    return {row.report_id: _read(row) for row in rows}


def table_of(model_version: str) -> list[float]:
    """The quantiles by which a version's pairs of sections are judged; empty until measured."""
    space = EmbeddingSpace.objects.filter(model_version=model_version).first()
    return space.section_quantiles if space is not None else []


def _read(row: SectionEmbeddings) -> Sections:
    stored = np.frombuffer(bytes(row.vectors), dtype=_STORED).reshape(-1, DIMENSIONS)
    vectors = stored.astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Sections(list(row.start_s), list(row.end_s), vectors)


def best_matching_sections(a: Revision, b: Revision, *, most: int = 3) -> list[SectionMatch]:
    """The pairs of sections of two revisions that are most alike, best first; no two overlap in
    either track. Raises NoSections."""
    reports = {
        (report.content_sha256, report.model_version): report
        for report in Report.objects.filter(
            content_sha256__in=[a.content_sha256, b.content_sha256], stage=Stage.LISTEN
        )
        .only("pk", "content_sha256", "model_version", "created_at")
        .order_by("created_at")
    }
    shared = [
        version
        for sha256, version in reports
        if sha256 == a.content_sha256 and (b.content_sha256, version) in reports
    ]
    for version in reversed(shared):
        one, other = (reports[r.content_sha256, version] for r in (a, b))
        heard = of_reports([one.pk, other.pk])
        if one.pk in heard and other.pk in heard:
            return matches(heard[one.pk], heard[other.pk], table=table_of(version), most=most)
    raise NoSections(
        "The sections of these tracks are not known yet. Listen to both again, and they will be."
    )


def matches(a: Sections, b: Sections, *, table: list[float], most: int = 3) -> list[SectionMatch]:
    """The ``most`` nearest pairs of sections, best first. The best pair is taken, then the best one
    that overlaps none before it in A or in B, and so on."""
    distances = np.maximum(1.0 - a.vectors @ b.vectors.T, 0.0)
    found: list[SectionMatch] = []
    taken_a: list[int] = []
    taken_b: list[int] = []
    for flat in np.argsort(distances, axis=None, kind="stable"):
        i, j = divmod(int(flat), distances.shape[1])
        if any(_overlap(a, i, k) for k in taken_a) or any(_overlap(b, j, k) for k in taken_b):
            continue
        taken_a.append(i)
        taken_b.append(j)
        found.append(
            SectionMatch(
                a.start_s[i],
                a.end_s[i],
                b.start_s[j],
                b.end_s[j],
                percentiles.percentile(float(distances[i, j]), table),
            )
        )
        if len(found) == most:
            break
    return found


def _overlap(one: Sections, i: int, j: int) -> bool:
    return one.start_s[i] < one.end_s[j] and one.start_s[j] < one.end_s[i]
