"""A clip's sound and picture, for those who label, and for the artist whose voice it is."""

from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from analysis.labels.access import may_label
from analysis.labels.clip_files import picture_name
from analysis.labels.models import VoiceClip
from catalog.streaming import ranged_response


@login_required
@require_safe
def clip_audio(request: HttpRequest, clip_id: uuid.UUID) -> HttpResponseBase:
    """The sound of a clip; players may seek in it."""
    clip = _audible_clip(request, clip_id)
    return ranged_response(
        request,
        storage=default_storage,
        name=clip.file,
        content_type="audio/flac",
        etag=clip.content_sha256,
        last_modified=clip.created_at,
    )


@login_required
@require_safe
def clip_spectrogram(request: HttpRequest, clip_id: uuid.UUID) -> HttpResponseBase:
    """The picture of a clip; :mod:`analysis.labels.spectrogram_axis` says what its axis shows."""
    clip = _audible_clip(request, clip_id)
    return ranged_response(
        request,
        storage=default_storage,
        name=picture_name(clip),
        content_type="image/png",
        etag=f"{clip.content_sha256}-picture",
        last_modified=clip.created_at,
    )


def _audible_clip(request: HttpRequest, clip_id: uuid.UUID) -> VoiceClip:
    """Raises Http404, so that nobody learns by asking which clips there are."""
    clip = VoiceClip.objects.select_related("artist").filter(pk=clip_id).first()
    if clip is None:
        raise Http404
    if may_label(request.user) or (clip.artist and clip.artist.user_id == request.user.pk):
        return clip
    raise Http404
