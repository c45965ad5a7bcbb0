"""Asking for any stage of a file by its name: what programs do, each stage by its own service."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from analysis import lyrics_services, release_services, separation_services, services
from analysis.job_reports import has_report
from analysis.lyrics_selectors import chosen_language, lyrics_job
from analysis.models import Job, JobState, Stage
from analysis.neural.lyrics.recogniser import EngineUnavailable as RecogniserUnavailable
from analysis.neural.separation import engines
from analysis.neural.separation.engine import EngineUnavailable
from analysis.neural.weights import WeightsUnavailable
from analysis.versions import listen_version, lyrics_version
from analysis.voice_services import NoVoiceModel, request_voice
from catalog.models import Revision

log = logging.getLogger(__name__)


class StageUnavailable(Exception):
    """The stage cannot be done on this site at the moment; the message is for people."""


class EngineMissing(Exception):
    """The engine that was named is not on this site; the message is for people."""


def request_stage(
    stage: str,
    revisions: Sequence[Revision],
    *,
    afresh: bool = False,
    language: str | None = None,
    engine: str = engines.AUTO,
) -> list[Job]:
    """Ask for a stage of revisions; the jobs that have it in hand, or had, in their order.

    Asking again changes nothing while a job waits, runs or is done; a failed or stopped one starts
    again. ``afresh`` repeats what is done.

    Parameters
    ----------
    language : of the lyrics, ISO 639-1; empty to find out, None for what was chosen before
    engine : of the stems

    Raises
    ------
    StageUnavailable
        While a model is missing or damaged; jobs stay as they are.
    EngineMissing
        For an engine that is not on this site.
    """
    ids = [revision.pk for revision in revisions]
    try:
        if stage == Stage.LISTEN:
            found = _listening(revisions, afresh=afresh)
        elif stage == Stage.SEPARATE:
            found = separation_services.request_separation(ids, engine=engine, afresh=afresh)
        elif stage == Stage.VOICE:
            found = request_voice(ids, afresh=afresh)
        elif stage == Stage.LYRICS:
            found = [_lyrics(each, language=language, afresh=afresh) for each in revisions]
        else:
            found = [
                release_services.request_release_check(each, afresh=afresh) for each in revisions
            ]
    except EngineUnavailable as error:
        if engine != engines.AUTO:
            raise EngineMissing(f"The engine {engine} is not on this site.") from error
        raise StageUnavailable("There is no engine on this site that makes stems.") from error
    except NoVoiceModel as error:
        raise StageUnavailable(str(error)) from error
    except (WeightsUnavailable, RecogniserUnavailable, KeyError, ValueError, OSError) as error:
        log.exception("cannot ask for %s", stage)
        raise StageUnavailable(
            "The model of this stage is out of order on our side. Nothing is lost: try again later."
        ) from error
    by_revision = {job.revision_id: job for job in found}
    return [by_revision[pk] for pk in ids]


def _listening(revisions: Sequence[Revision], *, afresh: bool) -> list[Job]:
    services.request_listening([revision.pk for revision in revisions], afresh=afresh)
    found = list(
        Job.objects.filter(
            revision__in=revisions, stage=Stage.LISTEN, model_version=listen_version()
        )
    )
    for job in found:
        if job.state == JobState.FAILED and services.retry(job):
            job.refresh_from_db()
    return found


def _lyrics(revision: Revision, *, language: str | None, afresh: bool) -> Job:
    wanted = chosen_language(revision.track) if language is None else language
    last = lyrics_job(revision)
    if (
        not afresh
        and last is not None
        and last.state == JobState.DONE
        and last.model_version == lyrics_version(wanted)
        and has_report(last)
    ):
        return last  # it was asked for last, and stands
    return lyrics_services.request_lyrics(revision, language=wanted, afresh=afresh)
