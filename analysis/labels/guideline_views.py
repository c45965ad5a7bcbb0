"""The guidelines, for everybody who labels, and their editor, for staff."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from analysis.labels import guidelines as services
from analysis.labels.access import labeller_required, staff_required
from analysis.labels.models import TagExample, TimbreTag


@labeller_required
@require_safe
def guidelines(request: HttpRequest) -> HttpResponse:
    """What every tag in use means, with examples to play."""
    return render(request, "analysis/labels/guidelines.html", {"guidelines": services.guidelines()})


@staff_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """One tag's guideline. ``action``: text, add, caption or remove."""
    tag = get_object_or_404(TimbreTag, slug=slug)
    text = tag.guideline
    if request.method == "POST":
        try:
            done = _act(request, tag)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            # What was typed is not lost with the refusal.
            text = request.POST.get("guideline", text)
        else:
            if done:
                messages.success(request, done)
                return redirect("label_guideline_edit", slug=slug)
            messages.error(request, "There is no such action.")
    (guideline,) = services.guidelines([tag])
    likely, unlikely = services.suggested(tag)
    context = {
        "tag": tag,
        "text": text,
        "guideline": guideline,
        "suggested": [("yes", clip) for clip in likely] + [("no", clip) for clip in unlikely],
        "max_text": services.MAX_TEXT,
        "max_examples": services.MAX_EXAMPLES,
    }
    status = 400 if request.method == "POST" else 200
    return render(request, "analysis/labels/guideline_edit.html", context, status=status)


def _act(request: HttpRequest, tag: TimbreTag) -> str:
    """Do what was asked for; what to say about it, or nothing where it is unknown."""
    action, posted = request.POST.get("action", ""), request.POST
    if action == "text":
        services.save_guideline(tag, posted.get("guideline", ""))
        return "The guideline was saved."
    if action == "add":
        clip = services.find_clip(posted.get("clip", ""))
        if clip is None:
            raise ValidationError("No clip is called so. Its name stands below its player.")
        services.add_example(
            tag, clip, shows=posted.get("shows", ""), caption=posted.get("caption", "")
        )
        return "The example was added."
    if action not in ("caption", "remove"):
        return ""
    example = get_object_or_404(TagExample, pk=_number(posted.get("example", "")), tag=tag)
    if action == "caption":
        services.change_caption(example, posted.get("caption", ""))
        return "The caption was saved."
    example.delete()
    return "The example was taken away."


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
