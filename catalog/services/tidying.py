"""Cleaning up behind broken uploads and crashes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models import F
from django.utils import timezone

from catalog.form_uploads import FORM_FILE_SUFFIX
from catalog.models import Album, Artist, Revision, Upload, UploadState
from catalog.services.acceptance import complete_upload
from catalog.spool import Spool

logger = logging.getLogger(__name__)

STUCK_AFTER = timedelta(minutes=10)
ORPHAN_AFTER = timedelta(hours=24)


@dataclass(frozen=True)
class Tidied:
    """How much was tidied: uploads finished and expired, stray files removed."""

    finished: int
    expired: int
    spooled_files: int
    stored_files: int


def tidy_uploads(*, walk_storage: bool = True) -> Tidied:
    """Finish uploads that a crash left unchecked, drop expired ones, remove files without rows.

    Safe at any time and as often as one likes: what may still be in use is left alone. Only with
    ``walk_storage`` stored files are looked through, which takes a while where there are many.
    """
    return Tidied(
        finished=_finish_stuck(),
        expired=_drop_expired(),
        spooled_files=_remove_spooled_orphans(),
        stored_files=_remove_stored_orphans() if walk_storage else 0,
    )


def _finish_stuck() -> int:
    """Uploads whose last byte arrived, but whose process died before it said what came of them, or
    found the storage away."""
    stuck = Upload.objects.filter(
        state__in=[UploadState.RECEIVING, UploadState.CHECKING],
        offset_bytes__gte=F("length_bytes"),
        updated_at__lt=timezone.now() - STUCK_AFTER,
    )
    count = 0
    for upload in stuck:
        try:
            done = complete_upload(upload)
        except Upload.DoesNotExist:  # deleted in this moment
            continue
        count += done.state != UploadState.CHECKING
    return count


def _drop_expired() -> int:
    expired = Upload.objects.filter(
        state=UploadState.RECEIVING,
        expires_at__lt=timezone.now(),
        offset_bytes__lt=F("length_bytes"),
    )
    count = 0
    for upload in expired:
        changed = Upload.objects.filter(pk=upload.pk, state=UploadState.RECEIVING).update(
            state=UploadState.CANCELLED,
            reason_code="expired",
            reason="The rest of this file did not come in time. Upload it again.",
            updated_at=timezone.now(),
        )
        if changed:
            Spool(upload.pk).remove()
            count += 1
    return count


def _remove_spooled_orphans() -> int:
    """Parts of uploads that are over or unknown, old leases, and what killed forms left."""
    folder = Path(settings.UPLOAD_DIR)
    if not folder.is_dir():
        return 0
    files = [path for path in folder.iterdir() if path.suffix in {".part", ".lease"}]
    ids = {id_: path for path in files if (id_ := _as_uuid(path.stem)) is not None}
    live = set(
        Upload.objects.filter(
            pk__in=ids, state__in=[UploadState.RECEIVING, UploadState.CHECKING]
        ).values_list("pk", flat=True)
    )
    removed = 0
    for path in files:
        if _as_uuid(path.stem) not in live:
            removed += path.suffix == ".part"
            path.unlink(missing_ok=True)
    oldest = (timezone.now() - ORPHAN_AFTER).timestamp()
    for path in folder.glob(f"*{FORM_FILE_SUFFIX}"):
        try:
            old = path.stat().st_mtime < oldest
        except FileNotFoundError:  # its form ended in this moment
            continue
        if old:
            removed += 1
            path.unlink(missing_ok=True)
    return removed


def _remove_stored_orphans() -> int:
    """Stored sound and pictures that no row names, once they are a day old."""
    named = set(Revision.objects.values_list("file", flat=True))
    named.update(Artist.objects.exclude(picture="").values_list("picture", flat=True))
    named.update(Album.objects.exclude(artwork="").values_list("artwork", flat=True))
    checking = {
        str(pk)
        for pk in Upload.objects.filter(state=UploadState.CHECKING).values_list("pk", flat=True)
    }
    before = timezone.now() - ORPHAN_AFTER
    removed = 0
    for name in [*_stored("audio"), *_stored("pictures")]:
        if name in named or name.rpartition("/")[2] in checking:
            continue
        try:
            old = default_storage.get_modified_time(name) < before
        except OSError:  # deleted in this moment
            continue
        # Asked once more, because a check may have ended since the names were read.
        if old and not Revision.objects.filter(file=name).exists():
            logger.info("removing %s, which belongs to nothing", name)
            default_storage.delete(name)
            removed += 1
    return removed


def _stored(folder: str) -> Iterator[str]:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in files:
        if name:
            yield f"{folder}/{name}"
    for name in folders:
        yield from _stored(f"{folder}/{name}")


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
