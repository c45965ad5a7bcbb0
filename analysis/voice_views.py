"""The page of a track's voice, its job, two voices compared, and the trend over all songs."""

from __future__ import annotations

import uuid
from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from analysis import jobs, selectors, voice_page, voice_services
from analysis.models import Stage
from analysis.views import chosen_revision
from catalog import selectors as catalog_selectors
from catalog.models import Revision, Track, User
from sonicsite.limits import TokenBuckets, asked_too_often

# Per account and web process: each may bring a separation with it.
_LISTENINGS = TokenBuckets(rate=0.05, burst=20)


@login_required
@require_safe
def voice(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """The voice of a version of a track, or how to have it listened to."""
    track = catalog_selectors.get_track_for(request.user, track_id)
    revision, revisions = chosen_revision(track, request)
    context = voice_page.voice_page(track, revision)
    return render(
        request,
        "analysis/voice.html",
        {**context, "artist": track.artist, "revisions": revisions, "share": None},
    )


@login_required
@require_safe
def status(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """The job's state, asked for every two seconds; one that is over reloads the page."""
    track = catalog_selectors.get_track_for(request.user, track_id)
    revision, _ = chosen_revision(track, request)
    context = voice_page.voice_job(track, revision)
    if context["job"] is None or not context["is_at_work"]:
        response = HttpResponse(status=204)
        response["HX-Refresh"] = "true"
        return response
    return render(request, "analysis/_voice_job.html", context)


@login_required
@require_POST
def listen(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """Have the voice listened to; ``afresh`` repeats what is done, a failed job starts again."""
    track = catalog_selectors.get_track_for(request.user, track_id)
    revision, _ = chosen_revision(track, request)
    wait_s = _LISTENINGS.wait_s(str(request.user.pk))
    if wait_s > 0.0:
        messages.error(request, asked_too_often(wait_s))
        return _back(track, revision)
    try:
        voice_services.request_voice([revision.pk], afresh="afresh" in request.POST)
    except voice_services.NoVoiceModel as reason:
        messages.error(request, str(reason))
    return _back(track, revision)


@login_required
@require_POST
def stop(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """Stop the job that waits or runs; what was heard before stays, and so do the stems."""
    track = catalog_selectors.get_track_for(request.user, track_id)
    revision, _ = chosen_revision(track, request)
    job = voice_page.last_job(revision)
    if job is not None:
        jobs.cancel(job)
    return _back(track, revision)


@login_required
@require_safe
def voice_json(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """The document, as ``manage.py analyze_vocal --json`` prints it."""
    track = catalog_selectors.get_track_for(request.user, track_id)
    revision, _ = chosen_revision(track, request)
    report = selectors.report_of(revision, Stage.VOICE)
    if report is None:
        raise Http404
    return JsonResponse(report.document, json_dumps_params={"indent": 2, "ensure_ascii": False})


@login_required
@require_safe
def compare(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """Two voices side by side: the version ``?revision=`` of the track is A, and B is the version
    with the id ``?with=``; without it, the first one there is."""
    track = catalog_selectors.get_track_for(request.user, track_id)
    revision, revisions = chosen_revision(track, request)
    takes = voice_page.others_with_voice(track.artist, revision)
    other = _other(request, track, takes)
    context = {
        "track": track,
        "artist": track.artist,
        "revision": revision,
        "revisions": revisions,
        "takes": takes,
        "other": other,
    }
    if other is not None:
        context |= voice_page.comparison_context(revision, other)
    return render(request, "analysis/voice_compare.html", context)


def _other(request: HttpRequest, track: Track, takes: list[voice_page.Take]) -> Revision | None:
    """Raises Http404 for what is no version of the same artist's."""
    wanted = request.GET.get("with", "")
    if not wanted:
        return takes[0].revision if takes else None
    try:
        other = catalog_selectors.get_revision_for(request.user, uuid.UUID(wanted))
    except ValueError as error:
        raise Http404 from error
    if other.artist_id != track.artist_id:
        raise Http404
    return other


@login_required
@require_safe
def trend(request: HttpRequest) -> HttpResponse:
    """The tags of the artist's voice from song to song."""
    artist = catalog_selectors.artist_of(cast(User, request.user))
    if artist is None:
        raise Http404
    context = voice_page.trend_context(artist)
    return render(request, "analysis/voice_trend.html", {**context, "artist": artist})


def _back(track: Track, revision: Revision) -> HttpResponse:
    return redirect(f"{reverse('voice', args=[track.pk])}?revision={revision.number}")
