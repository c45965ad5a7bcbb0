"""Private files: every byte goes through a permission check."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from catalog import selectors
from catalog.models import Revision
from catalog.streaming import ranged_response

_OGG = {"opus": "audio/ogg; codecs=opus", "vorbis": "audio/ogg; codecs=vorbis"}
# (what a container is called, media type, usual ending); a file's own name is never asked.
_CONTAINERS = {
    "wav": ("audio/wav", "wav"),
    "w64": ("audio/x-w64", "w64"),
    "aiff": ("audio/aiff", "aiff"),
    "flac": ("audio/flac", "flac"),
    "mp3": ("audio/mpeg", "mp3"),
    "ogg": ("audio/ogg", "ogg"),
    "aac": ("audio/aac", "aac"),
    "m4a": ("audio/mp4", "m4a"),
    "mp4": ("audio/mp4", "m4a"),
    "mov": ("audio/mp4", "m4a"),
    "caf": ("audio/x-caf", "caf"),
}


def audio_type(revision: Revision) -> tuple[str, str]:
    """Media type and file ending of a revision, from what its content was found to be."""
    media_type, ending = _CONTAINERS.get(
        revision.container.lower(), ("application/octet-stream", "bin")
    )
    if ending == "ogg":
        media_type = _OGG.get(revision.codec, media_type)
        ending = "opus" if revision.codec == "opus" else "ogg"
    return media_type, ending


@require_safe
def revision_audio(request: HttpRequest, revision_id: UUID) -> HttpResponseBase:
    """The sound of a revision; ``?download=1`` saves it, ``?share=TOKEN`` uses a share link."""
    revision = selectors.readable_revision(
        request.user, revision_id, share_token=request.GET.get("share", "")
    )
    media_type, ending = audio_type(revision)
    name = f"{revision.artist.name} - {revision.track} (v{revision.number}).{ending}"
    return ranged_response(
        request,
        storage=revision.file.storage,
        name=revision.file.name or "",
        content_type=media_type,
        etag=revision.content_sha256,
        last_modified=revision.created_at,
        download_name=name.replace("/", "-") if request.GET.get("download") else "",
    )


@require_safe
def artist_picture(request: HttpRequest, artist_id: int) -> HttpResponseBase:
    """An artist's picture."""
    artist = selectors.readable_artist(
        request.user, artist_id, share_token=request.GET.get("share", "")
    )
    return _picture(request, artist.picture)


@require_safe
def album_artwork(request: HttpRequest, album_id: UUID) -> HttpResponseBase:
    """An album's artwork."""
    album = selectors.readable_album(
        request.user, album_id, share_token=request.GET.get("share", "")
    )
    return _picture(request, album.artwork)


def _picture(request: HttpRequest, picture: object) -> HttpResponseBase:
    name = getattr(picture, "name", "")
    if not name:
        raise Http404
    return ranged_response(
        request,
        storage=picture.storage,  # type: ignore[attr-defined]
        name=name,
        content_type="image/webp",
        # Each picture is stored under a new random name, which so stands for its content.
        etag=name.rpartition("/")[2].removesuffix(".webp"),
    )
