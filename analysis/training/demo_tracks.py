"""The demo tracks, and the tempo and key that their licence file says they were made with.

Music from the package immich-memories-music (MIT): generated, 28 pieces of about 30 s. They are
what measurements and features are checked on, and nothing is ever trained on them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import files
from pathlib import Path

_PACKAGE = "immich-memories-music"
_LINE = re.compile(r"^\s+(\S+)\.opus\s+(\d+) bpm\s+([A-G][b#]?) (major|minor)", re.MULTILINE)
_SHARP_OF = {"Bb": "A#", "Eb": "D#", "Ab": "G#", "Db": "C#", "Gb": "F#"}


@dataclass(frozen=True)
class DemoTrack:
    """One demo track; mood and style are the first two words of its name."""

    path: Path
    mood: str
    style: str
    tempo_bpm: float
    tonic: str
    mode: str


@cache
def demo_tracks() -> list[DemoTrack]:
    """All 28, sorted by name; raises PackageNotFoundError where the package is missing."""
    listed = files(_PACKAGE) or []
    by_name = {entry.name: Path(str(entry.locate())) for entry in listed}
    licence = next(path for name, path in by_name.items() if name.startswith("LICENSE-MUSIC"))
    tracks = []
    for name, bpm, tonic, mode in _LINE.findall(licence.read_text(encoding="utf-8")):
        mood, style = name.split("_")[:2]
        tracks.append(
            DemoTrack(
                path=by_name[f"{name}.opus"],
                mood=mood,
                style=style,
                tempo_bpm=float(bpm),
                tonic=_SHARP_OF.get(tonic, tonic),
                mode=mode,
            )
        )
    return sorted(tracks, key=lambda track: track.path.name)
