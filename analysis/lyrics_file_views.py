"""The files of a track's lyrics: formats to take away, and the voice that the page plays."""

from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from analysis import lyrics_services, stem_files
from analysis.downloads import as_download
from analysis.lyrics_document import lines_of
from analysis.lyrics_formats import FORMATS, SongNames
from analysis.lyrics_selectors import lyrics_page
from analysis.services import derived_name
from analysis.views import chosen_revision
from catalog import selectors as catalog_selectors
from catalog.models import Revision, Track
from catalog.streaming import ranged_response


def asked_for(request: HttpRequest, track_id: uuid.UUID) -> tuple[Track, Revision, list[Revision]]:
    """Raises Http404 for tracks of others."""
    track = catalog_selectors.get_track_for(request.user, track_id)
    revision, revisions = chosen_revision(track, request)
    return track, revision, revisions


@login_required
@require_safe
def export(request: HttpRequest, track_id: uuid.UUID, kind: str) -> HttpResponse:
    """The lyrics that stand on the page, as a file of one of :data:`FORMATS`."""
    track, revision, _ = asked_for(request, track_id)
    document = lyrics_page(revision).document
    if kind not in FORMATS or document is None or not document["lines"]:
        raise Http404
    form = FORMATS[kind]
    song = SongNames(
        title=str(track),
        artist=track.artist.name,
        album=track.album.title if track.album else "",
        language=str(document.get("language", "")),
        duration_s=revision.duration_s,
    )
    text = form.write(lines_of(document), song)
    response = HttpResponse(text.encode(), content_type=form.content_type)
    return as_download(response, f"{track.artist.name} - {track} {form.ending}")


@login_required
@require_safe
def voice(request: HttpRequest, track_id: uuid.UUID) -> HttpResponseBase:
    """The vocal stem, whole, for the page's player."""
    _, revision, _ = asked_for(request, track_id)
    report = stem_files.stems_report(revision)
    if report is None:
        raise Http404
    try:
        entry = stem_files.stem_entry(report, lyrics_services.VOCALS)
    except stem_files.NoStems as error:
        raise Http404 from error
    return ranged_response(
        request,
        storage=default_storage,
        name=derived_name(report, entry["file"]),
        content_type="audio/flac",
        etag=f"{report.pk.hex}-{report.created_at.timestamp():.0f}-vocals",
    )
