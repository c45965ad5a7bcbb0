"""The page that lays two versions of a track over each other."""

from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from analysis.comparison_page import comparison_context
from catalog import selectors as catalog_selectors


@login_required
@require_safe
def compare(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """Versions ``?a=`` and ``?b=`` of a track; 404 for others' tracks and unknown numbers."""
    found = catalog_selectors.get_track_for(request.user, track_id)
    try:
        context = comparison_context(
            found,
            a=request.GET.get("a", ""),
            b=request.GET.get("b", ""),
        )
    except LookupError as error:
        raise Http404 from error
    return render(request, "analysis/compare.html", context)
