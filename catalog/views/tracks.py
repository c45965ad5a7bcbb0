"""Changing, sharing and deleting one track. Its report has its own page elsewhere."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from catalog import selectors, services
from catalog.access import ArtistRequest, artist_required
from catalog.forms import RevisionForm, ShareForm, TrackForm, add_errors
from catalog.library import library_row, table_facets
from catalog.models import Track


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def track_edit(request: ArtistRequest, track_id: UUID) -> HttpResponse:
    """Change what is known about a track: in its row of the library, or on a page of its own."""
    track = selectors.get_track_for(request.user, track_id)
    form = TrackForm(request.POST or None, instance=Track.objects.get(pk=track.pk))
    inline = bool(request.htmx)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            services.update_track(
                track,
                title=data["title"],
                version=data["version"],
                composer=data["composer"],
                isrc=data["isrc"],
                release_date=data["release_date"],
                discoverable=data["discoverable"],
                is_reference=data["is_reference"],
                may_train=data["may_train"],
                by=request.user,
            )
        except ValidationError as error:
            add_errors(form, error)
        else:
            if inline:
                return _row(request, track)
            messages.success(request, "The track is saved.")
            return redirect(track)
    context = {"form": form, "track": track, "columns": 6 + len(table_facets())}
    template = "catalog/_library_row_form.html" if inline else "catalog/track_form.html"
    # htmx swaps only successful answers, and the errors belong into the row.
    status = 422 if form.errors and not inline else 200
    return render(request, template, context, status=status)


def _row(request: ArtistRequest, track: Track) -> HttpResponse:
    context = {
        "track": library_row(track.artist, track.pk),
        "facets": table_facets(),
        "saved": True,
    }
    return render(request, "catalog/_library_row.html", context)


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def track_delete(request: ArtistRequest, track_id: UUID) -> HttpResponse:
    """Delete a track with all its versions."""
    track = selectors.get_track_for(request.user, track_id)
    if request.method == "POST":
        title = str(track)
        services.delete_track(track)
        messages.success(request, f"{title} is deleted, with its files and reports.")
        return redirect("library")
    revisions = track.revisions.all()
    return render(request, "catalog/track_delete.html", {"track": track, "revisions": revisions})


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def revision_edit(request: ArtistRequest, revision_id: UUID) -> HttpResponse:
    """Say what changed in a version."""
    revision = selectors.get_revision_for(request.user, revision_id)
    form = RevisionForm(request.POST or None, instance=revision)
    if request.method == "POST" and form.is_valid():
        services.update_revision_note(revision, form.cleaned_data["note"])
        messages.success(request, "The note is saved.")
        return redirect(f"{revision.track.get_absolute_url()}?revision={revision.number}")
    context = {"form": form, "revision": revision}
    status = 422 if form.errors else 200
    return render(request, "catalog/revision_form.html", context, status=status)


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def revision_delete(request: ArtistRequest, revision_id: UUID) -> HttpResponse:
    """Delete one version of a track."""
    revision = selectors.get_revision_for(request.user, revision_id)
    if request.method == "POST":
        name, track = str(revision), revision.track
        try:
            services.delete_revision(revision)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, f"{name} is deleted.")
        return redirect(track)
    only = revision.track.revisions.count() == 1
    return render(request, "catalog/revision_delete.html", {"revision": revision, "only": only})


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def track_share(request: ArtistRequest, track_id: UUID) -> HttpResponse:
    """A track's share links: make one, see them all."""
    track = selectors.get_track_for(request.user, track_id)
    form = ShareForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            services.create_share_link(
                track,
                label=data["label"],
                show_audio=data["show_audio"],
                show_genre=data["show_genre"],
                show_features=data["show_features"],
                show_mix=data["show_mix"],
                valid_for=form.valid_for,
            )
        except ValidationError as error:
            add_errors(form, error)
        else:
            messages.success(request, "The link is ready to be copied.")
            return redirect("track_share", track.pk)
    links = list(track.share_links.all())
    for link in links:
        link.url = request.build_absolute_uri(reverse("shared", args=[link.token]))  # type: ignore[attr-defined]
    context = {"track": track, "form": form, "links": links}
    return render(request, "catalog/track_share.html", context, status=422 if form.errors else 200)


@artist_required
@require_POST
def share_revoke(request: ArtistRequest, track_id: UUID, link_id: int) -> HttpResponse:
    """End a share link now."""
    track = selectors.get_track_for(request.user, track_id)
    services.revoke_share_link(selectors.get_share_link_for(request.user, track, link_id))
    messages.success(request, "The link no longer works.")
    return redirect("track_share", track.pk)
