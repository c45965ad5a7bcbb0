"""Pages of labelling: what there is to do, the work itself, the settings of the queue."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from analysis.labels import guidelines, label_settings, labelling_selectors, spectrogram_axis
from analysis.labels.access import labeller_required, staff_required
from analysis.labels.ballots import REOPENABLE
from analysis.labels.labelling_forms import LabelSettingsForm
from analysis.labels.models import Answer
from catalog.models import User

HISTORY_PAGE = 20
# Pages beside this one, for staff.
_STAFF_PAGES = (
    ("label_pool", "Pool of clips"),
    ("vocal_takes", "Vocal takes"),
    ("label_agreement", "Agreement and raters"),
    ("label_disputed", "Disputed clips"),
    ("label_tags", "Tags"),
    ("label_import", "Import and export"),
    ("models", "Models"),
)


@labeller_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What there is to label, one's own pace, and one's last answers."""
    rater = cast(User, request.user)
    recent = labelling_selectors.own_ballots(rater)[:REOPENABLE]
    page = Paginator(recent, HISTORY_PAGE).get_page(request.GET.get("page"))
    context = {
        "remaining": labelling_selectors.remaining(),
        "doing": labelling_selectors.doing(),
        "pace": labelling_selectors.pace(rater),
        "page_obj": page,
        "settled": labelling_selectors.settled_clips(list(page)),
        "tags": labelling_selectors.tags_in_use(),
        "reopenable": REOPENABLE,
        "staff_pages": [(reverse(name), title) for name, title in _STAFF_PAGES],
    }
    return render(request, "labels/home.html", context)


@labeller_required
@require_safe
def work(request: HttpRequest) -> HttpResponse:
    """The page that clips are labelled on. ``?ballot=`` opens an own answer first."""
    wishes = label_settings.current()
    tags = list(labelling_selectors.tags_in_use())
    context: dict[str, Any] = {
        "tags": tags,
        "guidelines": guidelines.guidelines(tags),
        "answers": Answer.choices,
        "axis": spectrogram_axis.axis(),
        "pace": labelling_selectors.pace(cast(User, request.user)),
        "remaining": labelling_selectors.remaining(wishes),
        "lock_seconds": wishes.lock_minutes * 60,
    }
    return render(request, "labels/work.html", context)


@staff_required
@require_http_methods(["GET", "HEAD", "POST"])
def settings_page(request: HttpRequest) -> HttpResponse:
    """How the queue works, for staff to set."""
    form = LabelSettingsForm(request.POST or None, instance=label_settings.current())
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "The settings are saved and count from the next clip on.")
        return redirect("label_settings")
    return render(
        request, "labels/settings.html", {"form": form}, status=422 if form.errors else 200
    )
