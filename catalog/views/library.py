"""The library page and what can be done to many tracks at once."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from catalog import selectors, services
from catalog.access import ArtistRequest, artist_required
from catalog.library import (
    NO_ALBUM,
    Tracks,
    chosen_tracks,
    library_page,
    library_row,
    table_facets,
)
from catalog.models import Album
from catalog.views.consent import say_consent

NEW_ALBUM = "new"


@artist_required
@require_safe
def library(request: ArtistRequest) -> HttpResponse:
    """An artist's tracks: search, sort, filter, paging, selection."""
    page = library_page(request.artist, request.GET)
    part = request.htmx and request.htmx.target == "library-results"
    context = {
        "library": page,
        "page_obj": page.page_obj,
        "artist": request.artist,
        "albums": list(selectors.albums_of(request.artist)),
        "used_bytes": selectors.used_bytes(request.artist),
        "quota_bytes": selectors.quota_bytes(request.artist),
    }
    response = render(
        request, "catalog/_library_results.html" if part else "catalog/library.html", context
    )
    response["Vary"] = "HX-Request, HX-Target, Cookie"
    return response


@artist_required
@require_safe
def library_track(request: ArtistRequest, track_id: UUID) -> HttpResponse:
    """One row of the library, as it stands now."""
    track = selectors.get_track_for(request.user, track_id)
    context = {"track": library_row(track.artist, track.pk), "facets": table_facets()}
    return render(request, "catalog/_library_row.html", context)


@artist_required
@require_POST
def library_bulk(request: ArtistRequest) -> HttpResponse:
    """Delete, move or analyse again the selected tracks, or say whether they may be trained on."""
    tracks = chosen_tracks(request.artist, request.POST.getlist("track"))
    action = request.POST.get("action", "")
    if action not in {"delete", "move", "reanalyse", "allow_training", "end_training"}:
        return HttpResponseBadRequest("Choose what to do with the tracks.")
    count = tracks.count()
    if count == 0:
        messages.warning(request, "Select some tracks first.")
    elif action == "reanalyse":
        services.reanalyse_tracks(tracks)
        messages.success(request, f"{_tracks(count)} will be analysed again.")
    elif action in {"allow_training", "end_training"}:
        say_consent(request, tracks, allow=action == "allow_training")
    elif action == "move":
        return _move(request, tracks, count)
    elif request.POST.get("confirmed"):
        services.delete_tracks(tracks)
        messages.success(request, f"{_tracks(count)} deleted.")
    else:
        context = {"tracks": tracks.select_related("album"), "next": _next(request)}
        return render(request, "catalog/library_delete.html", context)
    return redirect(_next(request))


def _move(request: ArtistRequest, tracks: Tracks, count: int) -> HttpResponse:
    chosen = request.POST.get("album", "")
    album: Album | None = None
    if chosen == NEW_ALBUM:
        title = request.POST.get("album_title", "").strip()
        if not title:
            messages.warning(request, "Give the new album a title.")
            return redirect(_next(request))
        album = services.create_album(artist=request.artist, title=title)
    elif chosen != NO_ALBUM:
        try:
            album = selectors.get_album_for(request.user, UUID(chosen))
        except ValueError:
            messages.warning(request, "Choose an album to move the tracks to.")
            return redirect(_next(request))
    references = tracks.filter(is_reference=True).count()
    if references:
        stays = "stays" if references == 1 else "stay"
        messages.warning(request, f"{_tracks(references)} by others {stays} outside albums.")
    if references == count:
        return redirect(_next(request))
    count -= references
    services.move_tracks(tracks, album)
    where = f"moved to {album}" if album else "taken out of their albums"
    messages.success(request, f"{_tracks(count)} {where}.")
    return redirect(_next(request))


def _next(request: ArtistRequest) -> str:
    """Back to the same page, search and order."""
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure()):
        return target
    return "library"


def _tracks(count: int) -> str:
    return "1 track" if count == 1 else f"{count} tracks"
