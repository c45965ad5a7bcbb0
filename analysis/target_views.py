"""Pages of an artist's own mix targets: list, making, changing, taking away."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from analysis import mix_targets
from analysis.downloads import as_download
from analysis.models import MixTarget, TargetKind
from analysis.target_forms import CatalogueTargetForm, FileTargetForm, TargetNameForm, weights_of
from analysis.target_selectors import (
    LISTED_TRACKS,
    MAX_TRACKS,
    choosable_tracks,
    get_target_for,
    targets_of,
    value_of,
)
from catalog.access import ArtistRequest, artist_required
from catalog.forms import add_errors
from catalog.models import Artist

_OF_TRACKS = (TargetKind.TRACKS, TargetKind.REFERENCES)


@artist_required
@require_safe
def targets(request: ArtistRequest) -> HttpResponse:
    """An artist's targets, and how to make one."""
    rows = [
        {
            "target": target,
            "now": (now := mix_targets.current(target)),
            "unusable_because": "" if now else mix_targets.unusable_because(target),
            "parts": sorted(
                target.parts.all(), key=lambda part: (-part.weight, part.track.title.casefold())
            ),
            "is_default": request.artist.default_genre == value_of(target.pk),
        }
        for target in targets_of(request.artist)
    ]
    context = {
        "rows": rows,
        "artist": request.artist,
        "max_targets": mix_targets.MAX_TARGETS,
        "is_full": len(rows) >= mix_targets.MAX_TARGETS,
        "max_tracks": MAX_TRACKS,
    }
    return render(request, "analysis/targets.html", context)


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_of_catalogue(request: ArtistRequest) -> HttpResponse:
    """Make a target of all tracks or of an album."""
    form = CatalogueTargetForm(request.artist, request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        made = _tried(
            form,
            lambda: mix_targets.create_of_catalogue(
                request.artist, name=data["name"], album=data["album"]
            ),
        )
        if made is not None:
            return _made(request, made)
    context = {"form": form, "title": "Target from my own music", "max_tracks": MAX_TRACKS}
    return _page(request, "analysis/target_form.html", form, context)


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_of_file(request: ArtistRequest) -> HttpResponse:
    """Make a target of a JSON file."""
    form = FileTargetForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        made = _tried(
            form,
            lambda: mix_targets.create_of_file(
                request.artist, file=data["file"].file, name=data["name"]
            ),
        )
        if made is not None:
            return _made(request, made)
    context = {"form": form, "title": "Target from a file", "is_file": True}
    return _page(request, "analysis/target_form.html", form, context)


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_of_tracks(request: ArtistRequest) -> HttpResponse:
    """Make a target of chosen tracks, each with a weight."""
    form = TargetNameForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = _tried(
            form,
            lambda: mix_targets.create_of_tracks(
                request.artist, name=form.cleaned_data["name"], weights=weights_of(request.POST)
            ),
        )
        if made is not None:
            return _made(request, made)
    return _tracks_page(request, form, request.artist, None)


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: ArtistRequest, target_id: uuid.UUID) -> HttpResponse:
    """Rename a target; choose other tracks for one that is made of chosen tracks."""
    target = get_target_for(request.user, target_id)
    form = TargetNameForm(request.POST or None, initial={"name": target.name})
    of_tracks = target.kind in _OF_TRACKS
    if request.method == "POST" and form.is_valid():

        def change() -> MixTarget:
            weights = weights_of(request.POST) if of_tracks else None
            return mix_targets.update(target, name=form.cleaned_data["name"], weights=weights)

        if _tried(form, change) is not None:
            messages.success(request, f"{target.name} is saved.")
            return redirect("mix_targets")
    shown = get_target_for(request.user, target_id)
    if of_tracks:
        return _tracks_page(request, form, shown.artist, shown)
    context = {"form": form, "title": f"Rename {shown.name}", "target": shown}
    return _page(request, "analysis/target_form.html", form, context)


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: ArtistRequest, target_id: uuid.UUID) -> HttpResponse:
    """Delete a target, after a question."""
    target = get_target_for(request.user, target_id)
    if request.method == "POST":
        mix_targets.delete(target)
        messages.success(request, f"{target.name} is deleted. Its tracks stay.")
        return redirect("mix_targets")
    return render(request, "analysis/target_delete.html", {"target": target})


@artist_required
@require_safe
def export(request: ArtistRequest, target_id: uuid.UUID) -> HttpResponse:
    """A target as JSON, to keep or to give to somebody."""
    target = get_target_for(request.user, target_id)
    document = mix_targets.exported(target)
    if document is None:
        raise Http404
    response = HttpResponse(
        json.dumps(document, indent=2, ensure_ascii=False).encode(),
        content_type="application/json",
    )
    return as_download(response, f"{target.name} (mix target).json")


def _tried(form: Form, write: Callable[[], MixTarget]) -> MixTarget | None:
    """What a service made, or None with its refusal shown in the form."""
    try:
        return write()
    except ValidationError as error:
        add_errors(form, error)
        return None


def _made(request: ArtistRequest, target: MixTarget) -> HttpResponse:
    messages.success(request, f"{target.name} is ready: choose it on the page of any track.")
    return redirect("mix_targets")


def _tracks_page(
    request: ArtistRequest, form: Form, artist: Artist, target: MixTarget | None
) -> HttpResponse:
    weights = _shown_weights(request, target)
    query = request.GET.get("q", "")[:200]
    tracks = choosable_tracks(artist, query=query, chosen=weights)
    context = {
        "form": form,
        "title": f"Edit {target.name}" if target else "Target from chosen tracks",
        "target": target,
        "rows": [
            {"track": track, "is_chosen": track.pk in weights, "weight": weights.get(track.pk, "1")}
            for track in tracks
        ],
        "query": query,
        "is_cut": len(tracks) >= LISTED_TRACKS,
        "max_tracks": MAX_TRACKS,
        "least_weight": mix_targets.LEAST_WEIGHT,
        "most_weight": mix_targets.MOST_WEIGHT,
    }
    return _page(request, "analysis/target_tracks.html", form, context)


def _shown_weights(request: ArtistRequest, target: MixTarget | None) -> Mapping[uuid.UUID, str]:
    """What is ticked when the page opens: as it was sent, or as the target is."""
    if request.method != "POST":
        parts = target.parts.all() if target else ()
        return {part.track_id: f"{part.weight:g}" for part in parts}
    shown = {}
    for text in request.POST.getlist("track")[:MAX_TRACKS]:
        try:
            shown[uuid.UUID(text)] = request.POST.get(f"weight-{text}", "1")[:20]
        except ValueError:
            continue
    return shown


def _page(
    request: ArtistRequest, template: str, form: Form, context: dict[str, Any]
) -> HttpResponse:
    return render(request, template, context, status=422 if form.errors else 200)
