"""Writes of the voice stage: asking for it, listening to the voice, keeping what was heard."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import transaction

from analysis import jobs, separation_services, services
from analysis.heart import Heart
from analysis.job_reports import finish_with_report, has_report
from analysis.models import Job, JobState, Report, Stage
from analysis.neural.weights import WeightsUnavailable
from analysis.stem_files import stem_path, stems_report
from analysis.versions import voice_version
from catalog.models import Revision

log = logging.getLogger(__name__)

VOICE_STEM = "vocals"
_BLOCK = 1 << 18

Mono = npt.NDArray[np.float32]


class NoVoiceModel(Exception):
    """The model of the voice is missing or damaged; the message is for the artist."""


def current_version() -> str:
    """Version of the stage that serves now. Raises NoVoiceModel."""
    try:
        return voice_version()
    except (WeightsUnavailable, KeyError, ValueError, OSError) as error:
        log.error("cannot listen to voices: %s", error)
        raise NoVoiceModel(
            "The model of the voice is out of order on our side, so no voice can be listened to at "
            "the moment. Nothing is lost: try again later, or tell us."
        ) from error


def request_voice(
    revision_ids: Iterable[uuid.UUID], *, afresh: bool = False, priority: int = 0
) -> list[Job]:
    """Queue the voice stage of revisions; returns the jobs that have them in hand, or had.

    A job that runs is left alone, and so is one that waits, unless it is of a lower ``priority``:
    that is raised. A failed or stopped one starts again. ``afresh`` repeats what is already done.
    Stems are asked for by the job where there are none.

    Raises
    ------
    NoVoiceModel
        While the model is missing or damaged; jobs stay as they are.
    """
    version = current_version()
    again = [JobState.FAILED, JobState.CANCELLED, *([JobState.DONE] if afresh else [])]
    found = []
    for revision in Revision.objects.filter(pk__in=list(revision_ids)):
        job, created = Job.objects.get_or_create(
            revision=revision,
            stage=Stage.VOICE,
            model_version=version,
            defaults={"artist_id": revision.artist_id, "priority": priority},
        )
        if not created:
            same = Job.objects.filter(pk=job.pk)
            same.filter(state__in=again).update(
                afresh=afresh, waits_for=None, priority=priority, **services.fresh_start()
            )
            same.filter(state=JobState.QUEUED, priority__lt=priority).update(priority=priority)
            job.refresh_from_db()
        found.append(job)
    transaction.on_commit(lambda: jobs.dispatch(Stage.VOICE))
    return found


def after_stems(revision_ids: list[uuid.UUID]) -> None:
    """What the stems' stage calls when the voice was wanted after them."""
    try:
        request_voice(revision_ids)
    except NoVoiceModel:
        log.exception("the voice was wanted after the stems, and is left out")


def analyze_voice(job: Job, heart: Heart) -> None:
    """Do a claimed job: listen to the vocal stem, and store the report with the job's end."""
    revision = job.revision
    if services.asked_anew(job, current_version(), request_voice):
        return
    if not job.afresh and has_report(job):
        services.with_database(lambda: jobs.finish(job))
        return
    stems = stems_report(revision)
    if stems is None:
        separation_services.await_stems(job)
        return
    # Imported here because it loads the networks' libraries, which the web process never needs.
    from analysis.neural.timbre import analyze

    heart.progress(0.0, "Reading the stems")
    voice, rest, rate = voice_and_rest(revision, stems)
    found = analyze(
        (voice, rate),
        rest,
        progress=lambda share: heart.progress(0.1 + 0.9 * share, "Listening to the voice"),
    )
    heart.check()
    # Another one may have been switched on meanwhile.
    if services.asked_anew(job, current_version(), request_voice):
        return
    document = {**found.to_document(), "stems": _stems_used(stems)}
    services.with_database(lambda: finish_with_report(job, document))


def voice_and_rest(revision: Revision, stems: Report) -> tuple[Mono, Mono, int]:
    """The vocal stem and the sum of all others, mono (n,), and their rate in Hz; read in blocks, so
    that no stem is ever whole in stereo."""
    n_samples = int(stems.document["n_samples"])
    voice = np.zeros(n_samples, dtype=np.float32)
    rest = np.zeros(n_samples, dtype=np.float32)
    for entry in stems.document["stems"]:
        into = voice if entry["name"] == VOICE_STEM else rest
        with stem_path(revision, entry["name"], report=stems) as path:
            _add_mono(path, into)
    return voice, rest, int(stems.document["sample_rate"])


def _add_mono(path: Path, into: Mono) -> None:
    import soundfile

    at = 0
    with soundfile.SoundFile(path) as file:
        for block in file.blocks(blocksize=_BLOCK, dtype="float32", always_2d=True):
            taken = block[: into.size - at].mean(axis=1)
            into[at : at + taken.size] += taken
            at += taken.size


def _stems_used(stems: Report) -> dict[str, Any]:
    return {
        name: stems.document.get(name)
        for name in ("engine", "engine_label", "is_starter", "identity", "duration_s")
    }


def connect() -> None:
    """Enter the stage; called once when the app is ready."""
    services.WORK[Stage.VOICE] = analyze_voice
    separation_services.FOLLOW_UPS[Stage.VOICE] = after_stems
