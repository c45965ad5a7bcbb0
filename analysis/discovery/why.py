"""The reasons of hits: their documents fetched together, whatever their number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from analysis.discovery import sections
from analysis.discovery.models import EmbeddingSpace
from analysis.discovery.reasons import Heard, reasons, section_reason
from analysis.discovery.search import Hit
from analysis.models import Report, Stage

_PARTS = ("tempo", "key", "genre", "features", "mix")


def reasons_of(report: Report, hits: Sequence[Hit], *, most: int = 4) -> dict[UUID, list[str]]:
    """Why each hit is like the track of ``report``, by the id of the hit's track."""
    heard = _heard([report, *(hit.report for hit in hits)])
    start = heard[report.pk]
    parts = sections.of_reports([report.pk, *(hit.report.pk for hit in hits)])
    space = EmbeddingSpace.objects.filter(model_version=report.model_version).first()
    table = space.section_quantiles if space is not None else []
    found = {}
    for hit in hits:
        told = reasons(start, heard[hit.report.pk], most=most)
        if report.pk in parts and hit.report.pk in parts and table:
            best = sections.matches(parts[report.pk], parts[hit.report.pk], table=table, most=1)[0]
            like = section_reason(best.a_start_s, best.b_start_s, best.percentile)
            told = [*told[: most - 1], like] if like else told
        found[hit.track.pk] = told
    return found


def _heard(reports: Iterable[Report]) -> dict[UUID, Heard]:
    """What is known of the contents of reports, in two queries; only the parts of the documents
    that reasons are made of leave the database."""
    by_id = {report.pk: report for report in reports}
    documents = {
        row["pk"]: {name: row[f"document__{name}"] for name in _PARTS}
        for row in Report.objects.filter(pk__in=by_id).values(
            "pk", *(f"document__{name}" for name in _PARTS)
        )
    }
    others: dict[tuple[str, str], Any] = {}
    for sha256, stage, stems, singing, tags in (
        Report.objects.filter(
            content_sha256__in={report.content_sha256 for report in by_id.values()},
            stage__in=(Stage.SEPARATE, Stage.VOICE),
        )
        .order_by("created_at")
        .values_list(
            "content_sha256", "stage", "document__stems", "document__singing", "document__tags"
        )
    ):
        is_voice = stage == Stage.VOICE
        others[sha256, stage] = (
            {"singing": singing, "tags": tags or {}} if is_voice else {"stems": stems or []}
        )
    return {
        pk: Heard(
            report=documents[pk],
            stems=others.get((report.content_sha256, Stage.SEPARATE)),
            voice=others.get((report.content_sha256, Stage.VOICE)),
        )
        for pk, report in by_id.items()
        if pk in documents
    }
