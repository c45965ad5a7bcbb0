"""Similar tracks as JSON, for pages and programs."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from analysis.discovery import parameters
from analysis.discovery.request import Asker, BadRequest, Seed
from analysis.discovery.search import Hit, search_page
from analysis.discovery.seeds import SeedNotFound, SeedNotHeard
from analysis.discovery.why import reasons_of_results


@login_required
@require_safe
def similar_json(request: HttpRequest, track_id: uuid.UUID) -> JsonResponse:
    """Tracks like one that the user may find: ``?limit=``, ``offset=``, ``per_artist=``,
    ``without_own=``, ``without_album=``, ``reasons=no`` and the filters of
    :func:`analysis.discovery.parameters.filters_of`."""
    given = request.GET
    try:
        asked = parameters.request_of(
            given,
            Asker.of_user(request.user),
            [Seed.track(track_id)],
            limit=parameters.whole_number(given, "limit", 20),
            offset=parameters.whole_number(given, "offset", 0),
        )
        with_reasons = "reasons" not in given or parameters.flag(given, "reasons")
        found = search_page(asked)
    except BadRequest as error:
        return JsonResponse({"error": str(error)}, status=400)
    except SeedNotFound:
        raise Http404 from None
    except SeedNotHeard as error:
        return JsonResponse({"error": str(error)}, status=409)
    why = reasons_of_results(track_id, found) if with_reasons else {}
    return JsonResponse(
        {
            "hits": [_to_json(hit, why.get(hit.track.pk)) for hit in found.hits],
            "has_more": found.has_more,
            "model_version": found.model_version,
        }
    )


def _to_json(hit: Hit, why: list[str] | None) -> dict[str, Any]:
    report = hit.report
    return {
        "track": {
            "id": str(hit.track.pk),
            "title": str(hit.track),
            "artist": hit.artist_name,
            "artist_id": hit.track.artist_id,
            "album": hit.track.album.title if hit.track.album else None,
        },
        "is_own": hit.is_own,
        "percentile": hit.percentile,
        **({} if why is None else {"reasons": why}),
        "genre": report.genre if report.genre_decided else None,
        "tempo_bpm": report.tempo_bpm,
        "key": report.key or None,
        "energy": report.energy,
        "audio_url": reverse("revision_audio", args=[hit.revision.pk]),
    }
