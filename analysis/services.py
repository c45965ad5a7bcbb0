"""Writes of the analysis: asking for stages, doing them, keeping and removing what they found."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import time
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from django.conf import settings
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Greatest
from django.utils import timezone

from analysis import jobs
from analysis.discovery import sections
from analysis.heart import Heart
from analysis.job_reports import has_report, report_key
from analysis.models import Embedding, Job, JobState, Report, Stage
from analysis.neural.weights import WeightsUnavailable
from analysis.selectors import key_name
from analysis.sound.decode import UndecodableAudio
from analysis.versions import listen_version
from catalog.models import Revision
from catalog.services import tidy_uploads
from sonicsite.logs import job_id as log_job_id

if TYPE_CHECKING:
    from analysis.listening import Listening

log = logging.getLogger(__name__)

T = TypeVar("T")


class Request(Protocol):
    """What queues a stage of revisions."""

    def __call__(self, revision_ids: Iterable[uuid.UUID], *, priority: int) -> object: ...


_DATABASE_BACK_WITHIN_S = 90.0
_STORAGE_WALK_KEY = "analysis.storage_walk"
_STORAGE_WALK_EVERY_S = 24 * 3_600


def derived_prefix(content_sha256: str) -> str:
    """Folder in the storage of everything derived from one content."""
    return f"derived/{content_sha256[:2]}/{content_sha256}"


def derived_name(report_or_job: Report | Job, name: str) -> str:
    """Storage name of a derived file of a report (or of the job that makes it)."""
    if isinstance(report_or_job, Report):
        sha256 = report_or_job.content_sha256
    else:
        sha256 = report_or_job.revision.content_sha256
    version = report_or_job.model_version
    return f"{derived_prefix(sha256)}/{report_or_job.stage}/{version}/{name}"


# --- Asking ---------------------------------------------------------------------------------------


def request_listening(
    revision_ids: Iterable[uuid.UUID], *, afresh: bool = False, priority: int = 0
) -> int:
    """Queue the listening stage of revisions; returns how many jobs are new or start again.

    A job that runs is left alone, and so is one that waits, unless it is of a lower ``priority``:
    that is raised. ``afresh`` repeats what is already done.
    """
    version = listen_version()
    revisions = list(Revision.objects.filter(pk__in=list(revision_ids)))
    created = Job.objects.bulk_create(
        [
            Job(
                revision=revision,
                artist_id=revision.artist_id,
                stage=Stage.LISTEN,
                model_version=version,
                priority=priority,
            )
            for revision in revisions
        ],
        ignore_conflicts=True,
    )
    Job.objects.filter(
        revision__in=revisions,
        stage=Stage.LISTEN,
        model_version=version,
        state=JobState.QUEUED,
        priority__lt=priority,
    ).update(priority=priority)
    again = 0
    if afresh:
        again = Job.objects.filter(
            revision__in=revisions,
            stage=Stage.LISTEN,
            model_version=version,
            state__in=(JobState.DONE, JobState.FAILED),
        ).update(afresh=True, priority=priority, **fresh_start())
    transaction.on_commit(lambda: jobs.dispatch(Stage.LISTEN))
    return max(len(created), again)


def retry(job: Job) -> bool:
    """Queue a failed job again; False if it was not failed (somebody else was quicker)."""
    changed = Job.objects.filter(pk=job.pk, state=JobState.FAILED).update(
        priority=Greatest("priority", 0), **fresh_start()
    )
    if changed:
        transaction.on_commit(lambda: jobs.dispatch(job.stage))
    return bool(changed)


class CannotListenNow(Exception):
    """Nothing can be listened to at the moment; the message is for the artist."""


def listen_again(job: Job) -> None:
    """What the owner asks for by a button: a failed job is tried again, a finished one repeated.

    Raises CannotListenNow while the model is missing or damaged; the job stays as it is.
    """
    try:
        listen_version()
    except (WeightsUnavailable, KeyError, ValueError, OSError) as error:
        log.error("cannot listen again: %s", error)
        raise CannotListenNow(
            "The listening model is out of order on our side, so nothing can be listened to at the "
            "moment. Nothing is lost: try again later, or tell us."
        ) from error
    if not retry(job):
        request_listening([job.revision_id], afresh=True)


def fresh_start() -> dict[str, Any]:
    """Changes that put a job back to where it was when it was first asked for."""
    return {
        "state": JobState.QUEUED,
        "ticket": None,
        "percent": 0,
        "message": "",
        "reason": "",
        "reason_code": "",
        "detail": "",
        "attempts": 0,
        "losses": 0,
        "queued_at": timezone.now(),
        "finished_at": None,
    }


def housekeeping() -> int:
    """Finish or drop what crashes left of uploads, remove reports that outlived their last
    revision, and ask for the listening of revisions whose announcement was lost; returns how many
    those were. All of the storage is looked through once a day."""
    daily = cache.add(_STORAGE_WALK_KEY, True, _STORAGE_WALK_EVERY_S)
    tidy_uploads(walk_storage=daily)
    for tidy in HOUSEKEEPING:
        tidy()
    if daily:
        _remove_derived_orphans()
    owners = Revision.objects.filter(content_sha256=OuterRef("content_sha256"))
    unowned = Report.objects.filter(~Exists(owners)).values_list("content_sha256", flat=True)
    for content_sha256 in set(unowned[:1_000]):
        remove_derived_if_unowned(content_sha256)
    return ask_for_forgotten()


def ask_for_forgotten() -> int:
    """Ask for the listening of revisions whose announcement was lost: their process died between
    the transaction that made them and the one that asks. Returns how many those were."""
    jobs_of_it = Job.objects.filter(revision=OuterRef("pk"), stage=Stage.LISTEN)
    settled = timezone.now() - timedelta(seconds=60)
    forgotten = Revision.objects.filter(~Exists(jobs_of_it), created_at__lt=settled)
    ids = list(forgotten.values_list("pk", flat=True)[:1_000])
    return request_listening(ids) if ids else 0


# --- Doing ----------------------------------------------------------------------------------------


def run(job_id: uuid.UUID, ticket: uuid.UUID) -> None:
    """Do one job, whatever comes of it; never raises for what a file or a dying worker does."""
    token = log_job_id.set(str(job_id))
    try:
        job = with_database(lambda: jobs.claim(job_id, ticket))
        if job is None:
            log.info("ticket is no longer good")
            return
        _run_claimed(job)
    finally:
        log_job_id.reset(token)
    with_database(lambda: jobs.dispatch(job.stage))


def _run_claimed(job: Job) -> None:
    try:
        with Heart(job) as heart:
            WORK[job.stage](job, heart)
    except jobs.Superseded:
        log.warning("lost the job: to another attempt, to a cancelling artist, or with its track")
        remove_derived_if_unowned(job.revision.content_sha256)
    except UndecodableAudio as error:
        code, reason = error.code, error.message
        log.info("refused: %s", reason)
        with_database(lambda: jobs.fail(job, code=code, reason=reason, final=True))
    except FileNotFoundError:
        reason = "The file of this version is missing from our storage. Upload it again."
        log.exception("file missing")
        with_database(lambda: jobs.fail(job, code="file_missing", reason=reason, final=True))
    except Exception:
        log.exception("attempt %d failed", job.attempts)
        detail = traceback.format_exc()
        reason = (
            f"Something went wrong on our side, {settings.JOB_ATTEMPTS} times. "
            "Your file is safe; try again later, or tell us."
        )
        with_database(lambda: jobs.fail(job, code="internal", reason=reason, detail=detail))


WORK: dict[str, Callable[[Job, Heart], None]] = {}
"""What does each stage; the services of other stages enter themselves when the site starts."""

AFTER_LISTENING: list[Callable[[Revision], object]] = []
"""What is asked for when a revision has been listened to, within the transaction of the job's end;
entered by the services of other stages when the site starts."""

HOUSEKEEPING: list[Callable[[], object]] = []
"""What else there is to tidy up now and then; entered in the same way."""


def _listen(job: Job, heart: Heart) -> None:
    revision = job.revision
    if asked_anew(job, listen_version(), request_listening):
        return
    if not job.afresh and has_report(job):
        with_database(lambda: _finish_listening(job))
        return
    # Imported here because it loads the networks' libraries, which the web process never needs.
    from analysis.listening import listen

    with local_copy(revision) as path:
        found = listen(
            path, max_duration_s=float(settings.UPLOAD_MAX_SECONDS), progress=heart.progress
        )
    if asked_anew(job, listen_version(), request_listening):  # others were switched on meanwhile
        return
    for name, content in found.pictures.items():
        default_storage.save(derived_name(job, name), ContentFile(content))
    waveform = json.dumps(found.waveform, separators=(",", ":")).encode()
    default_storage.save(derived_name(job, "waveform.json"), ContentFile(waveform))
    heart.check()
    with_database(lambda: _store_listening(job, report_key(job), found))


WORK[Stage.LISTEN] = _listen


def asked_anew(job: Job, version: str, request: Request) -> bool:
    """Whether a job was for weights that no longer serve (``version`` does): its result would carry
    a wrong name, so another one, by the stage's own ``request``, takes its place."""
    if job.model_version == version:
        return False
    request([job.revision_id], priority=job.priority)
    job.delete()
    return True


