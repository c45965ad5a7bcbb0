"""Named mixes as JSON, for the mixer's page.

``GET`` lists the track's mixes, ``POST {"name", "settings"}`` saves one. At the address of a mix,
``POST {"name"?, "settings"?}`` changes it and ``DELETE`` removes it. What is refused is answered
with ``{"detail"}``, a sentence for the artist.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_http_methods

from analysis import stem_mix_services
from analysis.mix_models import StemMix
from analysis.mixing.stem_mix import BadMix
from analysis.stem_downloads import refused_json
from analysis.stem_mix_services import MixRefused
from analysis.stem_page import mix_entry
from catalog import selectors as catalog_selectors

_MOST_BYTES = 8_000


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def stem_mixes(request: HttpRequest, track_id: uuid.UUID) -> JsonResponse:
    """All named mixes of a track, or one more."""
    track = catalog_selectors.get_track_for(request.user, track_id)
    if request.method != "POST":
        mixes = StemMix.objects.filter(track=track)
        return JsonResponse({"mixes": [mix_entry(mix) for mix in mixes]})
    try:
        body = _body(request, {"name", "settings"})
        mix = stem_mix_services.save_mix(
            track, name=str(body.get("name", "")), settings=body.get("settings")
        )
    except (BadMix, MixRefused) as error:
        return _refused(error)
    return JsonResponse(mix_entry(mix), status=201)


@login_required
@require_http_methods(["POST", "DELETE"])
def stem_mix(request: HttpRequest, track_id: uuid.UUID, mix_id: uuid.UUID) -> HttpResponse:
    """Change or delete a named mix."""
    track = catalog_selectors.get_track_for(request.user, track_id)
    mix = get_object_or_404(StemMix, pk=mix_id, track=track)
    if request.method == "DELETE":
        stem_mix_services.delete_mix(mix)
        return HttpResponse(status=204)
    try:
        body = _body(request, {"name", "settings"})
        name = body.get("name")
        stem_mix_services.change_mix(
            mix, name=None if name is None else str(name), settings=body.get("settings")
        )
    except (BadMix, MixRefused) as error:
        return _refused(error)
    return JsonResponse(mix_entry(mix))


def _body(request: HttpRequest, allowed: set[str]) -> dict[str, Any]:
    """The JSON object of a request. Raises BadMix."""
    if len(request.body) > _MOST_BYTES:
        raise BadMix("the mix is too long")
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise BadMix("this is no JSON") from error
    if not isinstance(body, dict) or body.keys() - allowed:
        raise BadMix(f"a JSON object with {' and '.join(sorted(allowed))} is needed")
    return body


def _refused(error: BadMix | MixRefused) -> JsonResponse:
    if isinstance(error, MixRefused):
        return JsonResponse({"detail": str(error)}, status=422)
    return refused_json(error)
