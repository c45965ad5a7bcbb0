"""What the addresses of stems' files share: who may have them, names, limits, refusals."""

from __future__ import annotations

import math
import uuid
from typing import TypeVar, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, render

from analysis.downloads import as_download
from analysis.mixing.stem_mix import BadMix
from analysis.models import Report, Stage
from analysis.render_slots import NoSlot
from analysis.sound.refusals import clock
from catalog import selectors as catalog_selectors
from catalog.models import Revision, User
from sonicsite.limits import TokenBuckets, asked_too_often

R = TypeVar("R", bound=HttpResponseBase)

MOST_RENDERED_S = 30 * 60
"""Longest song whose mix is rendered while its artist waits: about 45 s as FLAC."""

MOST_ENCODED_S = 10 * 60
"""The same for MP3 and Opus, whose encoders take five times as long."""

# Per account and web process: a dozen renders, measurements or archives, then one in ten seconds.
_DOWNLOADS = TokenBuckets(rate=0.1, burst=12)


class TooLong(Exception):
    """A mix that is not rendered while somebody waits; the message is for the artist."""


REFUSALS = (NoSlot, TooLong, BadMix)


def asked_report(
    request: HttpRequest, track_id: uuid.UUID, report_id: uuid.UUID
) -> tuple[Revision, Report]:
    """A separation of a track that the asker may change, and the version it is of.

    Raises Http404 for everything else: other people's tracks, reports of other tracks or stages.
    """
    track = catalog_selectors.get_track_for(cast(User, request.user), track_id)
    report = get_object_or_404(Report, pk=report_id, stage=Stage.SEPARATE)
    revision = (
        track.revisions.filter(content_sha256=report.content_sha256)
        .select_related("artist", "track")
        .order_by("-number")
        .first()
    )
    if revision is None:
        raise Http404
    return revision, report


def base_name(revision: Revision) -> str:
    """``Artist - Title``."""
    return f"{revision.artist.name} - {revision.track}"


def stem_file_name(revision: Revision, report: Report, stem: str) -> str:
    """``Artist - Title (vocals) [htdemucs].flac``."""
    return f"{base_name(revision)} ({stem}) [{report.document['engine']}].flac"


def download(response: R, name: str) -> R:
    """Have the browser save the response."""
    return as_download(response, name)


def account(request: HttpRequest) -> str:
    """Whose turn it is."""
    return str(request.user.pk)


def take_turn(request: HttpRequest) -> None:
    """Raises NoSlot to an account that has saved too much lately."""
    wait_s = _DOWNLOADS.wait_s(account(request))
    if wait_s > 0.0:
        raise NoSlot(asked_too_often(wait_s), retry_s=wait_s)


def judge_length(report: Report, *, is_lossy: bool) -> None:
    """Raises TooLong."""
    duration_s = report.document["duration_s"]
    if duration_s > MOST_RENDERED_S:
        raise TooLong(
            f"Only up to {MOST_RENDERED_S // 60} minutes are mixed here, and this song has "
            f"{clock(duration_s)}. Take the stems with you instead, and mix them in your own "
            "studio."
        )
    if is_lossy and duration_s > MOST_ENCODED_S:
        raise TooLong(
            f"Only up to {MOST_ENCODED_S // 60} minutes are made into MP3 or Opus here, and this "
            f"song has {clock(duration_s)}. Take it as WAV or FLAC."
        )


def refused_page(request: HttpRequest, revision: Revision, error: Exception) -> HttpResponse:
    """Nothing was saved, and why, as a page."""
    status, detail, retry_s = _refusal(error)
    context = {"status": status, "detail": detail, "track": revision.track}
    page = render(request, "analysis/export_refused.html", context, status=status)
    return _retry_after(page, retry_s)


def refused_json(error: Exception) -> JsonResponse:
    """The same for a script."""
    status, detail, retry_s = _refusal(error)
    return _retry_after(JsonResponse({"detail": detail}, status=status), retry_s)


def _refusal(error: Exception) -> tuple[int, str, float | None]:
    if isinstance(error, NoSlot):
        return 429, error.message, error.retry_s
    if isinstance(error, TooLong):
        return 413, str(error), None
    return 422, str(error)[:1].upper() + str(error)[1:] + ".", None


def _retry_after(response: R, retry_s: float | None) -> R:
    if retry_s is not None:
        response["Retry-After"] = str(math.ceil(retry_s))
    return response