def _store_listening(job: Job, key: dict[str, Any], found: Listening) -> None:
    """All of it or nothing: the job's end, the report and the embedding in one transaction."""
    document = found.document
    with transaction.atomic():
        _finish_listening(job)
        report, _ = Report.objects.update_or_create(
            **key,
            defaults={
                "document": document,
                # What was derived from the report before, like mix targets, sees that it is old.
                "created_at": timezone.now(),
                "genre": document["genre"]["label"],
                "genre_decided": document["genre"]["decided"],
                "genre_confidence": document["genre"]["confidence"],
                "tempo_bpm": document["tempo"]["bpm"],
                "key": key_name(document["key"]),
                "integrated_lufs": document["loudness"]["integrated_lufs"],
                "energy": document["features"]["energy"],
            },
        )
        Embedding.objects.update_or_create(
            report=report,
            defaults={
                "content_sha256": report.content_sha256,
                "model_version": report.model_version,
                "vector": document["embedding"],
            },
        )
        sections.store(report, found.sections)


def _finish_listening(job: Job) -> None:
    with transaction.atomic():
        jobs.finish(job)
        for ask in AFTER_LISTENING:
            ask(job.revision)


@contextmanager
def local_copy(revision: Revision) -> Iterator[Path]:
    """A path at which the file of a revision can be read, whichever storage holds it.

    Raises FileNotFoundError if the storage has lost it.
    """
    storage, name = revision.file.storage, str(revision.file.name)
    if not storage.exists(name):
        raise FileNotFoundError(name)
    try:
        path = Path(storage.path(name))
    except NotImplementedError:
        with (
            tempfile.NamedTemporaryFile(prefix="svp-") as copy,
            storage.open(name, "rb") as source,
        ):
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            yield Path(copy.name)
    else:
        yield path


