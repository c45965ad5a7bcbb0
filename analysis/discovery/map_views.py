"""The map of the catalogue: a page to wander on, its points, and the song that was chosen."""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from analysis.discovery import map_runs, map_selectors, spaces
from analysis.discovery.models import EmbeddingSpace
from analysis.discovery.request import Asker, BadRequest
from catalog.access import UserRequest
from sonicsite.limits import TokenBuckets, asked_too_often

# Per account and web process. Whoever drags the map about asks two or three times a second.
_ASKED = TokenBuckets(rate=4.0, burst=60)


@login_required
@require_safe
def catalogue_map(request: UserRequest) -> HttpResponse:
    """The page. ``?track=UUID`` begins at a track."""
    space = spaces.serving_space()
    drawn = map_selectors.last_map(space) if space is not None else None
    context: dict[str, Any] = {"drawn": drawn, "least_tracks": map_runs.LEAST_TRACKS}
    if space is not None and drawn is None:
        context["under_way"] = map_selectors.map_under_way(space)
    elif space is not None and drawn is not None:
        asker = Asker.of_user(request.user)
        if given := request.GET.get("track", ""):
            context["start"] = _point(given, space, asker)
            context["is_missing"] = context["start"] is None
        if drawn.kept_share is not None:
            context["kept_of_ten"] = 10.0 * drawn.kept_share
            context["by_lot_of_ten"] = 10.0 * (drawn.chance_share or 0.0)
    return render(request, "discovery/map.html", context)


def _point(given: str, space: EmbeddingSpace, asker: Asker) -> dict[str, Any] | None:
    try:
        return map_selectors.point_of(space, asker, UUID(given))
    except ValueError:
        return None


@login_required
@require_safe
@gzip_page
def map_points(request: UserRequest) -> JsonResponse:
    """Points: ``?box=left,bottom,right,top`` or all."""
    if refusal := _too_often(request):
        return refusal
    space = spaces.serving_space()
    try:
        box = map_selectors.Box.from_query(request.GET)
    except BadRequest as error:
        return JsonResponse({"detail": str(error)}, status=400)
    if space is None:
        return JsonResponse({"points": [], "is_all": True})
    found = map_selectors.points_in(space, Asker.of_user(request.user), box)
    response = JsonResponse({"points": found.rows, "is_all": found.is_all})
    response["Cache-Control"] = "private, no-store"
    return response


@login_required
@require_safe
def map_song(request: UserRequest, track_id: UUID) -> HttpResponse:
    """The card of the track that was chosen."""
    if refusal := _too_often(request):
        return refusal
    space = spaces.serving_space()
    song = (
        map_selectors.song_of(space, Asker.of_user(request.user), track_id)
        if space is not None
        else None
    )
    if song is None:
        raise Http404
    can_keep = getattr(request.user, "artist", None) is not None
    return render(request, "discovery/_map_song.html", {"song": song, "can_keep": can_keep})


def _too_often(request: UserRequest) -> JsonResponse | None:
    wait_s = _ASKED.wait_s(str(request.user.pk))
    if not wait_s:
        return None
    return JsonResponse(
        {"detail": asked_too_often(wait_s)},
        status=429,
        headers={"Retry-After": str(math.ceil(wait_s))},
    )
