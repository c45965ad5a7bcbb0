"""The release check's section of the report page, and the click that starts it."""

from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from analysis import release_services
from analysis.views import chosen_revision
from catalog import selectors as catalog_selectors


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def release_check(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """The section alone, as the page asks for it while the check runs; a POST starts the check.

    ``afresh`` in the POST repeats a check that is already done.
    """
    track = catalog_selectors.get_track_for(request.user, track_id)
    revision, _ = chosen_revision(track, request)
    if request.method == "POST":
        release_services.request_release_check(revision, afresh="afresh" in request.POST)
        return redirect(f"{track.get_absolute_url()}?revision={revision.number}#release")
    context = {"track": track, "revision": revision, "is_owner": True}
    return render(request, "analysis/_release.html", context)
