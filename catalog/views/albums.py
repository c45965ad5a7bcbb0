"""Pages of albums: list, one album, making, changing, ordering, deleting."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog import selectors, services
from catalog.access import ArtistRequest, UserRequest, artist_required
from catalog.forms import AlbumForm, add_errors
from catalog.models import Album
from catalog.pictures import PictureRefused
from catalog.registry import album_sections

_STEPS = {"up": -1, "down": 1}


@artist_required
@require_safe
def albums(request: ArtistRequest) -> HttpResponse:
    """An artist's albums in their order."""
    context = {"albums": selectors.albums_of(request.artist), "artist": request.artist}
    return render(request, "catalog/albums.html", context)


@artist_required
@require_POST
def albums_order(request: ArtistRequest) -> HttpResponse:
    """Bring the albums into the order in which their ids are given (by dragging)."""
    ids = _ids(request)
    if ids is None:
        return HttpResponseBadRequest("The ids of the albums are malformed.")
    services.order_albums(request.artist, ids)
    return HttpResponse(status=204)


@artist_required
@require_safe
def album(request: ArtistRequest, album_id: UUID) -> HttpResponse:
    """One album and its tracks."""
    found = selectors.get_album_for(request.user, album_id)
    tracks = list(selectors.tracks_of_album(found))
    context = {
        "album": found,
        "tracks": tracks,
        "total_s": fsum(track.duration_s or 0.0 for track in tracks),  # type: ignore[attr-defined]
        "allowed": sum(track.may_train for track in tracks),
        "sections": album_sections(found) if tracks else [],
    }
    return render(request, "catalog/album.html", context)


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def album_new(request: ArtistRequest) -> HttpResponse:
    """Make an album."""
    form = AlbumForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            made = services.create_album(
                artist=request.artist,
                title=data["title"],
                release_date=data["release_date"],
                artwork=data["new_artwork"],
            )
        except PictureRefused as refusal:
            form.add_error("new_artwork", str(refusal))
        except ValidationError as error:
            add_errors(form, error)
        else:
            messages.success(request, f"{made} is there. Now add tracks to it.")
            return redirect(made)
    return _form_page(request, form, None)


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def album_edit(request: ArtistRequest, album_id: UUID) -> HttpResponse:
    """Rename an album, change its date or artwork."""
    found = selectors.get_album_for(request.user, album_id)
    shown = Album.objects.get(pk=found.pk)
    form = AlbumForm(request.POST or None, request.FILES or None, instance=shown)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            services.update_album(
                found,
                title=data["title"],
                release_date=data["release_date"],
                artwork=data["new_artwork"],
                remove_artwork=data.get("remove_artwork", False),
            )
        except PictureRefused as refusal:
            form.add_error("new_artwork", str(refusal))
        except ValidationError as error:
            add_errors(form, error)
        else:
            messages.success(request, "The album is saved.")
            return redirect(found)
    return _form_page(request, form, found)


def _form_page(request: UserRequest, form: AlbumForm, found: Album | None) -> HttpResponse:
    status = 422 if form.errors else 200
    return render(request, "catalog/album_form.html", {"form": form, "album": found}, status=status)


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def album_delete(request: ArtistRequest, album_id: UUID) -> HttpResponse:
    """Delete an album and, as chosen, keep or delete its tracks."""
    found = selectors.get_album_for(request.user, album_id)
    count = found.tracks.count()
    choice = request.POST.get("tracks", "")
    if request.method == "POST" and choice in {"keep", "delete"}:
        title = found.title
        services.delete_album(found, with_tracks=choice == "delete")
        kept = (
            "" if count == 0 else " with its tracks" if choice == "delete" else "; its tracks stay"
        )
        messages.success(request, f"{title} is deleted{kept}.")
        return redirect("albums")
    return render(request, "catalog/album_delete.html", {"album": found, "track_count": count})


@artist_required
@require_POST
def album_move(request: ArtistRequest, album_id: UUID) -> HttpResponse:
    """Move an album one place up or down."""
    found = selectors.get_album_for(request.user, album_id)
    step = _STEPS.get(request.POST.get("direction", ""))
    if step is None:
        return HttpResponseBadRequest("Choose up or down.")
    services.move_album(found, by=step)
    return redirect("albums")


@artist_required
@require_POST
def album_track_order(request: ArtistRequest, album_id: UUID) -> HttpResponse:
    """Move one ``track`` in a ``direction``, or bring all into the ``order`` given."""
    found = selectors.get_album_for(request.user, album_id)
    if "direction" not in request.POST:
        ids = _ids(request)
        if ids is None:
            return HttpResponseBadRequest("The ids of the tracks are malformed.")
        services.order_tracks(found, ids)
        return HttpResponse(status=204)
    step = _STEPS.get(request.POST["direction"])
    try:
        track = found.tracks.filter(pk=UUID(request.POST.get("track", ""))).first()
    except ValueError:
        track = None
    if step is None or track is None:
        return HttpResponseBadRequest("Choose a track of this album, and up or down.")
    services.move_track(track, by=step)
    return redirect(found)


def _ids(request: UserRequest) -> Sequence[UUID] | None:
    try:
        return [UUID(text) for text in request.POST.getlist("order")]
    except ValueError:
        return None
