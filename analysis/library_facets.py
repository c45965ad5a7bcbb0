"""Columns, filters and sort orders that the analysis adds to the library."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import OuterRef, Q, QuerySet, Subquery

from analysis.models import Job, JobState, Report, Stage
from analysis.selectors import NOT_RETAGGING, shown_first, shown_reports
from catalog.library import Facet, Tracks, register_facet
from catalog.models import Artist, Track

_TEMPOS = {
    "slow": ("below 90 BPM", Q(report_tempo_bpm__lt=90)),
    "medium": ("90 to 120 BPM", Q(report_tempo_bpm__gte=90, report_tempo_bpm__lt=120)),
    "fast": ("120 to 150 BPM", Q(report_tempo_bpm__gte=120, report_tempo_bpm__lt=150)),
    "very-fast": ("150 BPM and more", Q(report_tempo_bpm__gte=150)),
}
_LEVELS = {
    "quiet": ("quieter than -16 LUFS", Q(report_lufs__lt=-16)),
    "medium": ("-16 to -12 LUFS", Q(report_lufs__gte=-16, report_lufs__lt=-12)),
    "loud": ("-12 LUFS and louder", Q(report_lufs__gte=-12)),
}


def _newest_report(field: str) -> Subquery:
    reports = Report.objects.filter(
        content_sha256=OuterRef("current_sha256"), stage=Stage.LISTEN
    ).order_by(*shown_first(Stage.LISTEN))
    return Subquery(reports.values(field)[:1])


def _newest_job(field: str) -> Subquery:
    jobs = Job.objects.filter(
        NOT_RETAGGING, revision_id=OuterRef("current_revision_id"), stage=Stage.LISTEN
    ).order_by("-queued_at")
    return Subquery(jobs.values(field)[:1])


def _reports_of(artist: Artist) -> QuerySet[Report]:
    own = artist.revisions.filter(track__is_reference=False)
    reports = Report.objects.filter(content_sha256__in=own.values("content_sha256"))
    return shown_reports(reports, Stage.LISTEN)


def _genres(artist: Artist) -> list[tuple[str, str]]:
    names = _reports_of(artist).order_by("genre").values_list("genre", flat=True).distinct()
    return [(name, name.capitalize()) for name in names]


def _keys(artist: Artist) -> list[tuple[str, str]]:
    names = _reports_of(artist).exclude(key="").order_by("key").values_list("key", flat=True)
    return [(name, name) for name in names.distinct()]


def _one_of(table: dict[str, tuple[str, Q]], tracks: Tracks, value: str) -> Tracks:
    return tracks.filter(table[value][1]) if value in table else tracks.none()


def _labels(table: dict[str, tuple[str, Q]]) -> list[tuple[str, str]]:
    return [(value, label) for value, (label, _) in table.items()]


def _attach_jobs(tracks: Sequence[Track]) -> None:
    """Hang the newest listening job on each track, as ``listening_job``; one query."""
    ids = [track.current_revision_id for track in tracks]  # type: ignore[attr-defined]
    jobs = {
        job.revision_id: job
        for job in Job.objects.filter(
            NOT_RETAGGING, revision_id__in=ids, stage=Stage.LISTEN
        ).order_by("queued_at")
    }
    for track in tracks:
        track.listening_job = jobs.get(track.current_revision_id)  # type: ignore[attr-defined]


def register() -> None:
    """Add all facets; called once when the app is ready."""
    register_facet(
        Facet(
            name="genre",
            label="Genre",
            annotate=lambda tracks: tracks.annotate(
                report_genre=_newest_report("genre"),
                report_decided=_newest_report("genre_decided"),
            ),
            choices=_genres,
            filter=lambda tracks, value: tracks.filter(Q(report_genre=value)),
            sort_field="report_genre",
            cell_template="analysis/cells/genre.html",
        )
    )
    register_facet(
        Facet(
            name="tempo",
            label="Tempo",
            annotate=lambda tracks: tracks.annotate(report_tempo_bpm=_newest_report("tempo_bpm")),
            choices=lambda _artist: _labels(_TEMPOS),
            filter=lambda tracks, value: _one_of(_TEMPOS, tracks, value),
            sort_field="report_tempo_bpm",
            cell_template="analysis/cells/tempo.html",
        )
    )
    register_facet(
        Facet(
            name="key",
            label="Key",
            annotate=lambda tracks: tracks.annotate(report_key=_newest_report("key")),
            choices=_keys,
            filter=lambda tracks, value: tracks.filter(Q(report_key=value)),
            sort_field="report_key",
            cell_template="analysis/cells/key.html",
        )
    )
    register_facet(
        Facet(
            name="loudness",
            label="Loudness",
            annotate=lambda tracks: tracks.annotate(report_lufs=_newest_report("integrated_lufs")),
            choices=lambda _artist: _labels(_LEVELS),
            filter=lambda tracks, value: _one_of(_LEVELS, tracks, value),
            sort_field="report_lufs",
            cell_template="analysis/cells/loudness.html",
        )
    )
    register_facet(
        Facet(
            name="state",
            label="Report",
            annotate=lambda tracks: tracks.annotate(job_state=_newest_job("state")),
            choices=lambda _artist: [
                (str(v), str(label)) for v, label in JobState.choices if v != JobState.CANCELLED
            ],
            filter=lambda tracks, value: tracks.filter(Q(job_state=value)),
            sort_field="job_state",
            cell_template="analysis/cells/state.html",
            attach=_attach_jobs,
        )
    )
