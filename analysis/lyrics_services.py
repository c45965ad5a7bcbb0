"""Writes of the lyrics: asking for them, hearing them, timing the artist's own text."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from analysis import jobs, separation_services, services, stem_files
from analysis.heart import Heart
from analysis.job_reports import finish_with_report, has_report
from analysis.lyrics_document import TimedLine, judge_lines
from analysis.lyrics_keeping import save_version
from analysis.lyrics_models import LyricsOrigin, LyricsVersion
from analysis.lyrics_selectors import (
    chosen_language,
    lyrics_job,
)
from analysis.models import Job, JobState, Report, Stage
from analysis.neural.lyrics.recogniser import EngineUnavailable
from analysis.versions import align_version, lyrics_version
from catalog.models import Revision, User

log = logging.getLogger(__name__)

VOCALS = "vocals"

# --- Asking ---------------------------------------------------------------------------------------


def request_lyrics(revision: Revision, *, language: str | None = None, afresh: bool = False) -> Job:
    """Queue the hearing of the words, or return the job that has it in hand.

    ``language`` is an ISO 639-1 code, empty to find out; None takes what was chosen for the track
    before. A job that waits or runs is left alone; a failed or stopped one starts again. What has
    been heard before in this language is shown again at once, unless it is wanted ``afresh``.
    """
    if language is None:
        language = chosen_language(revision.track)
    version = lyrics_version(language)
    job, created = Job.objects.get_or_create(
        revision=revision,
        stage=Stage.LYRICS,
        model_version=version,
        defaults={"artist_id": revision.artist_id, "options": {"language": language}},
    )
    if not created:
        over = [JobState.DONE, JobState.FAILED, JobState.CANCELLED]
        Job.objects.filter(pk=job.pk, state__in=over).update(
            afresh=afresh, waits_for=None, **services.fresh_start()
        )
        job.refresh_from_db()
    transaction.on_commit(lambda: jobs.dispatch(Stage.LYRICS))
    return job


def request_alignment(
    revision: Revision, lines: Sequence[str], *, language: str, author: User | None
) -> Job:
    """Queue the timing of the artist's own text to the voice. A text that is being timed is given
    up for the new one."""
    options = {
        "language": language,
        "lines": list(lines),
        "author": author.pk if author is not None else None,
    }
    with transaction.atomic():
        job, created = Job.objects.select_for_update().get_or_create(
            revision=revision,
            stage=Stage.LYRICS,
            model_version=align_version(),
            defaults={"artist_id": revision.artist_id, "options": options},
        )
        if not created:
            Job.objects.filter(pk=job.pk).update(
                options=options, waits_for=None, **services.fresh_start()
            )
            job.refresh_from_db()
        transaction.on_commit(lambda: jobs.dispatch(Stage.LYRICS))
    return job


def follow_up(revision_ids: list[uuid.UUID]) -> None:
    """Ask for the words of revisions whose stems have just been made, as the settings wish it. What
    has been heard already, or what the artist stopped, is left alone."""
    for revision in Revision.objects.filter(pk__in=revision_ids):
        job = lyrics_job(revision)
        if job is None or job.state not in (JobState.DONE, JobState.CANCELLED):
            request_lyrics(revision)


def try_again(job: Job) -> Job:
    """Queue a lyrics job again as it was asked for: what the artist asks for by a button."""
    if "lines" in job.options:
        author = User.objects.filter(pk=job.options.get("author")).first()
        return request_alignment(
            job.revision,
            job.options["lines"],
            language=str(job.options.get("language", "")),
            author=author,
        )
    return request_lyrics(job.revision, language=str(job.options.get("language", "")), afresh=True)


# --- Doing ----------------------------------------------------------------------------------------


def work(job: Job, heart: Heart) -> None:
    """Do a claimed job of the stage: hear the words, or time the artist's own."""
    heart.progress(0.0, "Loading the model")
    try:
        if "lines" in job.options:
            _align(job, heart)
        else:
            _transcribe(job, heart)
    except EngineUnavailable as error:
        log.error("cannot hear words: %s", error)
        reason = (
            "The model for lyrics is out of order on our side. Your file is safe; try again later, "
            "or tell us."
        )
        services.with_database(
            lambda: jobs.fail(job, code="engine_unavailable", reason=reason, final=True)
        )


def _transcribe(job: Job, heart: Heart) -> None:
    revision = job.revision
    language = str(job.options.get("language", ""))
    if job.model_version != lyrics_version(language):
        # Queued for a model that no longer serves: the result would carry a wrong name.
        request_lyrics(revision, language=language)
        job.delete()
        return
    if not job.afresh and has_report(job):
        services.with_database(lambda: jobs.finish(job))
        return
    stems = stem_files.stems_report(revision)
    if stems is None:
        separation_services.await_stems(job)
        return
    # Imported here because it loads the networks' libraries, which the web process never needs.
    from analysis.neural.lyrics.transcribe import transcribe

    with (
        stem_files.stem_path(revision, VOCALS, report=stems) as voice,
        services.local_copy(revision) as mix,
    ):
        found = transcribe(
            voice,
            mix=mix,
            language=language or None,
            progress=lambda share: heart.progress(share, "Writing the words down"),
        )
    heart.check()
    document = {**found.to_document(), "stems": _stems_used(stems)}
    services.with_database(lambda: finish_with_report(job, document))


def _align(job: Job, heart: Heart) -> None:
    revision = job.revision
    if job.model_version != align_version():
        try_again(job)
        job.delete()
        return
    stems = stem_files.stems_report(revision)
    if stems is None:
        separation_services.await_stems(job)
        return
    language = str(job.options.get("language", ""))
    from analysis.neural.lyrics.align import align

    own = job.options["lines"]
    with (
        stem_files.stem_path(revision, VOCALS, report=stems) as voice,
        services.local_copy(revision) as mix,
    ):
        try:
            found = align(
                voice,
                own,
                mix=mix,
                language=language or None,
                progress=lambda share: heart.progress(share, "Finding your words in the voice"),
            )
        except ValueError as error:
            log.info("cannot align: %s", error)
            reason = f"Your text could not be laid over this version: {error}."
            services.with_database(
                lambda: jobs.fail(job, code="not_alignable", reason=reason, final=True)
            )
            return
    heart.check()
    document = found.to_document()
    lines = judge_lines(document["lines"], duration_s=max(document["duration_s"], 0.1))
    author = User.objects.filter(pk=job.options.get("author")).first()
    services.with_database(lambda: _store_aligned(job, lines, document["language"], author))


def _stems_used(stems: Report) -> dict[str, Any]:
    return {name: stems.document.get(name) for name in ("engine", "engine_label", "is_starter")}


def _store_aligned(
    job: Job, lines: list[TimedLine], language: str, author: User | None
) -> LyricsVersion:
    """The job's end and the artist's new version in one transaction."""
    with transaction.atomic():
        jobs.finish(job)
        return save_version(
            job.revision, lines, origin=LyricsOrigin.ALIGNED, language=language, author=author
        )


def connect() -> None:
    """Enter the stage; called once when the app is ready."""
    services.WORK[Stage.LYRICS] = work
    separation_services.FOLLOW_UPS[Stage.LYRICS] = follow_up
