"""Whose music a file is, by its tags."""

from __future__ import annotations

import logging
import struct
from pathlib import Path

import mutagen

log = logging.getLogger(__name__)

# Simple names first, as mutagen's "easy" interface has them; ID3's own in WAV and AIFF.
_KEYS = ("artist", "albumartist", "TPE1", "TPE2")
_NOBODY = frozenset({"", "various artists", "various", "unknown artist", "unknown", "va"})


def artist_of(path: Path) -> str:
    """The artist in a file's tags; empty where there is none, or only a placeholder."""
    try:
        tags = mutagen.File(path, easy=True)
    except (mutagen.MutagenError, OSError, ValueError, EOFError, struct.error) as error:
        log.info("no tags of %s: %s", path, error)
        return ""
    for key in _KEYS if tags else ():
        try:
            values = tags.get(key) or []
        except (KeyError, ValueError):  # a name that this kind of tags cannot have
            continue
        for value in getattr(values, "text", values):
            name = " ".join(str(value).split())
            if name.casefold() not in _NOBODY:
                return name
    return ""
