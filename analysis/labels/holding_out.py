"""Who is held out: singers whose clips only ever compare models. Decided once by singer."""

from __future__ import annotations

import hashlib

from analysis.labels import label_settings
from analysis.labels.models import VoiceClip
from catalog.models import Artist


def singer_of(artist: Artist) -> str:
    """What an artist's clips are split by. It stays when she changes her name, and tells it to
    nobody who reads a table of labels."""
    return f"artist-{artist.pk}"


def is_held_out(singer: str) -> bool:
    """Whether clips of a singer are held out.

    A singer who is in the pool stays where she is. For a new one a lot decides, drawn from her name
    so that it is the same wherever it is drawn: held out below the share of the settings.
    """
    decided = VoiceClip.objects.filter(singer=singer).values_list("is_held_out", flat=True).first()
    if decided is not None:
        return decided
    return singer_lot(singer) < label_settings.current().held_out_share


def singer_lot(singer: str) -> float:
    """A singer's lot, evenly in 0..1."""
    digest = hashlib.sha256(f"held out: {singer}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64
