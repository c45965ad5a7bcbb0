"""Where labelled clips are kept as the network sees them. Housekeeping uses it: no networks."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

# Raised whenever the same clip would give other versions.
VERSION = 1
_DIGITS = 40


def path_of(cache: Path, clip: str, *, changed: bool) -> Path:
    """The file of a clip (its sha256), with or without its changed versions."""
    return cache / f"v{VERSION}-{clip[:_DIGITS]}-{'changed' if changed else 'plain'}.npy"


def forget(cache: Path, *, keep: Collection[str]) -> int:
    """Delete what is kept of clips that are not in ``keep`` (their sha256), and of older versions
    of this code; returns how many files went."""
    gone = 0
    wanted = {clip[:_DIGITS] for clip in keep}
    for path in cache.glob("v*") if cache.is_dir() else ():
        version, _, rest = path.stem.partition("-")
        if version != f"v{VERSION}" or rest.partition("-")[0] not in wanted:
            path.unlink(missing_ok=True)
            gone += 1
    return gone
