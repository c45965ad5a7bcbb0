"""Taking bytes in: from the promise of a file to its last byte on disk."""

from __future__ import annotations

import errno
import logging
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from catalog import selectors
from catalog.models import Album, Artist, Track, Upload, UploadState
from catalog.names import MAX_NOTE_LENGTH, clean_filename, clean_folder, clean_text
from catalog.probing import FileRefused
from catalog.spool import Spool, UploadBusy

logger = logging.getLogger(__name__)

# Small enough that a slow line renews its lease in time, and that little is lost when it breaks.
PIECE_BYTES = 128 * 1024


class ByteSource(Protocol):
    """Something to read from: a request, an open file."""

    def read(self, size: int, /) -> bytes: ...


class TooManyUploads(Exception):
    """The rate limit is reached; ``retry_after_s`` is when to come again."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            "Too many uploads in one hour. They go on by themselves later; nothing is lost."
        )
        self.retry_after_s = retry_after_s


class OffsetConflict(Exception):
    """The bytes offered do not begin where the upload ends."""


class UploadTooLong(Exception):
    """More bytes were offered than the upload promised."""


class UploadOver(Exception):
    """The upload is complete, refused, cancelled or expired: no bytes are taken."""


def create_upload(
    *,
    artist: Artist,
    filename: str,
    length_bytes: int,
    folder: str = "",
    track: Track | None = None,
    album: Album | None = None,
    note: str = "",
    is_reference: bool = False,
) -> Upload:
    """Open an upload of ``length_bytes``.

    ``is_reference`` makes new tracks references by somebody else, outside any album; a new version
    of a track is whatever the track is.

    Raises
    ------
    TooManyUploads
        When the account's hourly number is reached.
    FileRefused
        ``empty``, ``too_large`` or ``over_quota``; the refusal is kept as a row too, so that the
        upload page shows it after a reload.
    """
    _check_rate(artist)
    refusal = _early_refusal(artist, length_bytes)
    if refusal is not None:
        _keep_refusal(artist, filename, length_bytes, refusal)
        raise refusal
    upload = Upload(
        artist=artist,
        filename=clean_filename(filename),
        folder=clean_folder(folder),
        length_bytes=length_bytes,
        track=track,
        album=None if is_reference else album,
        note=clean_text(note, MAX_NOTE_LENGTH),
        is_reference=is_reference and track is None,
        expires_at=_expiry(),
    )
    upload.full_clean()
    upload.save()
    return upload


def refuse_upload(
    *, artist: Artist, filename: str, length_bytes: int, refusal: FileRefused
) -> None:
    """Keep the refusal of a file that was not read to its end. Raises TooManyUploads."""
    _check_rate(artist)
    _keep_refusal(artist, filename, length_bytes, refusal)


def _keep_refusal(artist: Artist, filename: str, length_bytes: int, refusal: FileRefused) -> None:
    upload = Upload(
        artist=artist,
        filename=clean_filename(filename),
        length_bytes=length_bytes,
        state=UploadState.REFUSED,
        reason_code=refusal.code,
        reason=refusal.message,
        expires_at=_expiry(),
    )
    upload.full_clean()
    upload.save()


def receive(upload: Upload, *, offset: int, source: ByteSource, size_bytes: int) -> Upload:
    """Append up to ``size_bytes`` read from ``source``; what arrived before a break stays.

    Returns the upload with its new ``offset_bytes``.

    Raises
    ------
    UploadBusy, OffsetConflict, UploadTooLong, UploadOver
    ConnectionError
        The source broke off; the offset tells how far it came.
    FileRefused
        ``storage_full``: the server's disk took no more.
    """
    spool = Spool(upload.pk)
    with spool.writer() as writer:
        try:
            upload.refresh_from_db()
        except Upload.DoesNotExist as error:  # deleted together with the track it was for
            raise UploadOver from error
        if upload.state != UploadState.RECEIVING or upload.expires_at <= timezone.now():
            raise UploadOver
        if offset != received_bytes(upload):
            raise OffsetConflict
        if offset + size_bytes > upload.length_bytes:
            raise UploadTooLong
        writer.start_at(offset)
        left = size_bytes
        try:
            while left > 0:
                try:
                    piece = source.read(min(PIECE_BYTES, left))
                except OSError as error:
                    raise ConnectionError("the sender broke off") from error
                if not piece:
                    raise ConnectionError("the sender stopped early")
                writer.write(piece)
                left -= len(piece)
        except UploadBusy:
            raise
        except ConnectionError:
            raise
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            raise FileRefused(
                "storage_full",
                "The server has no room for more files at the moment. Try again later.",
            ) from error
        finally:
            if writer.sync():
                _record_progress(upload, writer.offset)
    return upload


def _record_progress(upload: Upload, offset_bytes: int) -> None:
    """Write down how far an upload came; its row may be gone with the track it was for."""
    upload.offset_bytes = offset_bytes
    upload.expires_at = _expiry()
    upload.updated_at = timezone.now()
    Upload.objects.filter(pk=upload.pk).update(
        offset_bytes=upload.offset_bytes,
        expires_at=upload.expires_at,
        updated_at=upload.updated_at,
    )


def received_bytes(upload: Upload) -> int:
    """How far an upload came: what the row says, unless the disk holds less."""
    if upload.state != UploadState.RECEIVING:
        return upload.offset_bytes
    on_disk = Spool(upload.pk).size_bytes
    if on_disk < upload.offset_bytes:
        upload.offset_bytes = on_disk
        upload.save(update_fields=["offset_bytes", "updated_at"])
    return upload.offset_bytes


def adopt_file(
    *,
    artist: Artist,
    path: Path,
    filename: str,
    folder: str = "",
    track: Track | None = None,
    album: Album | None = None,
    note: str = "",
    is_reference: bool = False,
    keep: bool = False,
) -> Upload:
    """An upload whose bytes are all on this machine's disk: moved in, or copied with ``keep``.

    Raises like :func:`create_upload`. The upload is then ready for ``complete_upload``.
    """
    upload = create_upload(
        artist=artist,
        filename=filename,
        length_bytes=path.stat().st_size,
        folder=folder,
        track=track,
        album=album,
        note=note,
        is_reference=is_reference,
    )
    spool = Spool(upload.pk)
    with spool.writer():
        if keep:
            shutil.copyfile(path, spool.path)
        else:
            shutil.move(path, spool.path)
        spool.path.chmod(0o600)
    upload.offset_bytes = upload.length_bytes
    upload.save(update_fields=["offset_bytes", "updated_at"])
    return upload


def cancel_upload(upload: Upload) -> None:
    """Give up an upload that is under way and forget its bytes."""
    changed = Upload.objects.filter(pk=upload.pk, state=UploadState.RECEIVING).update(
        state=UploadState.CANCELLED, updated_at=timezone.now()
    )
    if changed:
        Spool(upload.pk).remove()


def _early_refusal(artist: Artist, length_bytes: int) -> FileRefused | None:
    if length_bytes == 0:
        return FileRefused("empty", "The file is empty (0 bytes). Export or upload it again.")
    if length_bytes > settings.UPLOAD_MAX_BYTES:
        return too_large(length_bytes)
    return quota_refusal(artist, length_bytes, arriving_bytes=selectors.arriving_bytes(artist))


def quota_refusal(artist: Artist, length_bytes: int, *, arriving_bytes: int) -> FileRefused | None:
    """Why ``length_bytes`` more do not fit into the artist's storage; None if they do."""
    used = selectors.used_bytes(artist)
    if used + arriving_bytes + length_bytes <= selectors.quota_bytes(artist):
        return None
    return over_quota(artist)


