"""The page of a track's stems: asking for them, their job, and the manifest of the mixer."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from analysis import jobs, separation_services, stem_page
from analysis.models import JobState, Stage
from analysis.neural.separation import engines
from analysis.neural.separation.engine import EngineUnavailable
from analysis.stem_files import stems_reports
from analysis.views import chosen_revision
from catalog import selectors as catalog_selectors
from catalog.models import Revision, Track


@login_required
@require_safe
def stems(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """The mixer, or the offer to separate."""
    track = catalog_selectors.get_track_for(request.user, track_id)
    revision, revisions = chosen_revision(track, request)
    context = stem_page.stems_page(track, revision, engine=request.GET.get("engine", ""))
    return render(
        request,
        "analysis/stems.html",
        {**context, "artist": track.artist, "revisions": revisions, "share": None},
    )


@login_required
@require_safe
def stems_status(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """The job's state, asked for every two seconds; a finished one reloads the page."""
    track = catalog_selectors.get_track_for(request.user, track_id)
    revision, _ = chosen_revision(track, request)
    context = stem_page.stems_job(track, revision)
    if context["job"] is not None and not context["is_at_work"]:
        response = HttpResponse(status=204)
        response["HX-Refresh"] = "true"
        return response
    return render(request, "analysis/_stems_job.html", context)


@login_required
@require_POST
def stems_separate(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """Ask for the stems by ``engine`` (``auto`` without it); a failed or stopped job goes on."""
    track = catalog_selectors.get_track_for(request.user, track_id)
    revision, _ = chosen_revision(track, request)
    engine = request.POST.get("engine") or engines.AUTO
    try:
        (job,) = separation_services.request_separation([revision.pk], engine=engine)
    except (EngineUnavailable, ValueError):
        messages.error(request, "This engine is not on this site. Choose another one.")
        return _back(track, revision)
    return _back(track, revision, engine=separation_services.engine_of(job))


@login_required
@require_POST
def stems_cancel(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """Stop every separation of the version that waits or runs; what is done of it is kept."""
    track = catalog_selectors.get_track_for(request.user, track_id)
    revision, _ = chosen_revision(track, request)
    for job in revision.jobs.filter(
        stage=Stage.SEPARATE, state__in=(JobState.QUEUED, JobState.RUNNING)
    ):
        jobs.cancel(job)
    return _back(track, revision)


@login_required
@require_safe
def stems_manifest(request: HttpRequest, track_id: uuid.UUID) -> JsonResponse:
    """The newest separation of a version (or that of ``?engine=``) with all its addresses."""
    track = catalog_selectors.get_track_for(request.user, track_id)
    revision, _ = chosen_revision(track, request)
    report = stem_page.chosen_report(stems_reports(revision), request.GET.get("engine", ""))
    if report is None:
        raise Http404
    response = JsonResponse(stem_page.manifest(track, revision, report))
    response["Cache-Control"] = "private, no-cache"
    return response


def _back(track: Track, revision: Revision, *, engine: str = "") -> HttpResponse:
    shown = f"&engine={engine}" if engine else ""
    return redirect(f"{reverse('stems', args=[track.pk])}?revision={revision.number}{shown}")
