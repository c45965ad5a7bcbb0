"""The stems' files: pieces and waveforms for the mixer, whole stems, all of them as a ZIP."""

from __future__ import annotations

import uuid
from functools import partial

from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_GET, require_safe

from analysis import services
from analysis.downloads import file_name
from analysis.models import Report
from analysis.render_slots import NoSlot
from analysis.stem_downloads import (
    asked_report,
    base_name,
    download,
    refused_page,
    stem_file_name,
    take_turn,
)
from analysis.stem_files import NoStems, stem_entry
from analysis.zip_stream import ZipMember, stream_zip, zip_bytes
from catalog.models import Revision
from catalog.streaming import pieces, ranged_response


@login_required
@require_safe
def stem_file(
    request: HttpRequest, track_id: uuid.UUID, report_id: uuid.UUID, name: str
) -> HttpResponseBase:
    """A piece of a stem, or its waveform; only names that the report lists."""
    _, report = asked_report(request, track_id, report_id)
    content_type = _playable(report).get(name)
    if content_type is None:
        raise Http404
    return ranged_response(
        request,
        storage=default_storage,
        name=services.derived_name(report, name),
        content_type=content_type,
        etag=_etag(report, name),
        # The address changes with the separation, so a player that loops need not ask again.
        cache_control="private, max-age=3600",
    )


@login_required
@require_safe
def stem_download(
    request: HttpRequest, track_id: uuid.UUID, report_id: uuid.UUID, stem: str
) -> HttpResponseBase:
    """A whole stem, saved as ``Artist - Title (vocals) [htdemucs].flac``."""
    revision, report = asked_report(request, track_id, report_id)
    try:
        stored = stem_entry(report, stem)["file"]
    except NoStems as error:
        raise Http404 from error
    response = ranged_response(
        request,
        storage=default_storage,
        name=services.derived_name(report, stored),
        content_type="audio/flac",
        etag=_etag(report, stored),
    )
    return download(response, stem_file_name(revision, report, stem))


@login_required
@require_GET
def stems_zip(request: HttpRequest, track_id: uuid.UUID, report_id: uuid.UUID) -> HttpResponseBase:
    """All whole stems in one archive, sent as it is made."""
    revision, report = asked_report(request, track_id, report_id)
    try:
        take_turn(request)
    except NoSlot as error:
        return refused_page(request, revision, error)
    members = _members(revision, report)
    response = StreamingHttpResponse(
        stream_zip(members, modified=report.created_at), content_type="application/zip"
    )
    length = zip_bytes(members)
    if length is not None:
        response["Content-Length"] = str(length)
    return download(response, f"{base_name(revision)} (stems) [{report.document['engine']}].zip")


def _playable(report: Report) -> dict[str, str]:
    """Content types of the files that the mixer may fetch, by name."""
    found: dict[str, str] = {}
    for stem in report.document["stems"]:
        found |= dict.fromkeys(stem["chunks"], "audio/flac")
        found[stem["waveform"]] = "application/json"
    return found


def _members(revision: Revision, report: Report) -> list[ZipMember]:
    """Raises Http404 if the storage has lost a file: an archive cannot say so in its middle."""
    members = []
    for stem in report.document["stems"]:
        stored = services.derived_name(report, stem["file"])
        try:
            size = default_storage.size(stored)
        except OSError as error:
            raise Http404 from error
        members.append(
            ZipMember(
                name=file_name(stem_file_name(revision, report, stem["name"])),
                size=size,
                pieces=partial(pieces, default_storage, stored, first=0, length=size),
            )
        )
    return members


def _etag(report: Report, name: str) -> str:
    return f"{report.pk.hex}-{report.created_at.timestamp():.0f}-{name}"
