"""The page where staff settle what raters differ about."""

from __future__ import annotations

import uuid
from typing import cast

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from analysis.labels.access import staff_required
from analysis.labels.disputes import disputed, settle, with_questions
from analysis.labels.models import Answer, TimbreTag, VoiceClip
from catalog.models import User

_PER_PAGE = 20


@staff_required
@require_safe
def disputes(request: HttpRequest) -> HttpResponse:
    """Open disputes, the worst first; ``?settled=1`` those that are settled, ``?tag=`` of one tag,
    ``?clip=`` all tags of one clip, whether raters differ or not."""
    tags = list(TimbreTag.objects.filter(retired_at__isnull=True))
    tag = next((tag for tag in tags if tag.slug == request.GET.get("tag")), None)
    settled = bool(request.GET.get("settled"))
    clip = _clip(request.GET.get("clip", ""))
    context: dict[str, object] = {
        "tags": tags,
        "tag": tag,
        "settled": settled,
        "clip": clip,
        "answers": Answer.choices,
    }
    if clip is not None:
        context["disputes"] = with_questions((clip.pk, of.pk) for of in tags)
    else:
        page = Paginator(disputed(tag=tag, settled=settled), _PER_PAGE).get_page(
            request.GET.get("page")
        )
        context |= {"page_obj": page, "disputes": with_questions(page.object_list)}
    return render(request, "analysis/labels/disputes.html", context)


@staff_required
@require_POST
def decide(request: HttpRequest, clip_id: uuid.UUID, slug: str) -> HttpResponse:
    """Settle one tag of one clip; an empty answer leaves it to the votes again."""
    clip = get_object_or_404(VoiceClip, pk=clip_id)
    tag = get_object_or_404(TimbreTag, slug=slug)
    answer = request.POST.get("answer", "")
    if answer and answer not in Answer.values:
        raise Http404
    settle(clip.pk, tag, answer, by=cast(User, request.user), note=request.POST.get("note", ""))
    if request.headers.get("HX-Request"):
        (dispute,) = with_questions([(clip.pk, tag.pk)])
        context = {
            "dispute": dispute,
            "question": dispute.questions[0],
            "answers": Answer.choices,
            "is_fresh": True,
        }
        return render(request, "analysis/labels/_question.html", context)
    return redirect(f"{reverse('label_disputed')}?{urlencode({'clip': str(clip.pk)})}")


def _clip(text: str) -> VoiceClip | None:
    if not text:
        return None
    try:
        return get_object_or_404(VoiceClip, pk=uuid.UUID(text))
    except ValueError as error:
        raise Http404 from error
