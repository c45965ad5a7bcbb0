"""From a complete upload to a revision of a track, or to a refusal that says why."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from catalog import selectors
from catalog.models import Album, Artist, Revision, Track, Upload, UploadState, audio_path
from catalog.names import clean_text, title_and_number
from catalog.pictures import PictureRefused, reencode
from catalog.probing import FileRefused, ProbedAudio, probe
from catalog.services.albums import create_album
from catalog.services.receiving import quota_refusal
from catalog.signals import revision_added, tracks_added
from catalog.spool import Spool
from catalog.tags import Tags, read_tags
from sonicsite.locks import alone_with

logger = logging.getLogger(__name__)


STORAGE_AWAY = "storage_away"
STORAGE_AWAY_REASON = (
    "Our storage does not answer at the moment; your file is kept and will be taken in by itself."
)


_ABANDONED_AFTER = timedelta(seconds=5)


class _StorageAway(Exception):
    """The storage cannot be read or written now; the file is not to blame."""


@contextmanager
def _storage() -> Iterator[None]:
    """Around everything that reads or writes stored bytes, and nothing that looks into them."""
    try:
        yield
    except (OSError, BotoCoreError, ClientError) as error:
        raise _StorageAway from error


class _SpooledFile(File):
    """Tells a local storage that it may move the file instead of copying it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.open("rb"), name=path.name)
        self._path = path

    def temporary_file_path(self) -> str:
        return str(self._path)


def complete_upload(upload: Upload) -> Upload:
    """Check a file that has fully arrived and make it a revision.

    Never raises for what is wrong with the file: the upload's ``state``, ``reason_code`` and
    ``reason`` say what came of it. May run again after a crash at any point: the revision has the
    upload's id, and so its file's name is known beforehand. Of several callers at once only one
    does the work; for the others the state stays ``checking``. So it does while the storage is
    away: the bytes are kept, ``reason`` says so, and ``tidy_uploads`` tries again.

    Raises Upload.DoesNotExist if the track that the file was for has been deleted meanwhile.
    """
    with alone_with(f"upload {upload.pk}") as alone:
        # Another check may have ended since this row was read.
        due = alone and Upload.objects.filter(
            pk=upload.pk, state__in=(UploadState.RECEIVING, UploadState.CHECKING)
        ).update(state=UploadState.CHECKING, reason_code="", reason="", updated_at=timezone.now())
        upload.refresh_from_db()
        if due:
            _check(upload)
    return upload


def finish_abandoned(upload: Upload) -> Upload:
    """Complete an upload that is all here, but whose process died before it said what came of it;
    any other is left as it is. Cheap enough for every time that somebody asks."""
    whole = upload.offset_bytes >= upload.length_bytes
    left = whole and upload.state in (UploadState.RECEIVING, UploadState.CHECKING)
    if left and upload.updated_at < timezone.now() - _ABANDONED_AFTER:
        return complete_upload(upload)
    return upload


def _check(upload: Upload) -> None:
    try:
        _accept(upload)
    except FileRefused as refusal:
        _refuse(upload, refusal)
    except _StorageAway:
        logger.exception("the storage does not answer; upload %s waits", upload.pk)
        upload.reason_code, upload.reason = STORAGE_AWAY, STORAGE_AWAY_REASON
        _settle(upload, UploadState.CHECKING, None)
        return
    # A defect of ours must not leave the artist without an answer, nor stop the rest of a batch.
    except Exception:
        logger.exception("checking upload %s failed", upload.pk)
        _refuse(
            upload,
            FileRefused(
                "internal",
                "Something went wrong on our side while this file was checked. Upload it again; "
                "if that does not help, write to us.",
            ),
        )
    Spool(upload.pk).remove()


def _accept(upload: Upload) -> None:
    revision = Revision.objects.filter(pk=upload.pk).first()
    if revision is None:
        with _storage():
            path = _bytes_of(upload)
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        _refuse_duplicate(upload, sha256)
        probed = probe(path)
        tags = read_tags(path)
        with _storage():
            name = _store(upload, path)
        try:
            with transaction.atomic():
                revision = _make_revision(upload, name, sha256, probed, tags)
                _settle(upload, UploadState.ACCEPTED, revision)
        # Whatever else goes wrong, the stored file stays: a second run finds it there.
        except FileRefused:
            with _storage():
                default_storage.delete(name)
            raise
    else:
        _settle(upload, UploadState.ACCEPTED, revision)


def _bytes_of(upload: Upload) -> Path:
    """The local file: still spooled, or, after a crash, already moved into a local storage."""
    spool = Spool(upload.pk)
    if spool.size_bytes == upload.length_bytes:
        return spool.path
    name = _stored_name(upload)
    if isinstance(default_storage, FileSystemStorage) and default_storage.exists(name):
        return Path(default_storage.path(name))
    raise FileRefused("lost", "The file got lost on the server. Upload it again.")


def _stored_name(upload: Upload) -> str:
    return audio_path(Revision(pk=upload.pk, artist_id=upload.artist_id), upload.filename)


def _store(upload: Upload, path: Path) -> str:
    name = _stored_name(upload)
    if Spool(upload.pk).size_bytes != upload.length_bytes:
        return name  # moved there already, before a crash or by another check
    if default_storage.exists(name):  # the rest of a copy that a crash cut short
        default_storage.delete(name)
    with _SpooledFile(path) as file:
        return default_storage.save(name, file)


