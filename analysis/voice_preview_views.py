"""Sounds of a voice: its stem, a stretch of it through the timbre simulation, and the settings."""

from __future__ import annotations

import math
import uuid

from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_safe

from analysis import voice_settings
from analysis.downloads import as_download
from analysis.models import Report
from analysis.render_slots import NoSlot, render_slot
from analysis.services import derived_name
from analysis.stem_files import NoStems, stem_entry, stems_report
from analysis.views import chosen_revision
from analysis.voice_preview import VOICE_STEM, BeyondTheEnd, render_preview
from analysis.voice_settings import Wish, wish_of
from catalog import selectors as catalog_selectors
from catalog.models import Revision
from catalog.streaming import ranged_response
from sonicsite.limits import TokenBuckets

# Per account and web process. A preview of 30 s takes about a second of one core.
_PREVIEWS = TokenBuckets(rate=0.5, burst=30)


@login_required
@require_safe
def voice_file(request: HttpRequest, track_id: uuid.UUID, name: str) -> HttpResponseBase:
    """``vocals.flac``, the vocal stem, or ``waveform.json``, its shape."""
    _, stems = _asked_for(request, track_id)
    try:
        entry = stem_entry(stems, VOICE_STEM)
    except NoStems as error:
        raise Http404 from error
    files = {
        "vocals.flac": (entry["file"], "audio/flac"),
        "waveform.json": (entry["waveform"], "application/json"),
    }
    if name not in files:
        raise Http404
    stored, content_type = files[name]
    return ranged_response(
        request,
        storage=default_storage,
        name=derived_name(stems, stored),
        content_type=content_type,
        etag=f"{stems.pk.hex}-{stems.created_at.timestamp():.0f}-{name}",
    )


@login_required
@require_GET
def preview(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """A stretch of the voice as FLAC (see :func:`analysis.voice_settings.wish_of` for the query);
    ``download=1`` has the browser save it.

    429 with ``Retry-After`` to whoever has another render running, or asked too often.
    """
    revision, stems = _asked_for(request, track_id)
    wish = wish_of(request.GET)
    wait_s = _PREVIEWS.wait_s(str(request.user.pk))
    try:
        if wait_s > 0.0:
            raise NoSlot(f"That was a lot at once. Wait {math.ceil(wait_s)} s.", retry_s=wait_s)
        with render_slot(str(request.user.pk)):
            made = render_preview(revision, stems, wish)
    except NoSlot as error:
        response = HttpResponse(error.message, status=429, content_type="text/plain; charset=utf-8")
        response["Retry-After"] = str(math.ceil(error.retry_s))
        return response
    except BeyondTheEnd:
        return HttpResponse(
            "The song is over by then: choose an earlier stretch.",
            status=422,
            content_type="text/plain; charset=utf-8",
        )
    except (NoStems, FileNotFoundError) as error:
        raise Http404 from error
    response = HttpResponse(made.flac, content_type="audio/flac")
    response["Loudness-Off-Lu"] = f"{made.off_lu + 0.0:.2f}"
    response["Peaks-Limited-Db"] = f"{made.limited_db + 0.0:.1f}"
    response["Cache-Control"] = "private, no-store"
    if request.GET.get("download") == "1":
        return as_download(response, f"{_name(revision)} ({_what(wish)}).flac")
    return response


@login_required
@require_safe
def settings_text(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """What the simulation does with the settings of the query: a piece of the page."""
    revision, _ = _asked_for(request, track_id)
    wish = wish_of(request.GET)
    context = {"steps": voice_settings.steps(wish.recipe), "revision": revision}
    return render(request, "analysis/_voice_steps.html", context)


@login_required
@require_safe
def settings_file(request: HttpRequest, track_id: uuid.UUID, kind: str) -> HttpResponse:
    """The settings of the query as ``json`` or ``txt``, for other programs and for people."""
    revision, _ = _asked_for(request, track_id)
    wish = wish_of(request.GET)
    writers = {
        "json": (voice_settings.as_json, "application/json"),
        "txt": (voice_settings.as_text, "text/plain; charset=utf-8"),
    }
    if kind not in writers:
        raise Http404
    write, content_type = writers[kind]
    text = write(
        wish,
        artist=revision.artist.name,
        title=str(revision.track),
        revision=revision.number,
    )
    response = HttpResponse(text.encode(), content_type=content_type)
    return as_download(response, f"{_name(revision)} (vocal timbre).{kind}")


def _asked_for(request: HttpRequest, track_id: uuid.UUID) -> tuple[Revision, Report]:
    """The version and its stems. Raises Http404 for everybody else's, and without stems."""
    track = catalog_selectors.get_track_for(request.user, track_id)
    revision, _ = chosen_revision(track, request)
    stems = stems_report(revision)
    if stems is None:
        raise Http404
    return revision, stems


def _name(revision: Revision) -> str:
    return f"{revision.artist.name} - {revision.track}"


def _what(wish: Wish) -> str:
    where = "in the mix" if wish.in_mix else "vocal"
    return f"{where}, {'original' if wish.original else wish.summary.lower()}"
