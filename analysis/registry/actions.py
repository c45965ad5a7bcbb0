"""What staff do on the pages of the models: promote, go back, compare, delete, train, stop."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from analysis.labels.access import staff_required
from analysis.registry import comparison_runs, ears_training, retagging, serving, storing
from analysis.registry.forms import SwitchForm, TrainEarsForm
from analysis.registry.models import ModelName, ModelVersion, RetaggingRun
from analysis.registry.views import known_model, version_page
from catalog.access import UserRequest
from sonicsite.limits import TokenBuckets, asked_too_often

# Per account and web process: each of these sets a worker to long work.
_STARTS = TokenBuckets(rate=0.1, burst=10)


@staff_required
@require_POST
def promote(request: UserRequest, version_id: uuid.UUID) -> HttpResponse:
    """Let a version serve."""
    version = get_object_or_404(ModelVersion, pk=version_id)
    form = SwitchForm(request.POST)
    if not form.is_valid():
        return version_page(request, version, form=form, status=422)
    seen = form.cleaned_data["instead_of"]
    now = serving.serving_version(version.model)
    if seen is not None and (now is None or now.pk != seen):
        form.add_error(None, "Meanwhile another version was switched on. Look again.")
        return version_page(request, version, form=form, status=409)
    try:
        serving.promote(
            version,
            by=request.user,
            note=form.cleaned_data["note"],
            override_reason=form.cleaned_data["override_reason"],
        )
    except serving.PromotionRefused as reason:
        form.add_error(None, str(reason))
        return version_page(request, version, form=form, status=409)
    messages.success(
        request,
        f"{version.version} serves from now on. All tracks are tagged anew in the background; "
        "until then their old tags stay.",
    )
    return redirect("model_history", version.model)


@staff_required
@require_POST
def roll_back(request: UserRequest, model: str) -> HttpResponse:
    """Go back to what served before."""
    form = SwitchForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing was changed: the note is too long.")
        return redirect("model_history", known_model(model))
    try:
        change = serving.roll_back(
            known_model(model),
            by=request.user,
            note=form.cleaned_data["note"],
            instead_of=form.cleaned_data["instead_of"],
        )
    except serving.PromotionRefused as reason:
        messages.error(request, str(reason))
    else:
        messages.success(
            request, f"{change.after_identity} serves again, with the tags it had given."
        )
    return redirect("model_history", model)


@staff_required
@require_POST
def compare(request: UserRequest, version_id: uuid.UUID) -> HttpResponse:
    """Have a candidate compared with the version that serves."""
    version = get_object_or_404(ModelVersion, pk=version_id)
    if _may_start(request):
        try:
            comparison_runs.start(version, by=request.user)
        except comparison_runs.CannotCompare as reason:
            messages.error(request, str(reason))
        else:
            messages.success(request, "It is being compared. The result appears on this page.")
    return redirect("model_version", version.pk)


@staff_required
@require_POST
def delete(request: UserRequest, version_id: uuid.UUID) -> HttpResponse:
    """Delete a version that nobody needs."""
    version = get_object_or_404(ModelVersion, pk=version_id)
    try:
        storing.delete_version(version)
    except storing.StillNeeded as reason:
        messages.error(request, str(reason))
        return redirect("model_version", version_id)
    messages.success(request, f"{version.identity} is deleted.")
    return redirect("model_history", version.model)


@staff_required
@require_POST
def train_ears(request: UserRequest) -> HttpResponse:
    """Start the training of new ears on a folder below the operator's."""
    form = TrainEarsForm(request.POST)
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, f"Nothing was started. {errors[0]}")
        return redirect("model_history", ModelName.EARS)
    if _may_start(request):
        try:
            run = ears_training.start(by=request.user, **form.recipe())
        except ears_training.CannotTrain as reason:
            messages.error(request, str(reason))
        else:
            return redirect("training_run", run.pk)
    return redirect("model_history", ModelName.EARS)


@staff_required
@require_POST
def stop_retagging(request: UserRequest, model: str) -> HttpResponse:
    """Queue no more tracks for now."""
    run = _newest_run(model)
    if not retagging.stop(run):
        messages.error(request, "The re-tagging is over already.")
    return redirect("model_history", model)


@staff_required
@require_POST
def go_on_retagging(request: UserRequest, model: str) -> HttpResponse:
    """Go on with what was stopped."""
    run = _newest_run(model)
    if not retagging.go_on(run):
        messages.error(request, "There is nothing to go on with.")
    return redirect("model_history", model)


def _may_start(request: UserRequest) -> bool:
    wait_s = _STARTS.wait_s(str(request.user.pk))
    if wait_s > 0.0:
        messages.error(request, asked_too_often(wait_s))
    return wait_s <= 0.0


def _newest_run(model: str) -> RetaggingRun:
    run = retagging.newest_run(known_model(model))
    if run is None:
        raise Http404
    return run
