"""Playlists read: for the page, and as files that hold no address of this site."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet
from django.http import Http404, HttpResponse
from django.urls import reverse

from analysis.discovery.gallery_models import Playlist
from analysis.discovery.request import Asker
from analysis.discovery.seeds import visible
from analysis.downloads import as_download
from catalog.models import Artist, Revision, Track

FORMAT = "sonic-vision-playlist"
FORMAT_VERSION = 1
FILES = {"m3u8": "application/vnd.apple.mpegurl", "json": "application/json"}
"""Kinds of files, which are their endings, and their media types."""

_EXTENSIONS = frozenset({"wav", "flac", "mp3", "aif", "aiff", "ogg", "opus", "m4a"})
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u2028\u2029]+')


@dataclass(frozen=True)
class Entry:
    """One place of a playlist. ``track`` and ``revision`` are None where the artist may not hear it
    any more."""

    item_id: int
    track: Track | None
    revision: Revision | None

    @property
    def audio_url(self) -> str:
        return reverse("revision_audio", args=[self.revision.pk]) if self.revision else ""


def playlist_of(artist: Artist, playlist_id: UUID) -> Playlist:
    """A playlist of that artist's own. Raises Http404."""
    found = Playlist.objects.filter(artist=artist, pk=playlist_id).first()
    if found is None:
        raise Http404
    return found


def playlists_of(artist: Artist) -> QuerySet[Playlist]:
    """An artist's playlists, last changed first, with ``item_count``."""
    # Counting in groups drops the order that the table has by itself.
    return with_counts(Playlist.objects.filter(artist=artist)).order_by("-changed_at")


def with_counts(rows: QuerySet[Playlist]) -> QuerySet[Playlist]:
    """The playlists, each with ``item_count``, in no order."""
    return rows.annotate(item_count=Count("items"))


def entries(playlist: Playlist) -> list[Entry]:
    """A playlist's places in order, in three queries."""
    items = list(playlist.items.values_list("pk", "track_id"))
    tracks = (
        Track.objects.filter(visible(Asker.of_artist(playlist.artist)))
        .select_related("artist", "album")
        .in_bulk([track_id for _, track_id in items])
    )
    revisions = {
        revision.track_id: revision
        for revision in Revision.objects.filter(track__in=tracks).order_by("number")
    }
    found = []
    for pk, track_id in items:
        revision = revisions.get(track_id)
        track = tracks.get(track_id) if revision is not None else None
        found.append(Entry(pk, track, revision if track is not None else None))
    return found


def as_m3u8(playlist: Playlist) -> str:
    """Extended M3U in UTF-8: length, artist and title of each track, and a relative file name made
    of them. Tracks that the artist may not hear any more are left out."""
    lines = ["#EXTM3U", f"#PLAYLIST:{_one_line(playlist.name)}"]
    for entry in entries(playlist):
        if entry.track is None or entry.revision is None:
            continue
        said = _one_line(f"{entry.track.artist.name} - {entry.track}")
        lines.append(f"#EXTINF:{round(entry.revision.duration_s)},{said}")
        lines.append(file_name(said, entry.revision.original_name))
    return "\n".join(lines) + "\n"


def file_name(said: str, original_name: str) -> str:
    """``"Artist - Title.flac"``: nothing that a file system or a player could take for a folder, a
    comment or an address."""
    extension = original_name.rpartition(".")[2].lower()
    stem = _UNSAFE.sub("_", said).strip(" .").lstrip("#") or "track"
    return f"{stem[:180]}.{extension if extension in _EXTENSIONS else 'wav'}"


def as_document(playlist: Playlist) -> dict[str, Any]:
    """The playlist for programs: format, name, and of each track title, artist, album, seconds and
    ISRC."""
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "name": playlist.name,
        "tracks": [
            {
                "title": str(entry.track),
                "artist": entry.track.artist.name,
                "album": entry.track.album.title if entry.track.album else None,
                "duration_s": round(entry.revision.duration_s, 3),
                "isrc": entry.track.isrc or None,
            }
            for entry in entries(playlist)
            if entry.track is not None and entry.revision is not None
        ],
    }


def as_file(playlist: Playlist, kind: str) -> HttpResponse:
    """The playlist as a file of one of :data:`FILES`, named after it."""
    text = (
        as_m3u8(playlist)
        if kind == "m3u8"
        else json.dumps(as_document(playlist), ensure_ascii=False, indent=2)
    )
    content_type = FILES[kind] if kind == "json" else f"{FILES[kind]}; charset=utf-8"
    response = HttpResponse(text.encode(), content_type=content_type)
    name = (_UNSAFE.sub("_", playlist.name).strip(" .") or "playlist")[:100]
    return as_download(response, f"{name}.{kind}")


def _one_line(text: str) -> str:
    return " ".join(_LINE_ENDS.sub(" ", text).split())


_LINE_ENDS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
