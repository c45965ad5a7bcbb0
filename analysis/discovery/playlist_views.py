"""Pages and files of an artist's playlists."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from analysis.discovery import playlist_files
from analysis.discovery import playlists as services
from analysis.discovery.gallery_models import Playlist
from analysis.discovery.gallery_views import safe_next
from analysis.discovery.request import Asker, BadRequest
from analysis.discovery.seeds import SeedNotFound, SeedNotHeard, visible
from catalog.access import ArtistRequest, artist_required
from catalog.models import Artist, Track
from sonicsite.limits import asked_too_often

_MOST_AT_ONCE = 200
_NEW = "new"


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def playlists(request: ArtistRequest) -> HttpResponse:
    """All playlists; a POST makes an empty one."""
    if request.method == "POST":
        try:
            made = services.create(request.artist, request.POST.get("name", ""))
        except services.PlaylistRefused as error:
            messages.error(request, str(error))
            return redirect("playlists")
        return redirect("playlist", made.pk)
    return render(
        request,
        "discovery/playlists.html",
        {"playlists": playlist_files.playlists_of(request.artist), "tracks": _tracks(request)},
    )


def _tracks(request: ArtistRequest) -> list[Track]:
    """Between what a way can be asked for by name: the artist's own, newest first."""
    return list(
        Track.objects.filter(artist=request.artist, is_reference=False)
        .select_related("artist")
        .order_by("-created_at")[:500]
    )


@artist_required
@require_safe
def playlist(request: ArtistRequest, playlist_id: uuid.UUID) -> HttpResponse:
    """One playlist with its player."""
    found = playlist_files.playlist_of(request.artist, playlist_id)
    entries = playlist_files.entries(found)
    return render(
        request,
        "discovery/playlist.html",
        {
            "playlist": found,
            "entries": entries,
            "total_s": sum(e.revision.duration_s for e in entries if e.revision is not None),
            "has_hidden": any(entry.track is None for entry in entries),
        },
    )


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: ArtistRequest) -> HttpResponse:
    """Add tracks to a playlist that exists or to a new one; a GET asks which."""
    given = request.POST if request.method == "POST" else request.GET
    ids = _uuids(given.getlist("track"))
    if request.method != "POST":
        tracks = Track.objects.filter(
            visible(Asker.of_artist(request.artist)), pk__in=ids
        ).select_related("artist")
        if not tracks:
            raise Http404
        return render(
            request,
            "discovery/playlist_add.html",
            {"tracks": tracks, "playlists": playlist_files.playlists_of(request.artist)},
        )
    back = safe_next(request, reverse("playlists"))
    if not ids:
        messages.error(request, "Tick at least one track first.")
        return redirect(back)
    try:
        with transaction.atomic():
            target = _target(request.artist, given.get("playlist", ""), given.get("name", ""))
            count = services.add(target, ids)
    except services.PlaylistRefused as error:
        messages.error(request, str(error))
        return redirect(back)
    if count:
        messages.success(
            request, f"{count} track{'s' if count != 1 else ''} added to “{target.name}”."
        )
    else:
        messages.info(request, f"“{target.name}” had them already.")
    return redirect(safe_next(request, reverse("playlist", args=[target.pk])))


def _target(artist: Artist, chosen: str, name: str) -> Playlist:
    """The playlist of a form. Raises PlaylistRefused, Http404."""
    if chosen in ("", _NEW):
        return services.create(artist, name)
    try:
        return playlist_files.playlist_of(artist, uuid.UUID(chosen))
    except ValueError:
        raise Http404 from None


def _uuids(texts: Iterable[str]) -> list[uuid.UUID]:
    """Raises Http404 for what is none, and for too many."""
    try:
        found = [uuid.UUID(text) for text in texts]
    except ValueError:
        raise Http404 from None
    if len(found) > _MOST_AT_ONCE:
        raise Http404
    return found


@artist_required
@require_POST
def change(request: ArtistRequest, playlist_id: uuid.UUID) -> HttpResponse:
    """Rename or delete a playlist; move or remove one of its tracks."""
    found = playlist_files.playlist_of(request.artist, playlist_id)
    action = request.POST.get("action", "")
    try:
        if action == "rename":
            services.rename(found, request.POST.get("name", ""))
        elif action == "delete":
            services.delete(found)
            messages.success(request, f"“{found.name}” is deleted. Its tracks stay.")
            return redirect("playlists")
        elif action in ("up", "down"):
            services.move(found, _item(request), -1 if action == "up" else 1)
        elif action == "remove":
            services.remove(found, _item(request))
        else:
            return HttpResponse("Unknown action.", status=400, content_type="text/plain")
    except services.PlaylistRefused as error:
        messages.error(request, str(error))
    return redirect("playlist", found.pk)


def _item(request: HttpRequest) -> int:
    return _number(request.POST.get("item", ""))


def _number(text: str) -> int:
    """Raises Http404 for what is no id."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Http404
    return int(text)


@artist_required
@require_POST
def order(request: ArtistRequest, playlist_id: uuid.UUID) -> HttpResponse:
    """The whole order at once: ``order=ID&order=ID``."""
    found = playlist_files.playlist_of(request.artist, playlist_id)
    items = [_number(text) for text in request.POST.getlist("order")]
    try:
        services.put_in_order(found, items)
    except services.PlaylistRefused:  # somebody has just deleted it
        raise Http404 from None
    return HttpResponse(status=204)


@artist_required
@require_POST
def path_between(request: ArtistRequest) -> HttpResponse:
    """A new playlist that leads from one song to another."""
    wait_s = services.WAYS.wait_s(str(request.user.pk))
    if wait_s:
        messages.error(request, asked_too_often(wait_s))
        return redirect("playlists")
    (start, end) = (_uuids([request.POST.get(name, "")])[0] for name in ("start", "end"))
    steps = request.POST.get("steps", "")
    count = int(steps) if steps.isascii() and steps.isdigit() and len(steps) < 4 else 0
    try:
        made, length = services.create_way(request.artist, start, end, count)
    except SeedNotFound:
        raise Http404 from None
    except (BadRequest, SeedNotHeard, services.PlaylistRefused) as error:
        messages.error(request, str(error))
        return redirect("playlists")
    if length == 2:
        messages.info(
            request,
            "These two are so near that the way over any other track has a larger step.",
        )
    return redirect("playlist", made.pk)


@artist_required
@require_safe
def m3u8(request: ArtistRequest, playlist_id: uuid.UUID) -> HttpResponse:
    """The playlist as M3U8."""
    return playlist_files.as_file(playlist_files.playlist_of(request.artist, playlist_id), "m3u8")


@artist_required
@require_safe
def as_json(request: ArtistRequest, playlist_id: uuid.UUID) -> HttpResponse:
    """The playlist as JSON."""
    return playlist_files.as_file(playlist_files.playlist_of(request.artist, playlist_id), "json")
