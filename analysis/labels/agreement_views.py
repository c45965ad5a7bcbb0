"""Pages of agreement: over all raters, and each rater's own."""

from __future__ import annotations

from typing import cast

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from analysis.labels.access import labeller_required, may_label, staff_required
from analysis.labels.agreement import agreement
from analysis.labels.disputes import disputed
from analysis.labels.raters import raters
from catalog.models import User
from sonicsite.limits import TokenBuckets, asked_too_often

# The figures are counted anew each time; per account and web process.
_LOOKS = TokenBuckets(rate=0.5, burst=20)


@staff_required
@require_safe
def agreement_page(request: HttpRequest) -> HttpResponse:
    """Krippendorff's alpha of every tag, and all raters."""
    if refusal := _too_often(request):
        return refusal
    rows, over_all = agreement()
    context = {
        "rows": rows,
        "over_all": over_all,
        "raters": raters(),
        "disputed_count": disputed().count(),
    }
    return render(request, "analysis/labels/agreement.html", context)


@labeller_required
@require_safe
def rater_page(request: HttpRequest, user_id: int) -> HttpResponse:
    """One rater beside the others: staff see everybody's, labelling staff their own."""
    me = cast(User, request.user)
    if user_id != me.pk and not me.is_staff:
        raise PermissionDenied
    if refusal := _too_often(request):
        return refusal
    user = User.objects.filter(pk=user_id).first() if user_id < 2**63 else None
    if user is None:
        raise Http404
    (rater,) = raters(user)
    if not rater.ballots and not rater.skipped and not may_label(user):
        raise Http404
    context = {"rater": rater, "is_own": user.pk == me.pk}
    return render(request, "analysis/labels/rater.html", context)


def _too_often(request: HttpRequest) -> HttpResponse | None:
    wait_s = _LOOKS.wait_s(str(request.user.pk))
    if wait_s <= 0.0:
        return None
    response = render(request, "429.html", {"reason": asked_too_often(wait_s)}, status=429)
    response["Retry-After"] = str(int(wait_s) + 1)
    return response