def with_database(action: Callable[[], T]) -> T:
    """Run a short piece of database work, waiting for a database that is restarting.

    Only for work that is safe to repeat: conditional updates and whole transactions.
    """
    deadline = time.monotonic() + _DATABASE_BACK_WITHIN_S
    while True:
        try:
            return action()
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline or transaction.get_connection().in_atomic_block:
                raise
            log.warning("the database is away; trying again")
            close_old_connections()
            time.sleep(1.0)


# --- Removing -------------------------------------------------------------------------------------


def remove_derived_if_unowned(content_sha256: str) -> None:
    """Drop reports, embeddings and derived files of a content that no revision has any more."""
    with transaction.atomic():
        if Revision.objects.filter(content_sha256=content_sha256).exists():
            return
        Report.objects.filter(content_sha256=content_sha256).delete()
    _delete_tree(derived_prefix(content_sha256))


def _remove_derived_orphans() -> None:
    """Drop derived files of contents that no revision has and no report names any more."""
    try:
        folders, _ = default_storage.listdir("derived")
    except FileNotFoundError:
        return
    for folder in folders:
        contents, _ = default_storage.listdir(f"derived/{folder}")
        owned = set(
            Revision.objects.filter(content_sha256__in=contents).values_list(
                "content_sha256", flat=True
            )
        )
        for content_sha256 in set(contents) - owned:
            log.info("removing what was derived from %s, which nobody has", content_sha256)
            remove_derived_if_unowned(content_sha256)


def _delete_tree(prefix: str) -> None:
    """Remove a folder of the storage with all below it; a folder that is not there is fine."""
    try:
        folders, files = default_storage.listdir(prefix)
    except FileNotFoundError:
        return
    for name in files:
        default_storage.delete(f"{prefix}/{name}")
    for name in folders:
        _delete_tree(f"{prefix}/{name}")
    # On a disk an empty folder remains, and Django's storage removes it like a file.
    default_storage.delete(prefix)
