"""Share links: unguessable addresses at which one track can be seen without an account."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db.models import F
from django.utils import timezone

from catalog.models import ShareLink, Track
from catalog.names import clean_text

TOKEN_BYTES = 32


def create_share_link(
    track: Track,
    *,
    label: str = "",
    show_audio: bool = True,
    show_genre: bool = True,
    show_features: bool = True,
    show_mix: bool = False,
    valid_for: timedelta | None = None,
) -> ShareLink:
    """A new link; ``valid_for`` None means until it is revoked. Raises ValidationError if nothing
    at all is shown, or if the track is a reference by somebody else."""
    if track.is_reference:
        raise ValidationError("This is somebody else's music, so it cannot be shared.")
    if not (show_audio or show_genre or show_features or show_mix):
        raise ValidationError("Choose at least one thing that the link shows.")
    link = ShareLink(
        token=secrets.token_urlsafe(TOKEN_BYTES),
        track=track,
        label=clean_text(label, 120),
        show_audio=show_audio,
        show_genre=show_genre,
        show_features=show_features,
        show_mix=show_mix,
        expires_at=timezone.now() + valid_for if valid_for is not None else None,
    )
    link.full_clean()
    link.save()
    return link


def revoke_share_link(link: ShareLink) -> None:
    """End a link now; a revoked link stays revoked."""
    if link.revoked_at is None:
        link.revoked_at = timezone.now()
        link.save(update_fields=["revoked_at"])


def count_view(link: ShareLink) -> None:
    """Count one visit of the shared page."""
    ShareLink.objects.filter(pk=link.pk).update(views=F("views") + 1)
