"""Template filters of the catalogue."""

from __future__ import annotations

from django import template
from django.urls import reverse

from catalog.models import Album, Artist

register = template.Library()


@register.filter
def playing_time(seconds: float | None) -> str:
    """A duration in seconds as ``3:20`` or ``1:02:03``; a dash where it is unknown."""
    if seconds is None:
        return "–"
    hours, rest = divmod(round(seconds), 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


@register.filter
def artwork_url(album: Album | None) -> str:
    """Address of an album's artwork; empty where it has none."""
    if album is None or not album.artwork:
        return ""
    return reverse("album_artwork", args=[album.pk])


@register.filter
def picture_url(artist: Artist | None) -> str:
    """Address of an artist's picture; empty where there is none."""
    if artist is None or not artist.picture:
        return ""
    return reverse("artist_picture", args=[artist.pk])


@register.filter
def share_of(part: int | None, whole: int | None) -> int:
    """Percent that ``part`` is of ``whole``, 0 to 100."""
    if not part or not whole:
        return 0
    return min(100, round(100 * part / whole))
