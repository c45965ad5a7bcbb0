"""Saying whether models may learn from one's recordings: as a whole, and by track."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from catalog import selectors, services
from catalog.access import ArtistRequest, artist_required
from catalog.models import Track

_ANSWERS = {"yes": True, "no": False}
BAD_ANSWER = "Say yes or no."


@artist_required
@require_POST
def artist_consent(request: ArtistRequest) -> HttpResponse:
    """Give consent to training on one's recordings as a whole, or take it back."""
    allow = _ANSWERS.get(request.POST.get("allow", ""))
    if allow is None:
        return HttpResponseBadRequest(BAD_ANSWER)
    changed = services.set_artist_consent(request.artist, allow=allow, by=request.user)
    if changed and allow:
        messages.success(
            request,
            "Thank you. Now choose the tracks: only those that you allow one by one are used.",
        )
    elif changed:
        messages.success(
            request,
            "Your consent is taken back. Your clips and their labels are deleted, and the next "
            "model is trained without them.",
        )
    return redirect(reverse("profile") + "#training")


@artist_required
@require_POST
def album_consent(request: ArtistRequest, album_id: UUID) -> HttpResponse:
    """The same answer for all tracks of an album."""
    album = selectors.get_album_for(request.user, album_id)
    allow = _ANSWERS.get(request.POST.get("allow", ""))
    if allow is None:
        return HttpResponseBadRequest(BAD_ANSWER)
    say_consent(request, album.tracks.all(), allow=allow)
    return redirect(album)


def say_consent(request: ArtistRequest, tracks: QuerySet[Track], *, allow: bool) -> None:
    """Change the consent of tracks, and tell what came of it."""
    references = tracks.filter(is_reference=True).count() if allow else 0
    changed = services.set_track_consent(tracks, allow=allow, by=request.user)
    counted = "1 track" if changed == 1 else f"{changed} tracks"
    if not changed:
        messages.info(request, "Nothing changed: that was said about these tracks before.")
    elif allow:
        messages.success(request, f"Training is allowed for {counted}.")
    else:
        messages.success(
            request, f"Training is no longer allowed for {counted}: clips and labels are deleted."
        )
    if allow and changed and not request.artist.may_train:
        messages.warning(
            request,
            "It does not count yet: allow it for your recordings as a whole too, on your profile.",
        )
    if references:
        messages.warning(request, "References by others are left out: they are not yours to give.")
