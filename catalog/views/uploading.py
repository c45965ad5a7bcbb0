"""The upload page: dropping files with JavaScript, a plain form without."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from catalog import selectors, services
from catalog.access import ArtistRequest, artist_required
from catalog.form_uploads import SpoolingUploadHandler
from catalog.models import Album, Artist, Track, Upload, UploadState
from catalog.probing import FileRefused


@csrf_exempt  # so that the upload handler is in place before the token is read from the body
@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: ArtistRequest) -> HttpResponseBase:
    """Where files are dropped: ``?track=`` for a new version, ``?album=`` to put them into it."""
    handler = SpoolingUploadHandler(request, room_bytes=selectors.free_bytes(request.artist))
    if request.method == "POST":
        request.upload_handlers = [handler]
    return _protected(request, handler)


@csrf_protect
def _protected(request: ArtistRequest, handler: SpoolingUploadHandler) -> HttpResponse:
    track, album = _target(request, request.GET)
    if request.method == "POST":
        owner = track.artist if track else album.artist if album else request.artist
        _take_form(request, handler, owner, track, album)
        return redirect(request.get_full_path())
    return render(request, "catalog/upload.html", _context(request, track, album))


@artist_required
@require_safe
def upload_recent(request: ArtistRequest) -> HttpResponse:
    """The list of recent uploads, as it stands now."""
    track, album = _target(request, request.GET)
    return render(request, "catalog/_upload_recent.html", _context(request, track, album))


def _context(request: ArtistRequest, track: Track | None, album: Album | None) -> dict[str, Any]:
    artist = track.artist if track else album.artist if album else request.artist
    recent = list(selectors.recent_uploads(artist))
    return {
        "artist": artist,
        "track": track,
        "album": album,
        "recent": recent,
        "under_way": any(row.state == UploadState.CHECKING for row in recent),
        "used_bytes": selectors.used_bytes(artist),
        "quota_bytes": selectors.quota_bytes(artist),
        "upload_config": {
            "endpoint": reverse("uploads"),
            "recent": reverse("upload_recent"),
            "track": str(track.pk) if track else "",
            "album": str(album.pk) if album else "",
            "chunkBytes": min(8 * 1024 * 1024, settings.UPLOAD_CHUNK_MAX_BYTES),
            "maxBytes": settings.UPLOAD_MAX_BYTES,
        },
        "max_bytes": settings.UPLOAD_MAX_BYTES,
        "max_minutes": settings.UPLOAD_MAX_SECONDS // 60,
    }


def _target(request: ArtistRequest, query: QueryDict) -> tuple[Track | None, Album | None]:
    track_id, album_id = query.get("track", ""), query.get("album", "")
    try:
        track = selectors.get_track_for(request.user, UUID(track_id)) if track_id else None
        album = selectors.get_album_for(request.user, UUID(album_id)) if album_id else None
    except ValueError as error:
        raise Http404 from error
    return track, album


def _take_form(
    request: ArtistRequest,
    handler: SpoolingUploadHandler,
    artist: Artist,
    track: Track | None,
    album: Album | None,
) -> None:
    """Take every file of the form in; each gets its own answer."""
    files = cast(list[TemporaryUploadedFile], request.FILES.getlist("files"))
    accepted, waiting, refused = 0, 0, len(handler.too_large) + len(handler.without_room)
    try:
        for name, size in handler.too_large:
            _refuse(artist, name, size, services.too_large(size))
        for name, size in handler.without_room:
            _refuse(artist, name, size, services.over_quota(artist))
        for file in files:
            taken = _take(
                artist,
                file,
                track,
                album,
                note=request.POST.get("note", ""),
                is_reference="is_reference" in request.POST,
            )
            accepted += taken == UploadState.ACCEPTED
            waiting += taken == UploadState.CHECKING
            refused += taken == UploadState.REFUSED
    except services.TooManyUploads as limit:
        messages.error(request, str(limit))
    if accepted:
        files_word = "file is" if accepted == 1 else "files are"
        messages.success(request, f"{accepted} {files_word} in your library now.")
    if waiting:
        files_word = "file is" if waiting == 1 else "files are"
        messages.warning(request, f"{waiting} {files_word} kept and not yet taken in: see below.")
    if refused:
        files_word = "file was" if refused == 1 else "files were"
        messages.error(request, f"{refused} {files_word} not taken. The list below says why.")
    if not files and not refused:
        messages.warning(request, "Choose some files first.")


def _take(
    artist: Artist,
    file: TemporaryUploadedFile,
    track: Track | None,
    album: Album | None,
    *,
    note: str,
    is_reference: bool,
) -> str:
    """The upload's state once the file has been checked."""
    file.flush()
    try:
        row = services.adopt_file(
            artist=artist,
            path=Path(file.temporary_file_path()),
            filename=file.name or "",
            track=track,
            album=album,
            note=note,
            is_reference=is_reference,
        )
        return services.complete_upload(row).state
    except FileRefused:  # kept as a row, which the page lists
        return UploadState.REFUSED
    except Upload.DoesNotExist:  # the track that it was for has just been deleted
        return UploadState.REFUSED


def _refuse(artist: Artist, name: str, size_bytes: int, refusal: FileRefused) -> None:
    services.refuse_upload(artist=artist, filename=name, length_bytes=size_bytes, refusal=refusal)
