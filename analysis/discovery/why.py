"""The reasons of hits: their documents fetched together, whatever their number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from analysis.discovery import sections
from analysis.discovery.reasons import Heard, reasons, section_reason
from analysis.discovery.search import Hit, Results
from analysis.models import Report, Stage
from catalog.models import Revision

_PARTS = ("tempo", "key", "genre", "features", "mix")


def reasons_of_results(track_id: UUID, results: Results) -> dict[UUID, list[str]]:
    """Why each hit is like a track, whose report is the one of the space that was searched; empty
    if it is gone."""
    current = Revision.objects.filter(track=track_id).order_by("-number")
    report = (
        Report.objects.filter(
            content_sha256=current.values("content_sha256")[:1],
            stage=Stage.LISTEN,
            model_version=results.model_version,
        )
        .defer("document")
        .first()
    )
    return {} if report is None else reasons_of(report, results.hits)


def reasons_of(report: Report, hits: Sequence[Hit], *, most: int = 4) -> dict[UUID, list[str]]:
    """Why each hit is like the track of ``report``, by the id of the hit's track."""
    found = measured_reasons([(report, hit) for hit in hits], most=most)
    parts = sections.of_reports([report.pk, *(hit.report.pk for hit in hits)])
    table = sections.table_of(report.model_version)
    for hit in hits:
        if report.pk in parts and hit.report.pk in parts and table:
            best = sections.matches(parts[report.pk], parts[hit.report.pk], table=table, most=1)[0]
            like = section_reason(best.a_start_s, best.b_start_s, best.percentile)
            if like:
                found[hit.track.pk] = [*found[hit.track.pk][: most - 1], like]
    return found


def measured_reasons(
    pairs: Sequence[tuple[Report, Hit]], *, most: int = 4
) -> dict[UUID, list[str]]:
    """Why each hit is like the track of the report beside it, its sections left out, by the id of
    the hit's track."""
    heard = _heard(report for start, hit in pairs for report in (start, hit.report))
    return {
        hit.track.pk: reasons(heard[start.pk], heard[hit.report.pk], most=most)
        for start, hit in pairs
    }


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
