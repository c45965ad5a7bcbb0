"""The work of a separation: from a revision's file to its stems in the storage.

The segments are kept in a folder of :mod:`analysis.work_folders` until the stems are stored: an
attempt that was cut off, or a job that its artist stopped, goes on from its last segment.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from analysis import jobs, separation_services, services, work_folders
from analysis.heart import Heart
from analysis.job_reports import has_report, report_key
from analysis.models import Job, Report, Stage
from analysis.neural.separation import engines
from analysis.neural.separation.engine import Engine, EngineUnavailable
from analysis.sound.decode import UndecodableAudio
from analysis.sound.refusals import clock
from analysis.versions import separate_version
from catalog.models import Revision

if TYPE_CHECKING:
    from analysis.neural.separation.segments import Segments

log = logging.getLogger(__name__)

WORK_KIND = "separation"
_LEFT_FREE_BYTES = 1 << 30
_SEPARATED, _WRITTEN = 0.85, 0.95


class _NoRoom(Exception):
    """The disk has no room for the work."""


def separate_revision(job: Job, heart: Heart) -> None:
    """Do a claimed job: separate, write, and store the report with the job's end."""
    name = separation_services.engine_of(job) or engines.AUTO
    try:
        if job.model_version != separate_version(name):
            # Queued for weights that no longer serve: the result would carry a wrong name.
            then = job.options.get("then", ())
            separation_services.request_separation([job.revision_id], engine=name, then=then)
            job.delete()
            return
        if not job.afresh and has_report(job):
            services.with_database(lambda: separation_services.finish(job))
        else:
            _separate(job, heart, name)
    except EngineUnavailable as error:
        log.error("cannot separate: %s", error)
        reason = "This engine is out of order on our side. Choose another one, or tell us."
        _refuse(job, "engine_unavailable", reason)
    except _NoRoom:
        log.error("no room on the disk to separate")
        reason = (
            "There is not enough room on our disks to take this song apart just now. "
            "Your file is safe; try again later, or tell us."
        )
        _refuse(job, "no_room", reason)
    services.with_database(jobs.settle_waiting)
    for stage in separation_services.FOLLOW_UPS:
        jobs.dispatch(stage)


def _refuse(job: Job, code: str, reason: str) -> None:
    services.with_database(lambda: jobs.fail(job, code=code, reason=reason, final=True))


def _separate(job: Job, heart: Heart, name: str) -> None:
    # Imported here because it loads the networks' libraries, which the web process never needs.
    from analysis.stem_store import write_stems

    tidy_work()
    heart.progress(0.0, "Loading the engine")
    engine = _engine(name)
    key = f"{job.revision.content_sha256}-{engine.identity}"
    with work_folders.work_folder(WORK_KIND, key, waiting=heart.check) as work:
        made = _segments(job.revision, engine, work, heart)
        out = work / "out"
        document = write_stems(
            made,
            out,
            engine=engine,
            progress=lambda share: heart.progress(
                _SEPARATED + (_WRITTEN - _SEPARATED) * share, "Writing the stems"
            ),
        )
        _store_files(job, heart, out)
        heart.check()
        services.with_database(lambda: _store(job, document))
        work_folders.drop(work)


def _engine(name: str) -> Engine:
    from analysis.neural import loaded_models

    device = separation_device()
    return loaded_models.get(
        ("separation", engines.identity(name), device), lambda: engines.load(name, device=device)
    )


def _segments(revision: Revision, engine: Engine, work: Path, heart: Heart) -> Segments:
    """Raises UndecodableAudio, _NoRoom, and what stops the job."""
    from analysis.neural.separation.segments import make_segments, working_bytes

    heart.progress(0.0, "Reading the file")
    needed = working_bytes(revision.duration_s, len(engine.stems)) - _size(work)
    if work_folders.free_bytes() < needed + _LEFT_FREE_BYTES:
        raise _NoRoom
    length = clock(revision.duration_s)

    def tell(share: float) -> None:
        heart.progress(
            _SEPARATED * share, f"Separating, {clock(share * revision.duration_s)} of {length}"
        )

    try:
        with services.local_copy(revision) as path:
            return make_segments(path, work, engine=engine, progress=tell)
    except UndecodableAudio:
        work_folders.drop(work)
        raise


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _store_files(job: Job, heart: Heart, out: Path) -> None:
    for path in sorted(out.iterdir()):
        with path.open("rb") as file:
            default_storage.save(services.derived_name(job, path.name), File(file))
        heart.progress(_WRITTEN, "Keeping the stems")


def _store(job: Job, document: dict[str, Any]) -> None:
    """The report, the job's end and what comes next in one transaction."""
    with transaction.atomic():
        Report.objects.update_or_create(
            **report_key(job),
            defaults={"document": document, "created_at": timezone.now()},
        )
        separation_services.finish(job)


def separation_device() -> str:
    """``SEPARATION_DEVICE``, where ``auto`` is the fastest that this machine has."""
    wanted: str = settings.SEPARATION_DEVICE
    return engines.best_device() if wanted == "auto" else wanted


def tidy_work() -> None:
    """Drop unfinished work that nobody comes back for: old, or of a content that is gone."""
    work_folders.tidy(WORK_KIND, is_wanted=_is_owned)
    work_folders.tidy_scratch()


def _is_owned(key: str) -> bool:
    return Revision.objects.filter(content_sha256=key.partition("-")[0]).exists()


def connect() -> None:
    """Enter the stage; called once when the app is ready."""
    services.WORK[Stage.SEPARATE] = separate_revision
    if separation_services.after_listening not in services.AFTER_LISTENING:
        services.AFTER_LISTENING.append(separation_services.after_listening)
        services.HOUSEKEEPING.append(tidy_work)
