"""What a trunk learns from: pictures, the real sound of the same tracks, a teacher's answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.training.datasets import MelCorpus
from analysis.training.lessons import teach_from_pictures, teach_from_sound
from analysis.training.musicnn import MusiCNN


@dataclass(frozen=True)
class Course:
    """A corpus; more of it from real sound; and what a teacher heard in each picture of both, in
    this order (None without a teacher)."""

    corpus: MelCorpus
    also: list[MelCorpus] = field(default_factory=list)
    taught: list[npt.NDArray[np.float32]] | None = None


def prepare(
    corpus: MelCorpus, *, teacher: MusiCNN, sound: Iterable[Path] = (), cache: Path
) -> Course:
    """The course on a corpus of pictures whose tracks may be there as sound, too.

    ``sound`` are folders with files named ``ID.flac`` after the corpus's tracks; files of other
    tracks are passed over, so that nothing held out is learned. The teacher hears these, and
    imagines the sound of pictures (see :func:`analysis.training.musicnn.imagined_patches`).
    """
    row_of = {track: row for row, track in enumerate(corpus.ids)}
    rows: list[int] = []
    pictures: list[npt.NDArray[np.uint8]] = []
    taught = teach_from_pictures(list(corpus.pictures()), teacher, cache=cache)
    for folder in sound:
        for path in sorted(folder.glob("*.flac")):
            if path.stem in row_of:
                lessons = teach_from_sound([path], teacher, cache=cache)
                rows += [row_of[path.stem]] * len(lessons)
                pictures += lessons.pictures
                taught += lessons.heard
    return Course(corpus, [_as_corpus(corpus, rows, pictures)] if rows else [], taught)


def _as_corpus(
    corpus: MelCorpus, rows: list[int], pictures: list[npt.NDArray[np.uint8]]
) -> MelCorpus:
    longest = max(picture.shape[1] for picture in pictures)
    return MelCorpus(
        ids=[corpus.ids[row] for row in rows],
        mel=np.stack(
            [np.tile(one, (1, -(-longest // one.shape[1])))[:, :longest] for one in pictures]
        ),
        labels=corpus.labels[rows],
        names=corpus.names,
        artists=[corpus.artists[row] for row in rows],
        columns=np.array([picture.shape[1] for picture in pictures]),
    )
