"""The consistency section that the analysis adds to the catalogue's album page."""

from __future__ import annotations

from typing import Any

from analysis.mixing.album import TrackSound, check_album
from analysis.models import Report, Stage
from analysis.selectors import shown_reports
from catalog.models import Album, Revision
from catalog.registry import AlbumSection, register_album_section
from catalog.selectors import current_revision_ids


def album_context(album: Album) -> dict[str, Any]:
    """The tracks of an album side by side; tracks without a report are named as such."""
    order = list(
        album.tracks.annotate(current_revision_id=current_revision_ids())
        .order_by("position", "created_at")
        .values_list("current_revision_id", flat=True)
    )
    revisions = Revision.objects.select_related("track").in_bulk(
        [revision_id for revision_id in order if revision_id is not None]
    )
    in_order = [revisions.get(revision_id) for revision_id in order]
    present = [revision for revision in in_order if revision is not None]
    documents = _newest_documents([revision.content_sha256 for revision in present])
    sounds = [
        _sound(revision, documents[revision.content_sha256])
        if revision is not None and revision.content_sha256 in documents
        else None
        for revision in in_order
    ]
    return {
        "album": album,
        "verdict": check_album(sounds),
        "missing": [r.track for r in present if r.content_sha256 not in documents],
        "addresses": {str(r.pk): r.track.get_absolute_url() for r in present},
    }


def _newest_documents(contents: list[str]) -> dict[str, dict[str, Any]]:
    """The parts of the newest listening reports that the comparison needs, by content."""
    rows = (
        shown_reports(Report.objects.filter(content_sha256__in=contents), Stage.LISTEN)
        .order_by("created_at")
        .values("content_sha256", "document__loudness", "document__mix__bands")
    )
    return {row["content_sha256"]: dict(row) for row in rows}


def _sound(revision: Revision, row: dict[str, Any]) -> TrackSound:
    loudness = row["document__loudness"]
    return TrackSound(
        key=str(revision.pk),
        title=str(revision.track),
        integrated_lufs=loudness.get("integrated_lufs"),
        true_peak_dbtp=loudness.get("true_peak_dbtp"),
        bands=[(band["label"], band["measured_db"]) for band in row["document__mix__bands"]],
        sample_rate=revision.sample_rate,
        bit_depth=revision.bit_depth,
        channels=revision.channels,
        silence_head_s=loudness.get("silence_head_s") or 0.0,
        silence_tail_s=loudness.get("silence_tail_s") or 0.0,
    )


def register() -> None:
    """Add the section; called once when the app is ready."""
    register_album_section(
        AlbumSection(
            template="analysis/_album_check.html",
            stylesheet="css/release.css",
            context=album_context,
        )
    )
