"""What the owner of a track takes away: the advised equaliser, its sound, and the report.

Every address takes what the page of the track takes (``revision``, ``target``) and the equaliser's
own settings (``amount``, ``off``): what is saved is what was heard.
"""

from __future__ import annotations

import itertools
import math
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeVar, cast

from django.conf import settings as site
from django.contrib.auth.decorators import login_required
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from analysis import equaliser_presets, presentation, selectors
from analysis.downloads import as_download
from analysis.equaliser_presets import EqualiserSettings
from analysis.equaliser_render import CEILING_DBTP, opened, render_wav, wav_bytes
from analysis.equaliser_settings import (
    Wish,
    equaliser_settings,
    measure_render,
    render_plan,
    wish_of,
)
from analysis.mixing.moves import filters
from analysis.render_slots import HeldStream, NoSlot, render_slot
from analysis.services import local_copy
from analysis.sound.refusals import UndecodableAudio, clock
from analysis.views import chosen_revision
from catalog import selectors as catalog_selectors
from catalog.models import Revision, User
from sonicsite.limits import TokenBuckets, asked_too_often

R = TypeVar("R", bound=HttpResponseBase)

MOST_RENDERED_S = 600
"""Longest song that is rendered while its artist waits."""

MOST_RENDERED_SAMPLES = MOST_RENDERED_S * 2 * 96_000
"""Samples of all channels together: as many as the longest song has in stereo at 96 kHz."""

# Per account and web process: a dozen renders, measurements or sheets, then one in ten seconds.
_EXPORTS = TokenBuckets(rate=0.1, burst=12)

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
    try:
        _judge_length(document)
        # Also where it is known: the file is fetched next, and that would be refused.
        with render_slot(_account(request)):
            plan = render_plan(revision, equaliser)
            if plan is None:
                _take_turn(request)
                plan = measure_render(revision, equaliser)
    except FileNotFoundError as error:
        raise Http404 from error
    except _REFUSALS as error:
        status, detail, retry_s = _refusal(error)
        return _retry_after(JsonResponse({"detail": detail}, status=status), retry_s)
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
    try:
        _judge_length(document)
        _take_turn(request)
        # What is held until the last byte is sent: the turn, the copy of the file, its decoder.
        with ExitStack() as held:
            held.enter_context(render_slot(_account(request)))
            response = _wav(revision, equaliser, held)
    except FileNotFoundError as error:
        raise Http404 from error
    except _REFUSALS as error:
        return _refused_page(request, revision, error)
    return response


@login_required
@require_safe
def report_sheet(request: HttpRequest, track_id: uuid.UUID, kind: str) -> HttpResponse:
    """The report on a sheet of paper: ``pdf``, or ``png`` for messages and posts."""
    revision, document = _asked_for(request, track_id)
    try:
        _take_turn(request)
    except NoSlot as error:
        return _refused_page(request, revision, error)
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


def _wav(
    revision: Revision, equaliser: EqualiserSettings, held: ExitStack
) -> StreamingHttpResponse:
    """The response, its first second made already; it takes over what ``held`` holds.

    Raises UndecodableAudio, FileNotFoundError.
    """
    plan = render_plan(revision, equaliser) or measure_render(revision, equaliser)
    comment = equaliser.summary
    if plan.lowered_db <= -0.005:
        comment += f"; lowered {-plan.lowered_db:.2f} dB to keep {CEILING_DBTP:.0f} dBTP"
    texts = {"title": equaliser.title, "artist": equaliser.artist, "comment": comment}
    path = held.enter_context(local_copy(revision))
    sound = held.enter_context(opened(path, max_duration_s=float(site.UPLOAD_MAX_SECONDS)))
    pieces = render_wav(sound, filters(equaliser.moves), plan, **texts)
    begun = list(itertools.islice(pieces, 2))
    stream = HeldStream(itertools.chain(begun, pieces), held.pop_all())
    response = StreamingHttpResponse(stream, content_type="audio/wav")
    response["Content-Length"] = str(wav_bytes(plan, **texts))
    return _download(response, revision, "(equalised).wav")


class _TooLong(Exception):
    """A file that is not rendered while somebody waits; the message is for the artist."""


_REFUSALS = (NoSlot, UndecodableAudio, _TooLong)


def _judge_length(document: dict[str, Any]) -> None:
    file = document["file"]
    seconds, rate, channels = file["duration_s"], file["sample_rate"], file["channels"]
    if seconds > MOST_RENDERED_S or seconds * rate * channels > MOST_RENDERED_SAMPLES:
        raise _TooLong(
            f"Only up to {MOST_RENDERED_S // 60} minutes are rendered here (less for more than two "
            f"channels or more than 96 kHz), and this file has {clock(seconds)}. Take the "
            "equaliser with you instead, as a preset or a table, and use it in your own studio."
        )


def _refusal(error: Exception) -> tuple[int, str, float | None]:
    """Status, text for the artist, and after how many seconds to come again."""
    if isinstance(error, NoSlot):
        return 429, error.message, error.retry_s
    if isinstance(error, UndecodableAudio):
        return 422, error.message, None
    return 413, str(error), None


def _refused_page(request: HttpRequest, revision: Revision, error: Exception) -> HttpResponse:
    status, detail, retry_s = _refusal(error)
    context = {"status": status, "detail": detail, "track": revision.track}
    page = render(request, "analysis/export_refused.html", context, status=status)
    return _retry_after(page, retry_s)


def _retry_after(response: HttpResponse, retry_s: float | None) -> HttpResponse:
    if retry_s is not None:
        response["Retry-After"] = str(math.ceil(retry_s))
    return response


def _account(request: HttpRequest) -> str:
    return str(request.user.pk)


def _take_turn(request: HttpRequest) -> None:
    """Raises NoSlot to an account that has saved too much lately."""
    wait_s = _EXPORTS.wait_s(_account(request))
    if wait_s > 0.0:
        raise NoSlot(asked_too_often(wait_s), retry_s=wait_s)


def _download(response: R, revision: Revision, ending: str) -> R:
    """Have the browser save it as ``Artist - Title (…)``."""
    return as_download(response, f"{revision.artist.name} - {revision.track} {ending}")
