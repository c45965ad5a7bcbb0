"""Uploading a version of a model."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from analysis.labels.access import staff_required
from analysis.registry import storing
from analysis.registry.candidate_files import MOST_WEIGHTS_BYTES, VersionRefused
from analysis.registry.forms import UploadForm, save_to
from analysis.registry.models import ModelName, Origin
from analysis.registry.views import known_model
from catalog.access import UserRequest
from catalog.form_uploads import SpoolingUploadHandler
from sonicsite.limits import TokenBuckets, asked_too_often

# Per account and web process: each trial builds a network in a process of its own.
_UPLOADS = TokenBuckets(rate=1 / 30, burst=6)
_ROOM_BYTES = MOST_WEIGHTS_BYTES + 8 * 1024 * 1024


@csrf_exempt  # so that the upload handler is in place before the token is read from the body
@staff_required
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: UserRequest, model: str) -> HttpResponseBase:
    """The form for the files of a version, and taking them in."""
    known_model(model)
    handler = SpoolingUploadHandler(request, room_bytes=_ROOM_BYTES)
    if request.method == "POST":
        request.upload_handlers = [handler]
    return _protected(request, model, handler)


@csrf_protect
def _protected(request: UserRequest, model: str, handler: SpoolingUploadHandler) -> HttpResponse:
    if request.method != "POST":
        return _page(request, model, UploadForm())
    form = UploadForm(request.POST, request.FILES)
    wait_s = _UPLOADS.wait_s(str(request.user.pk))
    if wait_s > 0.0:
        form.add_error(None, asked_too_often(wait_s))
        return _page(request, model, form, status=429)
    if handler.too_large or handler.without_room:
        form.add_error(None, f"Weights may have {MOST_WEIGHTS_BYTES // 1024**2} MB at most.")
        return _page(request, model, form, status=413)
    if not form.is_valid():
        return _page(request, model, form, status=422)
    try:
        with tempfile.TemporaryDirectory(prefix="svp-model-") as folder:
            save_to(Path(folder), model, form.cleaned_data)
            added = storing.add_version(
                model, Path(folder), origin=Origin.UPLOADED, by=request.user
            )
    except VersionRefused as error:
        form.add_error(None, error.message)
        return _page(request, model, form, status=422)
    messages.success(request, f"{added.identity} is in the registry. Nothing serves it yet.")
    return redirect("model_version", added.pk)


def _page(request: UserRequest, model: str, form: UploadForm, *, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "model": model,
        "label": ModelName(model).label,
        "most_mb": MOST_WEIGHTS_BYTES // 1024**2,
    }
    return render(request, "registry/upload.html", context, status=status)
