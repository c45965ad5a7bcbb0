"""Opening a collection to train on, in any of the forms that people have one in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from analysis.neural.companion import WindowTagger
from analysis.training.datasets import MelCorpus, check_artists_apart, holds_pictures, load_gtzan
from analysis.training.labelled_files import UnusableCorpus
from analysis.training.picture_cache import PictureCache
from analysis.training.shipping import Sounds
from analysis.training.sound_corpus import load_sound


@dataclass(frozen=True)
class Collection:
    """Training and validation tracks; ``source`` is for the model card.

    ``sounds`` are the tracks of which a tagger heard the sound: these same ones, where they are
    sound files. ``left_out`` has a line for each file that cannot be used, ``remarks`` what the
    person who trains should know.
    """

    train: MelCorpus
    validation: MelCorpus
    source: str
    is_sound: bool
    sounds: Sounds | None = None
    left_out: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def open_collection(
    data: Path,
    *,
    cache: Path,
    excerpts: int = 3,
    validation_share: float = 0.25,
    seed: int = 7,
    told: Callable[[float], object] | None = None,
    tagger: WindowTagger | None = None,
) -> Collection:
    """The tracks of ``data``, which is one of

    * a folder with ``train.npz``, ``valid.npz`` and ``tracks.csv`` (mel pictures),
    * a folder with one folder of sound files per genre,
    * a CSV table with the columns ``path`` and ``genre``, and perhaps ``artist`` and ``split``.

    Of sound files up to ``excerpts`` pieces of 30 s each are drawn, heard by the ``tagger``, and
    kept in ``cache``; ``told`` gets the share (0..1) of the files read, and what it raises ends the
    reading. Raises :class:`~analysis.training.labelled_files.UnusableCorpus`, in words for whoever
    made the collection.
    """
    if holds_pictures(data):
        return _pictures(data)
    found = load_sound(
        data,
        cache=PictureCache(cache, excerpts=excerpts, tagger=tagger),
        validation_share=validation_share,
        seed=seed,
        told=told,
    )
    both = len(found.train) + len(found.validation)
    return Collection(
        train=found.train,
        validation=found.validation,
        source=f"{both} sound files of {data.name}, up to {excerpts} excerpts of 30 s of each.",
        is_sound=True,
        sounds=None if tagger is None else Sounds(found.train, found.validation),
        left_out=[f"{entry.file.shown}: {entry.reason}" for entry in found.skipped],
        remarks=found.remarks,
    )


def _pictures(data: Path) -> Collection:
    try:
        train, validation = load_gtzan(data, "train"), load_gtzan(data, "valid")
        check_artists_apart(train, validation)
    except (OSError, ValueError, KeyError) as error:
        raise UnusableCorpus(f"{data} cannot be used: {error}") from error
    return Collection(
        train=train,
        validation=validation,
        source="GTZAN as mel pictures, fault-filtered and artist-filtered split.",
        is_sound=False,
    )