def too_large(length_bytes: int) -> FileRefused:
    """The refusal of a file above the site's limit."""
    return FileRefused(
        "too_large",
        f"The file has {filesizeformat(length_bytes)}; at most "
        f"{filesizeformat(settings.UPLOAD_MAX_BYTES)} are accepted. "
        "Export it as FLAC or at a lower sample rate.",
    )


def over_quota(artist: Artist) -> FileRefused:
    """The refusal of a file for which the artist's storage has no room."""
    return FileRefused(
        "over_quota",
        f"There is no room for this file: {filesizeformat(selectors.used_bytes(artist))} of your "
        f"{filesizeformat(selectors.quota_bytes(artist))} are used. "
        "Delete tracks or versions you no longer need.",
    )


def _check_rate(artist: Artist) -> None:
    since = timezone.now() - timedelta(hours=1)
    recent = artist.uploads.filter(created_at__gt=since).order_by("-created_at")
    # The row that must leave the window before another may enter it.
    blocking = recent.values_list("created_at", flat=True)[max(0, settings.UPLOADS_PER_HOUR - 1) :][
        :1
    ]
    for created_at in blocking:
        raise TooManyUploads(max(1, int((created_at - since).total_seconds()) + 1))


def _expiry() -> datetime:
    return timezone.now() + timedelta(hours=settings.UPLOAD_EXPIRES_HOURS)
