"""The page of tags, and what staff do with one."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from analysis.labels import tags as services
from analysis.labels.access import staff_required
from analysis.labels.keys import RESERVED_KEYS
from analysis.labels.models import TimbreTag
from catalog.forms import add_errors

_KEY_HELP = "One letter, a to z. Left empty, a free one is chosen."


class TagForm(forms.Form):
    """A new tag."""

    name = forms.CharField(max_length=40, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    key = forms.CharField(
        max_length=1,
        required=False,
        help_text=_KEY_HELP,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    slug = forms.SlugField(
        max_length=40,
        required=False,
        label="Name in models and files",
        help_text="Small letters without spaces. Made from the name if left empty; never changes.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )


@staff_required
@require_http_methods(["GET", "HEAD", "POST"])
def tags(request: HttpRequest) -> HttpResponse:
    """All tags; posting adds one."""
    form = TagForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            tag = services.add_tag(**form.cleaned_data)
        except ValidationError as error:
            add_errors(form, error)
        else:
            messages.success(request, f"“{tag}” was added. Write its guideline next.")
            return redirect("label_guideline_edit", slug=tag.slug)
    live, retired, speaking = services.rows()
    context = {
        "form": form,
        "live": live,
        "retired": retired,
        "speaking": speaking,
        "strange": [slug for slug in speaking.tags if slug not in {row.tag.slug for row in live}],
        "reserved": [("Space" if key == " " else key, what) for key, what in RESERVED_KEYS.items()],
    }
    status = 400 if form.is_bound else 200
    return render(request, "analysis/labels/tags.html", context, status=status)


@staff_required
@require_POST
def change(request: HttpRequest, slug: str) -> HttpResponse:
    """``action``: save (name, key), up, down, retire or back."""
    tag = get_object_or_404(TimbreTag, slug=slug)
    action = request.POST.get("action", "")
    try:
        if action == "save":
            name = request.POST.get("name", "")
            services.change_tag(tag, name=name, key=request.POST.get("key", ""))
            messages.success(request, f"“{tag}” was saved.")
        elif action in ("up", "down"):
            services.move_tag(tag, up=action == "up")
        elif action == "retire":
            services.retire_tag(tag)
            messages.success(request, f"“{tag}” is retired. Its votes stay.")
        elif action == "back":
            services.bring_back(tag)
            messages.success(request, f"“{tag}” is in use again, with its votes.")
        else:
            return HttpResponse("There is no such action.", status=400, content_type="text/plain")
    except ValidationError as error:
        messages.error(request, f"“{slug}” was not changed. {' '.join(error.messages)}")
    return redirect("label_tags")
