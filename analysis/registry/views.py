"""Pages of the models, for staff: what serves, its history, one version."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from analysis.downloads import as_download
from analysis.labels.access import staff_required
from analysis.neural.weights import SHIPPED_DIR
from analysis.registry import selectors, storing, training_data
from analysis.registry.card_text import card_html
from analysis.registry.figures import figures_of, names_of
from analysis.registry.forms import SwitchForm, TrainEarsForm
from analysis.registry.models import (
    ModelComparison,
    ModelName,
    ModelVersion,
    Origin,
    ServingChange,
)
from catalog.access import UserRequest
from catalog.streaming import ranged_response

_BYTES = "application/octet-stream"


@staff_required
@require_safe
def models(request: UserRequest) -> HttpResponse:
    """All models at a glance."""
    return render(request, "registry/models.html", {"states": selectors.overview()})


@staff_required
@require_safe
def history(request: UserRequest, model: str) -> HttpResponse:
    """One model: its versions side by side, trainings, and who switched what on."""
    state = selectors.state_of(known_model(model))
    found = selectors.history(model)
    rows = [
        {"row": row, "figures": figures_of(row.version), "names": names_of(row.version)}
        for row in found
    ]
    context: dict[str, Any] = {
        "state": state,
        "rows": rows,
        "changes": selectors.changes(model),
        "runs": selectors.recent_runs(model),
        "roll_back_form": _switch_form(state.serving),
    }
    if model == ModelName.EARS:
        initial = {"version": selectors.next_version([row.version.version for row in found])}
        context["train_form"] = TrainEarsForm(initial=initial)
        context["data_root"] = training_data.root()
    return render(request, "registry/history.html", context)


@staff_required
@require_safe
def version(request: UserRequest, version_id: uuid.UUID) -> HttpResponse:
    """One version: its card, figures, comparisons, and what can be done with it."""
    return version_page(request, get_object_or_404(ModelVersion, pk=version_id))


def version_page(
    request: UserRequest, found: ModelVersion, *, form: SwitchForm | None = None, status: int = 200
) -> HttpResponse:
    """The page of a version, perhaps with what was wrong with a form."""
    state = selectors.state_of(found.model)
    row = selectors.row_of(found)
    context = {
        "version": found,
        "label": ModelName(found.model).label,
        "state": state,
        "row": row,
        "figures": figures_of(found),
        "serving_figures": figures_of(state.serving) if state.serving else [],
        "names": names_of(found),
        "card": card_html(found.card) if found.card else "",
        "comparisons": list(
            ModelComparison.objects.filter(candidate=found)
            .select_related("baseline")
            .defer("mistakes")[:10]
        ),
        "served": list(
            ServingChange.objects.filter(after_identity=found.identity).select_related("by")[:10]
        ),
        "form": form or _switch_form(state.serving),
        "is_here": found.origin != Origin.SHIPPED or storing.ships_here(found),
        "is_deletable": not found.is_serving
        and found != state.back_to
        and not (found.origin == Origin.SHIPPED and storing.ships_here(found)),
    }
    return render(request, "registry/version.html", context, status=status)


@staff_required
@require_safe
def work(request: UserRequest, model: str) -> HttpResponse:
    """What is under way for a model, as it stands now; asked for every few seconds."""
    return render(request, "registry/_work.html", {"state": selectors.state_of(known_model(model))})


@staff_required
@require_safe
def download(request: UserRequest, version_id: uuid.UUID, kind: str) -> HttpResponseBase:
    """One of a version's files: ``weights``, ``manifest`` or ``card``."""
    found = get_object_or_404(ModelVersion, pk=version_id)
    if kind == "manifest":
        text = json.dumps(found.manifest, indent=2, sort_keys=True, ensure_ascii=False)
        response = HttpResponse(text.encode(), content_type="application/json")
        return as_download(response, f"{found.model}.json")
    if kind == "card":
        response = HttpResponse(found.card.encode(), content_type="text/markdown; charset=utf-8")
        return as_download(response, f"{found.model}.md")
    file_name = f"{found.model}.safetensors"
    if found.origin == Origin.SHIPPED:
        if not storing.ships_here(found):
            raise Http404
        file = (SHIPPED_DIR / file_name).open("rb")
        return as_download(FileResponse(file, content_type=_BYTES), file_name)
    stored = f"{found.folder}/{file_name}"
    answer = ranged_response(
        request,
        storage=default_storage,
        name=stored,
        content_type=_BYTES,
        etag=found.sha256,
    )
    return as_download(answer, file_name)


def known_model(model: str) -> str:
    """The name of a model from an address. Raises Http404 for any other."""
    if model not in ModelName.values:
        raise Http404
    return model


def _switch_form(serving: ModelVersion | None) -> SwitchForm:
    return SwitchForm(initial={"instead_of": serving.pk if serving else None})
