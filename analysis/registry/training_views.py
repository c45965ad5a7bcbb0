"""Pages of a training and of a comparison, for staff."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from analysis import background
from analysis.labels.access import staff_required
from analysis.registry import training_page, training_schedule
from analysis.registry.models import ModelComparison, ModelName, TrainingRun
from analysis.registry.training_runs import CannotTrain, start_training
from catalog.access import UserRequest
from sonicsite.limits import TokenBuckets, asked_too_often

# Per account and web process: each sets a worker to long work, and takes a snapshot.
_STARTS = TokenBuckets(rate=0.05, burst=6)


@staff_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: UserRequest) -> HttpResponse:
    """What a training would learn from; posting starts it."""
    if request.method == "POST":
        wait_s = _STARTS.wait_s(str(request.user.pk))
        if wait_s:
            messages.error(request, asked_too_often(wait_s))
            return redirect("training_new")
        try:
            run = start_training(ModelName.TIMBRE, by=request.user)
        except CannotTrain as error:
            messages.error(request, str(error))
            return redirect("training_new")
        return redirect("training_run", run.pk)
    under_way = TrainingRun.objects.filter(
        model=ModelName.TIMBRE, state__in=background.UNDER_WAY
    ).first()
    context = {"preview": training_page.preview(), "under_way": under_way}
    return render(request, "registry/training_new.html", context)


@staff_required
@require_safe
def run(request: UserRequest, run_id: uuid.UUID) -> HttpResponse:
    """One training: how far it is, its curves, and what came of it."""
    return render(request, "registry/training_run.html", training_page.run_page(_run(run_id)))


@staff_required
@require_safe
def state(request: UserRequest, run_id: uuid.UUID) -> HttpResponse:
    """The part of the page that changes, asked for every two seconds; a run that is over reloads
    the page."""
    context = training_page.run_page(_run(run_id))
    if not context["is_at_work"]:
        response = HttpResponse(status=204)
        response["HX-Refresh"] = "true"
        return response
    return render(request, "registry/_training_state.html", context)


@staff_required
@require_POST
def stop(request: UserRequest, run_id: uuid.UUID) -> HttpResponse:
    """Stop a training; what it has done is kept."""
    if not background.cancel(_run(run_id)):
        messages.info(request, "It was over already.")
    return redirect("training_run", run_id)


@staff_required
@require_POST
def go_on(request: UserRequest, run_id: uuid.UUID) -> HttpResponse:
    """Go on with a training that was stopped or failed, where it was."""
    wait_s = _STARTS.wait_s(str(request.user.pk))
    found = _run(run_id)
    if wait_s:
        messages.error(request, asked_too_often(wait_s))
    elif found.model == ModelName.TIMBRE and training_schedule.is_under_way():
        messages.error(request, "Another training is under way. Wait for it, or stop it first.")
    elif not background.resume(found):
        messages.info(request, "It is under way already, or done.")
    return redirect("training_run", run_id)


@staff_required
@require_safe
def comparison(request: UserRequest, comparison_id: int) -> HttpResponse:
    """A candidate beside the version that served: figures, verdict, and mistakes to listen to."""
    found = get_object_or_404(
        ModelComparison.objects.select_related("candidate", "baseline"),
        pk=comparison_id,
        candidate__model=ModelName.TIMBRE,
    )
    context = training_page.comparison_page(found)
    return render(request, "registry/comparison.html", context)


def _run(run_id: uuid.UUID) -> TrainingRun:
    rows = TrainingRun.objects.select_related("snapshot", "created_by")
    return get_object_or_404(rows, pk=run_id)
