"""Pages of the analysis: the report of a track, its live state, its shared face."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from analysis import presentation, selectors, services
from analysis.models import Job, Report
from catalog import selectors as catalog_selectors
from catalog.models import Revision, Track
from catalog.services import sharing
from catalog.streaming import ranged_response


def chosen_revision(track: Track, request: HttpRequest) -> tuple[Revision, list[Revision]]:
    """The revision that ``?revision=`` names (the newest without it), and all of them."""
    revisions = list(track.revisions.order_by("-number"))
    if not revisions:
        raise Http404
    wanted = request.GET.get("revision", "")
    for revision in revisions:
        if str(revision.number) == wanted:
            return revision, revisions
    return revisions[0], revisions


@login_required
@require_safe
def track(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """The report of a track, or the state of the job that is making it."""
    found = catalog_selectors.get_track_for(request.user, track_id)
    revision, revisions = chosen_revision(found, request)
    context = presentation.report_context(
        revision, target=request.GET.get("target", ""), asker=found.artist
    )
    return render(
        request,
        "analysis/track.html",
        {
            **context,
            "track": found,
            "artist": found.artist,
            "revisions": revisions,
            "can_compare": selectors.count_with_reports(revisions) >= 2,
            "is_owner": True,
            "share": None,
        },
    )


@login_required
@require_safe
def track_status(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """The job's state, asked for every two seconds; a finished one reloads the page."""
    found = catalog_selectors.get_track_for(request.user, track_id)
    revision, _ = chosen_revision(found, request)
    job = selectors.job_of(revision)
    if job is not None and job.state == "done":
        response = HttpResponse(status=204)
        response["HX-Refresh"] = "true"
        return response
    context = presentation.job_context(job)
    return render(request, "analysis/_job.html", {**context, "track": found, "revision": revision})


@login_required
@require_safe
def report_json(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """The report's document, as ``manage.py analyze --json`` prints it; with ``?target=``, judged
    against that."""
    found = catalog_selectors.get_track_for(request.user, track_id)
    revision, _ = chosen_revision(found, request)
    report = selectors.report_of(revision)
    if report is None:
        raise Http404
    target = request.GET.get("target", "")
    document = presentation.document_for(report, revision, target) if target else report.document
    return JsonResponse(document, json_dumps_params={"indent": 2, "ensure_ascii": False})


@login_required
@require_POST
def retry_job(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """Queue a failed or finished job again."""
    job = get_object_or_404(Job.objects.select_related("revision"), pk=job_id)
    found = catalog_selectors.get_track_for(request.user, job.revision.track_id)
    try:
        services.listen_again(job)
    except services.CannotListenNow as reason:
        messages.error(request, str(reason))
    return redirect(f"{found.get_absolute_url()}?revision={job.revision.number}")


@login_required
@require_safe
def derived_file(request: HttpRequest, revision_id: uuid.UUID, name: str) -> HttpResponseBase:
    """A picture or curve of a report, for those who may read the report."""
    revision = catalog_selectors.get_revision_for(request.user, revision_id)
    return _derived(request, revision, name)


def _derived(request: HttpRequest, revision: Revision, name: str) -> HttpResponseBase:
    report: Report | None = selectors.report_of(revision)
    if report is None or name not in presentation.DERIVED_FILES:
        raise Http404
    return ranged_response(
        request,
        storage=default_storage,
        name=services.derived_name(report, name),
        content_type=presentation.DERIVED_FILES[name],
        etag=f"{report.pk.hex}-{report.created_at.timestamp():.0f}-{name}",
    )


@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """What the owner chose to show of one track, without an account."""
    link = catalog_selectors.shared_track(token)
    if link is None:
        raise Http404
    revision = catalog_selectors.current_revision(link.track)
    if revision is None:
        raise Http404
    sharing.count_view(link)
    context: dict[str, Any] = presentation.report_context(revision, share=link)
    response = render(
        request,
        "analysis/shared.html",
        {
            **context,
            "track": link.track,
            "artist": link.track.artist,
            "revisions": [revision],
            "is_owner": False,
            "share": link,
        },
    )
    response["X-Robots-Tag"] = "noindex"
    response["Referrer-Policy"] = "no-referrer"
    return response


@require_safe
def shared_file(request: HttpRequest, token: str, name: str) -> HttpResponseBase:
    """A picture of a shared report, if the link includes it."""
    link = catalog_selectors.shared_track(token)
    if link is None or name not in presentation.shared_files(link):
        raise Http404
    revision = catalog_selectors.current_revision(link.track)
    if revision is None:
        raise Http404
    return _derived(request, revision, name)
