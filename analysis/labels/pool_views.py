"""Staff's page of the pool: its runs and its clips."""

from __future__ import annotations

import uuid
from typing import Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from analysis.labels import pool_selectors, pool_services
from analysis.labels.access import staff_required
from analysis.labels.models import ClipState, PoolRun, VoiceClip
from catalog.access import UserRequest
from catalog.models import User


@staff_required
@require_safe
def pool(request: UserRequest) -> HttpResponse:
    """The pool's figures, its runs and its clips."""
    if request.htmx and request.htmx.target == "pool-run":
        return render(request, "labels/_pool_run.html", _run_context())
    narrow = pool_selectors.ClipFilter.of(request.GET)
    page = pool_selectors.clips_page(narrow, request.GET.get("page"))
    context = {
        **_run_context(),
        "runs": [pool_selectors.on_page(run) for run in pool_selectors.latest_runs()],
        "filter": narrow,
        "clips": page.object_list,
        "page_obj": page,
        "singers": pool_selectors.singers(),
        "states": ClipState.choices,
    }
    return render(request, "labels/pool.html", context)


def _run_context() -> dict[str, Any]:
    runs = pool_selectors.latest_runs(1)
    newest = pool_services.open_run() or (runs[0] if runs else None)
    return {
        "current": pool_selectors.on_page(newest) if newest else None,
        "figures": pool_selectors.pool_figures(),
        "artists": pool_selectors.consenting_artists(),
    }


@staff_required
@require_POST
def run_action(request: HttpRequest) -> HttpResponse:
    """Start a run, or stop or resume one."""
    user = cast(User, request.user)
    action = request.POST.get("action", "")
    if action == "start":
        artist = request.POST.get("artist", "")
        ids = None
        if artist:
            if not (artist.isascii() and artist.isdigit() and len(artist) < 10):
                return HttpResponseBadRequest("There is no such artist.")
            ids = [int(artist)]
        pool_services.request_run(scope=pool_services.scope_of(ids), by=user)
    elif action == "stop":
        pool_services.stop_run(_run(request))
    elif action == "resume":
        pool_services.resume_run(_run(request), by=user)
    else:
        return HttpResponseBadRequest("Start, stop or resume a run.")
    return redirect("label_pool")


def _run(request: HttpRequest) -> PoolRun:
    try:
        pk = uuid.UUID(request.POST.get("run", ""))
    except ValueError as error:
        raise Http404 from error
    return get_object_or_404(PoolRun, pk=pk)


@staff_required
@require_POST
def clip_state(request: HttpRequest, clip_id: uuid.UUID) -> HttpResponse:
    """Mark a clip as unusable, or put it into the pool (again)."""
    clip = get_object_or_404(VoiceClip, pk=clip_id)
    usable = {"yes": True, "no": False}.get(request.POST.get("usable", ""))
    if usable is None:
        return HttpResponseBadRequest("Say whether the clip is usable: yes or no.")
    if pool_services.set_usable(clip, usable=usable):
        words = "is in the pool" if usable else "is out of the pool"
        messages.success(request, f"{clip.name} {words}.")
    return redirect(_next(request))


def _next(request: HttpRequest) -> str:
    """Back to the same page and filter."""
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure()):
        return target
    return "label_pool"