def _refuse_duplicate(upload: Upload, sha256: str) -> None:
    twin = (
        Revision.objects.select_related("track")
        .filter(artist=upload.artist_id, content_sha256=sha256)
        .exclude(pk=upload.pk)
        .first()
    )
    if twin is not None:
        upload.revision = twin
        raise _duplicate(twin)


def _duplicate(twin: Revision) -> FileRefused:
    return FileRefused(
        "duplicate", f"You already have this file: {twin.track} v{twin.number}."[:500]
    )


def _make_revision(
    upload: Upload, name: str, sha256: str, probed: ProbedAudio, tags: Tags
) -> Revision:
    # One artist's files are accepted one after another: numbers, albums and the quota stay right.
    artist = (
        Artist.objects.select_for_update(of=("self",))
        .select_related("user")
        .get(pk=upload.artist_id)
    )
    # A check that was taken for dead may have ended after all.
    made = Revision.objects.filter(pk=upload.pk).first()
    if made is not None:
        return made
    _refuse_duplicate(upload, sha256)
    refusal = quota_refusal(artist, upload.length_bytes, arriving_bytes=0)
    if refusal is not None:
        raise refusal
    if upload.track_id and not Track.objects.filter(pk=upload.track_id).exists():
        raise FileRefused("track_gone", "The track that this version was for has been deleted.")
    track = upload.track or _make_track(upload, artist, tags)
    newest = track.revisions.aggregate(Max("number"))["number__max"] or 0
    revision = Revision(
        pk=upload.pk,
        track=track,
        artist=artist,
        number=newest + 1,
        file=name,
        original_name=upload.filename,
        content_sha256=sha256,
        size_bytes=upload.length_bytes,
        duration_s=probed.duration_s,
        sample_rate=probed.sample_rate,
        channels=probed.channels,
        codec=probed.codec,
        container=probed.container,
        bit_depth=probed.bit_depth,
        lossless=probed.lossless,
        tags=tags.as_json(),
        note=upload.note,
    )
    try:
        with transaction.atomic():
            revision.full_clean(validate_constraints=False, validate_unique=False)
            revision.save(force_insert=True)
    except IntegrityError:
        _refuse_duplicate(upload, sha256)
        raise
    transaction.on_commit(
        lambda: revision_added.send_robust(Revision, revision=revision), robust=True
    )
    return revision


def _make_track(upload: Upload, artist: Artist, tags: Tags) -> Track:
    if upload.is_reference:
        return _make_reference(upload, artist, tags)
    title, number = title_and_number(upload.filename)
    album = _album_for(upload, artist, tags)
    if album is not None and not album.artwork and tags.cover:
        _add_artwork(album, tags.cover)
    last = artist.tracks.filter(album=album).aggregate(Max("position"))["position__max"] or 0
    track = Track(
        artist=artist,
        album=album,
        title=tags.title or title,
        version=tags.version,
        position=tags.number or number or last + 1,
        release_date=tags.release_date,
        composer=tags.composer,
        isrc=tags.isrc,
    )
    track.full_clean()
    track.save()
    tracks_added.send(Track, tracks=[track])
    return track


def _make_reference(upload: Upload, artist: Artist, tags: Tags) -> Track:
    """A track by somebody else, whose name stands before the title where the file says it."""
    title = tags.title or title_and_number(upload.filename)[0]
    track = Track(
        artist=artist,
        title=clean_text(f"{tags.artist} – {title}") if tags.artist else title,
        version=tags.version,
        is_reference=True,
    )
    track.full_clean()
    track.save()
    tracks_added.send(Track, tracks=[track])
    return track


def _album_for(upload: Upload, artist: Artist, tags: Tags) -> Album | None:
    """The album chosen, or, for a dropped folder, the one that its files or its name say."""
    if upload.album is not None:
        return upload.album
    if not upload.folder:
        return selectors.find_album(artist, tags.album) if tags.album else None
    title = tags.album or upload.folder
    return selectors.find_album(artist, title) or create_album(artist=artist, title=title)


def _add_artwork(album: Album, cover: bytes) -> None:
    try:
        picture = reencode(io.BytesIO(cover))
    except PictureRefused as refusal:
        logger.info("the cover in the tags was not taken: %s", refusal)
        return
    with _storage():
        album.artwork.save("cover.webp", picture)


def _refuse(upload: Upload, refusal: FileRefused) -> None:
    upload.reason_code = refusal.code[:40]
    upload.reason = refusal.message[:500]
    twin = None
    if upload.revision_id is not None:
        twin = Revision.objects.filter(pk=upload.revision_id).first()
    _settle(upload, UploadState.REFUSED, twin)


def _settle(upload: Upload, state: UploadState, revision: Revision | None) -> None:
    """Write down what came of an upload; its row may be gone with the track it was meant for."""
    upload.state = state
    upload.revision = revision
    upload.updated_at = timezone.now()
    Upload.objects.filter(pk=upload.pk).update(
        state=state,
        revision=revision,
        reason_code=upload.reason_code,
        reason=upload.reason,
        updated_at=upload.updated_at,
    )
