"""What the owner of a track takes away: the advised equaliser, its sound, and the report.

Every address takes what the page of the track takes (``revision``, ``target``) and the equaliser's
own settings (``amount``, ``off``): what is saved is what was heard.
"""

from __future__ import annotations

import math
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

from django.conf import settings as site
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_safe

from analysis import equaliser_presets, presentation, selectors
from analysis.equaliser_presets import EqualiserSettings
from analysis.equaliser_render import CEILING_DBTP, RenderPlan, render_wav, wav_bytes
from analysis.equaliser_settings import (
    Wish,
    equaliser_settings,
    measure_render,
    render_plan,
    wish_of,
)
from analysis.mixing.moves import filters
from analysis.services import local_copy
from analysis.sound.refusals import UndecodableAudio
from analysis.views import chosen_revision
from catalog import selectors as catalog_selectors
from catalog.models import Revision, User
from sonicsite.limits import TokenBuckets

R = TypeVar("R", bound=HttpResponseBase)

# Per account and web process: a dozen renders or measurements at once, then one in ten seconds.
_RENDERS = TokenBuckets(rate=0.1, burst=12)
_MEASURING = threading.BoundedSemaphore(2)
_BUSY_RETRY_S = 5

_PRESETS: dict[str, tuple[Callable[[EqualiserSettings], str], str, str]] = {
    "json": (equaliser_presets.as_json, "application/json", "(equaliser).json"),
    "csv": (equaliser_presets.as_csv, "text/csv; charset=utf-8", "(equaliser).csv"),
    "apo": (equaliser_presets.as_equalizer_apo, "text/plain; charset=utf-8", "(Equalizer APO).txt"),
    "text": (equaliser_presets.as_plain_text, "text/plain; charset=utf-8", "(equaliser).txt"),
}


@login_required
@require_safe
def equaliser_preset(request: HttpRequest, track_id: uuid.UUID, kind: str) -> HttpResponse:
    """The equaliser as ``json``, ``csv``, ``apo`` or ``text``."""
    if kind not in _PRESETS:
        raise Http404
    revision, document = _asked_for(request, track_id)
    write, content_type, ending = _PRESETS[kind]
    text = write(_equaliser(document, revision, wish_of(request.GET)))
    response = HttpResponse(text.encode(), content_type=content_type)
    return _download(response, revision, ending)


@login_required
@require_GET
def equalised_plan(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """What the render will be, before it is fetched: its size, and by how much it is lowered."""
    revision, document = _asked_for(request, track_id)
    equaliser = _equaliser(document, revision, wish_of(request.GET))
    plan = render_plan(revision, equaliser)
    if plan is None:
        wait_s = _turn(request)
        if wait_s:
            return _busy(JsonResponse({"detail": _busy_text(wait_s)}, status=429), wait_s)
        try:
            plan = _measured(revision, equaliser)
        except UndecodableAudio as error:
            return JsonResponse({"detail": error.message}, status=422)
        if plan is None:
            wait_s = _BUSY_RETRY_S
            return _busy(JsonResponse({"detail": _busy_text(wait_s)}, status=429), wait_s)
    return JsonResponse(
        {
            "match_db": round(plan.match_db, 2),
            "lowered_db": round(plan.lowered_db, 2) + 0.0,
            "bytes": plan.n_samples * plan.channels * 3,
        }
    )


@login_required
@require_GET
def equalised_wav(request: HttpRequest, track_id: uuid.UUID) -> HttpResponseBase:
    """The sound through the equaliser, as loud as before, as WAV of 24 bit; sent as it is made."""
    revision, document = _asked_for(request, track_id)
    equaliser = _equaliser(document, revision, wish_of(request.GET))
    wait_s = _turn(request)
    if wait_s:
        return _busy(render(request, "429.html", status=429), wait_s)
    try:
        plan = render_plan(revision, equaliser) or _measured(revision, equaliser)
    except UndecodableAudio as error:
        messages.error(request, error.message)
        return redirect(revision.track)
    if plan is None:
        return _busy(render(request, "429.html", status=429), _BUSY_RETRY_S)
    comment = equaliser.summary
    if plan.lowered_db <= -0.005:
        comment += f"; lowered {-plan.lowered_db:.2f} dB to keep {CEILING_DBTP:.0f} dBTP"
    texts = {"title": equaliser.title, "artist": equaliser.artist, "comment": comment}

    def sound() -> Iterator[bytes]:
        with local_copy(revision) as path:
            yield from render_wav(
                path,
                filters(equaliser.moves),
                plan,
                max_duration_s=float(site.UPLOAD_MAX_SECONDS),
                **texts,
            )

    response = StreamingHttpResponse(sound(), content_type="audio/wav")
    response["Content-Length"] = str(wav_bytes(plan, **texts))
    return _download(response, revision, "(equalised).wav")


@login_required
@require_safe
def report_sheet(request: HttpRequest, track_id: uuid.UUID, kind: str) -> HttpResponse:
    """The report on a sheet of paper: ``pdf``, or ``png`` for messages and posts."""
    revision, document = _asked_for(request, track_id)
    # Loads the PDF library, which no other page needs.
    from analysis.sheet import Sheet, sheet_pdf, sheet_png

    report = selectors.report_of(revision)
    sheet = Sheet(
        document=document,
        equaliser=equaliser_settings(document, revision, wish_of(request.GET)),
        measured_on=timezone.localdate(report.created_at if report else None),
        product=site.SITE_NAME,
    )
    if kind == "pdf":
        response = HttpResponse(sheet_pdf(sheet), content_type="application/pdf")
    else:
        response = HttpResponse(sheet_png(sheet), content_type="image/png")
    return _download(response, revision, f"(report).{kind}")


def _asked_for(request: HttpRequest, track_id: uuid.UUID) -> tuple[Revision, dict[str, Any]]:
    """The revision and its document, judged as on the page. Raises Http404 for everybody else's."""
    track = catalog_selectors.get_track_for(cast(User, request.user), track_id)
    revision, _ = chosen_revision(track, request)
    report = selectors.report_of(revision)
    if report is None:
        raise Http404
    return revision, presentation.document_for(report, revision, request.GET.get("target", ""))


def _equaliser(document: dict[str, Any], revision: Revision, wish: Wish) -> EqualiserSettings:
    """Raises Http404 where the report advises no move: there is nothing to take away."""
    equaliser = equaliser_settings(document, revision, wish)
    if not equaliser.moves:
        raise Http404
    return equaliser


def _turn(request: HttpRequest) -> float:
    return _RENDERS.wait_s(str(request.user.pk))


def _measured(revision: Revision, equaliser: EqualiserSettings) -> RenderPlan | None:
    """The measured plan; None while as many others are being measured as the machine bears."""
    if not _MEASURING.acquire(blocking=False):
        return None
    try:
        return measure_render(revision, equaliser)
    except FileNotFoundError as error:
        raise Http404 from error
    finally:
        _MEASURING.release()


def _busy(response: R, wait_s: float) -> R:
    response["Retry-After"] = str(math.ceil(wait_s))
    return response


def _busy_text(wait_s: float) -> str:
    return f"Too many renders at once. Try again in {math.ceil(wait_s)} s."


def _download(response: R, revision: Revision, ending: str) -> R:
    """Have the browser save it as ``Artist - Title (…)``."""
    name = f"{revision.artist.name} - {revision.track} {ending}"
    name = "".join("-" if char in '/\\:*?"<>|' else char for char in name if char.isprintable())
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
