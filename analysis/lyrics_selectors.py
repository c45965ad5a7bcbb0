"""Reads of the lyrics: what was heard, what the artist made of it, what is in hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analysis.jobs import position_and_wait
from analysis.lyrics_document import TimedLine, lines_of
from analysis.lyrics_languages import LANGUAGES, language_name
from analysis.lyrics_models import LyricsOrigin, LyricsVersion
from analysis.models import Job, JobState, Report, Stage
from catalog.models import Revision, Track

ALIGN_PREFIX = "align"
"""Versions of jobs that begin with it time the artist's own text; the others listen for words."""

_LATE = (JobState.QUEUED, JobState.RUNNING)


def heard_report(revision: Revision) -> Report | None:
    """What was heard last for this revision. The same content may have been heard in several
    languages, for others too: what this revision's own jobs asked for counts, the latest first."""
    versions = list(
        revision.jobs.filter(stage=Stage.LYRICS)
        .exclude(model_version__startswith=ALIGN_PREFIX)
        .order_by("-queued_at")
        .values_list("model_version", flat=True)
    )
    found = Report.objects.filter(
        content_sha256=revision.content_sha256, stage=Stage.LYRICS, model_version__in=versions
    )
    by_version = {report.model_version: report for report in found}
    return next((by_version[version] for version in versions if version in by_version), None)


def newest_version(revision: Revision) -> LyricsVersion | None:
    """The newest state of the artist's own lyrics."""
    return revision.lyrics_versions.select_related("author").first()


def own_elsewhere(revision: Revision) -> LyricsVersion | None:
    """The artist's own lyrics of another version of the track, the newest version's first."""
    for other in revision.track.revisions.exclude(pk=revision.pk).order_by("-number"):
        version = newest_version(other)
        if version is not None and version.origin != LyricsOrigin.MACHINE and version.lines:
            return version
    return None


def lyrics_job(revision: Revision) -> Job | None:
    """The job that was asked for last, of either kind."""
    return revision.jobs.filter(stage=Stage.LYRICS).order_by("-queued_at").first()


def chosen_language(track: Track) -> str:
    """The language that was asked for last on any version of a track; empty: find out."""
    job = (
        Job.objects.filter(revision__track=track, stage=Stage.LYRICS).order_by("-queued_at").first()
    )
    language = str(job.options.get("language", "")) if job is not None else ""
    return language if language in LANGUAGES else ""


@dataclass(frozen=True)
class LyricsPage:
    """What the page of the lyrics shows of one revision.

    ``document`` is what stands on the page: the artist's own lines if there are any, else what was
    heard; None while there is neither. ``number`` is that of the newest own version (0 without).
    ``elsewhere`` are the artist's own lyrics of another version of the track, where this one has
    none yet.
    """

    document: dict[str, Any] | None
    number: int
    own: LyricsVersion | None
    heard: Report | None
    job: Job | None
    queue_position: int | None
    language: str
    versions: list[LyricsVersion]
    elsewhere: LyricsVersion | None

    @property
    def is_own(self) -> bool:
        return self.own is not None

    @property
    def is_late(self) -> bool:
        """Whether a job waits or runs."""
        return self.job is not None and self.job.state in _LATE

    @property
    def is_aligning(self) -> bool:
        """Whether the last job times the artist's own text."""
        return self.job is not None and self.job.model_version.startswith(ALIGN_PREFIX)

    @property
    def waits_for_stems(self) -> bool:
        return self.job is not None and self.job.waits_for_id is not None

    @property
    def lines(self) -> list[TimedLine]:
        return lines_of(self.document) if self.document else []

    @property
    def no_singing(self) -> bool:
        """Whether nobody was heard singing, and nobody wrote words by hand."""
        heard = self.heard
        return self.own is None and heard is not None and not heard.document.get("singing")

    @property
    def heard_in(self) -> str:
        """The name of the language that it was heard in."""
        return language_name(self.heard.document.get("language", "")) if self.heard else ""

    @property
    def language_confidence(self) -> float | None:
        """How sure the machine is of the language, 0..1; None where the artist named it."""
        if self.heard is None or self.heard.document.get("language_source") == "artist":
            return None
        confidence = self.heard.document.get("language_confidence")
        return float(confidence) if confidence is not None else None

    @property
    def n_unsure(self) -> int:
        """How many words are marked as unsure."""
        return sum(
            word.confidence is not None and word.confidence < UNSURE_BELOW
            for line in self.lines
            for word in line.words
        )


UNSURE_BELOW = 0.5
"""Words of a lower confidence are marked on the page."""


def lyrics_page(revision: Revision) -> LyricsPage:
    """Everything that the page shows of a revision."""
    heard = heard_report(revision)
    versions = list(revision.lyrics_versions.select_related("author"))
    newest = versions[0] if versions else None
    own = newest if newest is not None and newest.origin != LyricsOrigin.MACHINE else None
    job = lyrics_job(revision)
    waits = job is not None and job.state == JobState.QUEUED and job.waits_for_id is None
    return LyricsPage(
        document=shown_document(revision, own, heard),
        number=newest.number if newest else 0,
        own=own,
        heard=heard,
        job=job,
        queue_position=position_and_wait(job)[0] if job is not None and waits else None,
        language=chosen_language(revision.track),
        versions=versions,
        elsewhere=own_elsewhere(revision) if not versions else None,
    )


def shown_document(
    revision: Revision, own: LyricsVersion | None, heard: Report | None
) -> dict[str, Any] | None:
    """The lyrics that count: the artist's own, else what was heard, None without both."""
    if own is not None:
        return {
            "language": own.language,
            "duration_s": revision.duration_s,
            "singing": bool(own.lines),
            "lines": own.lines,
        }
    return heard.document if heard is not None else None
