"""Does the genre survive what happens to files? Each damage beside the undamaged sound."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from analysis.sound.mono import mono_of_file
from analysis.training.damage import FOR_GENRE, Damage
from analysis.training.held_out import Answers, HeldOut


@dataclass(frozen=True)
class DamageFigures:
    """After one damage: accuracy; and, against the undamaged answer, the share of tracks with the
    same label, the mean total variation of the probabilities (0 the same, 1 nothing in common) and
    the mean cosine of the embeddings."""

    title: str
    accuracy: float
    same_label: float
    total_variation: float
    embedding_cosine: float


@dataclass(frozen=True)
class RobustnessFigures:
    """Accuracy on the undamaged files of ``tracks`` held-out tracks, and what each damage does."""

    tracks: int
    undamaged_accuracy: float
    damages: dict[str, DamageFigures]


def robustness(
    tracks: HeldOut, files: dict[str, Path], *, damages: Sequence[Damage] = FOR_GENRE
) -> RobustnessFigures:
    """Damage the sound files of held-out tracks (by id) and hear them again, through files."""
    heard = tracks.only(sorted(files))
    paths = [files[track] for track in heard.corpus.ids]
    clean = heard.answers_to_sound([mono_of_file(path) for path in paths])
    figures = {}
    with tempfile.TemporaryDirectory(prefix="svp-damage-") as folder:
        for damage in damages:
            sounds = []
            for index, path in enumerate(paths):
                sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
                damaged = damage.write(sound.T, rate, stem=Path(folder) / "sound", seed=index)
                sounds.append(mono_of_file(damaged))
                damaged.unlink()
            figures[damage.name] = _compare(damage, clean, heard.answers_to_sound(sounds), heard)
    return RobustnessFigures(
        tracks=len(heard),
        undamaged_accuracy=_accuracy(clean, heard),
        damages=figures,
    )


def _accuracy(answers: Answers, tracks: HeldOut) -> float:
    return float((answers.probabilities.argmax(axis=1) == tracks.corpus.labels).mean())


def _compare(damage: Damage, clean: Answers, after: Answers, tracks: HeldOut) -> DamageFigures:
    same = clean.probabilities.argmax(axis=1) == after.probabilities.argmax(axis=1)
    moved = 0.5 * np.abs(clean.probabilities - after.probabilities).sum(axis=1)
    return DamageFigures(
        title=damage.title,
        accuracy=_accuracy(after, tracks),
        same_label=float(same.mean()),
        total_variation=float(moved.mean()),
        embedding_cosine=float((clean.embeddings * after.embeddings).sum(axis=1).mean()),
    )
