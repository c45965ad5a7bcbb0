"""How often tempo and key are right, and how well features tell moods apart."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.sound.key import TONICS
from analysis.training.demo_tracks import DemoTrack

OCTAVES = (1.0, 2.0, 3.0, 1 / 2, 1 / 3)
TOLERANCE = 0.04

# Feature, what divides the demo tracks, the kind that must have more of it, the kind with less.
CONTRASTS = (
    ("energy", "mood", "energetic", "calm"),
    ("acousticness", "style", "acoustic", "electronic"),
    ("valence", "mood", "happy", "nostalgic"),
)


@dataclass(frozen=True)
class TempoFigures:
    """Shares of tracks whose tempo was right within 4 %.

    ``exact`` as annotated (MIREX' accuracy 1); ``with_octaves`` also at two or three times the
    tempo, a half or a third of it (accuracy 2).
    """

    tracks: int
    exact: float
    with_octaves: float


def is_tempo(found: float | None, truth: float) -> bool:
    """Whether a tempo is the true one, within 4 %."""
    return found is not None and abs(found / truth - 1.0) <= TOLERANCE


def tempo_figures(pairs: Iterable[tuple[float | None, float]]) -> TempoFigures:
    """From (found, true) tempi in beats per minute; raises ValueError if there are none."""
    counted = list(pairs)
    if not counted:
        raise ValueError("no annotated tempo to compare with")
    exact = [is_tempo(found, truth) for found, truth in counted]
    octave = [
        any(is_tempo(found, truth * factor) for factor in OCTAVES) for found, truth in counted
    ]
    return TempoFigures(len(counted), float(np.mean(exact)), float(np.mean(octave)))


def mirex_key_score(
    found: tuple[str | None, str | None], truth: tuple[str, str], *, descending_fifths: bool = True
) -> float:
    """1 for the right key, 0.5 a fifth off, 0.3 the relative one, 0.2 the parallel one, else 0.

    Keys are (tonic, mode) as :mod:`analysis.sound.key` names them. Whether a key a fifth below
    counts like one a fifth above is told differently; mir_eval's default is that it does not.
    """
    if found[0] is None:
        return 0.0
    steps = (TONICS.index(found[0]) - TONICS.index(truth[0])) % 12
    if found[1] == truth[1]:
        fifths = (7, 5) if descending_fifths else (7,)
        return 1.0 if steps == 0 else 0.5 if steps in fifths else 0.0
    relative = 9 if truth[1] == "major" else 3
    return {relative: 0.3, 0: 0.2}.get(steps, 0.0)


def area_under_curve(higher: Sequence[float], lower: Sequence[float]) -> float:
    """Probability that one of the first exceeds one of the second; ties count half."""
    first, second = np.array(higher)[:, None], np.array(lower)
    return float((first > second).mean() + 0.5 * (first == second).mean())


def contrasts(
    tracks: Sequence[DemoTrack], features: Sequence[Mapping[str, float]]
) -> dict[str, float]:
    """Area under the curve of each of :data:`CONTRASTS`."""
    found = {}
    for feature, field, more, less in CONTRASTS:
        values = {
            kind: [
                row[feature]
                for track, row in zip(tracks, features, strict=True)
                if getattr(track, field) == kind
            ]
            for kind in (more, less)
        }
        found[feature] = area_under_curve(values[more], values[less])
    return found


def annotated_recordings(data: Path) -> list[tuple[Path, float]]:
    """GTZAN's recordings in ``data`` with their annotated tempo; empty where they are missing."""
    table = data / "gtzan_mel" / "tracks.csv"
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        tempi = {row["id"]: row["tempo_bpm"] for row in csv.DictReader(file)}
    files = sorted((data / "gtzan_audio").glob("*.flac"))
    return [(path, float(tempi[path.stem])) for path in files if tempi.get(path.stem)]
