"""The release check of one track: facts gathered from reports, catalogue and services, judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analysis import playback, selectors
from analysis.jobs import position_and_wait
from analysis.mixing.evidence import Evidence
from analysis.mixing.release import (
    GROUPS,
    Details,
    EncodedPeak,
    ReleaseFacts,
    ReleaseItem,
    ReleaseVerdict,
    SourceFile,
)
from analysis.mixing.release_verdict import check_release
from analysis.models import Job, JobState, Report, Stage
from analysis.templatetags.report import format_name
from catalog.models import Revision, Track


@dataclass(frozen=True)
class ReleasePage:
    """What the section of the release check shows; ``job`` is None until it was asked for."""

    verdict: ReleaseVerdict
    groups: list[tuple[str, list[ReleaseItem]]]
    encodings: list[EncodedPeak]
    original_dbtp: float | None
    original_lufs: float | None
    job: Job | None
    queue_position: int | None
    services_as_of: str
    libavcodec: str

    @property
    def is_running(self) -> bool:
        return self.job is not None and self.job.state in (JobState.QUEUED, JobState.RUNNING)


def release_page(track: Track, revision: Revision) -> ReleasePage | None:
    """The section for one revision; None while it has not been listened to."""
    report = selectors.report_of(revision)
    if report is None:
        return None
    encoded = selectors.report_of(revision, Stage.RELEASE)
    job = selectors.job_of(revision, Stage.RELEASE)
    facts = facts_of(track, revision, report, encoded)
    verdict = check_release(facts)
    waits = job is not None and job.state == JobState.QUEUED
    return ReleasePage(
        verdict=verdict,
        groups=[
            (title, items)
            for group, title in GROUPS.items()
            if (items := [item for item in verdict.in_order if item.group == group])
        ],
        encodings=list(facts.encodings or []),
        original_dbtp=encoded.document["true_peak_dbtp"] if encoded else None,
        original_lufs=encoded.document["integrated_lufs"] if encoded else None,
        job=job,
        queue_position=position_and_wait(job)[0] if job is not None and waits else None,
        services_as_of=playback.as_of(facts.services),
        libavcodec=encoded.document["versions"]["libavcodec"] if encoded else "",
    )


def facts_of(
    track: Track, revision: Revision, report: Report, encoded: Report | None
) -> ReleaseFacts:
    """Everything that the checks look at."""
    return ReleaseFacts(
        evidence=Evidence.from_document(report.document),
        source=_source(revision, report.document),
        details=_details(track),
        services=playback.service_targets(),
        encodings=None if encoded is None else encoded_peaks(encoded.document),
    )


def encoded_peaks(document: dict[str, Any]) -> list[EncodedPeak]:
    """The encodings of a release check's report."""
    return [
        EncodedPeak(
            name=row["name"],
            label=row["label"],
            bit_rate=row["bit_rate"],
            used_by=row["used_by"],
            true_peak_dbtp=row["true_peak_dbtp"],
            rise_db=row["rise_db"],
            clipped_runs=row["clipped_runs"],
            integrated_lufs=row["integrated_lufs"],
        )
        for row in document["encodings"]
    ]


def _source(revision: Revision, document: dict[str, Any]) -> SourceFile:
    spectrum = document["spectrum"]
    return SourceFile(
        sample_rate=revision.sample_rate,
        bit_depth=revision.bit_depth,
        is_float=revision.codec.startswith("pcm_f"),
        lossless=revision.lossless,
        format_name=format_name(revision.codec, revision.container),
        codec_cutoff_hz=spectrum.get("codec_cutoff_hz"),
        cutoff_known="codec_cutoff_hz" in spectrum,
    )


def _details(track: Track) -> Details:
    album = track.album
    return Details(
        title=track.title,
        artist_name=track.artist.name,
        album_title=album.title if album else None,
        place=_place(track),
        has_artwork=bool(album and album.artwork),
        isrc=track.isrc,
        has_release_date=bool(track.release_date or (album and album.release_date)),
        composer=track.composer,
    )


def _place(track: Track) -> int | None:
    """Number of a track on its album, counted from 1 in the album's order."""
    if track.album is None:
        return None
    order = list(track.album.tracks.order_by("position", "created_at").values_list("pk", flat=True))
    return order.index(track.pk) + 1
