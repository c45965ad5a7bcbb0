"""From labelled sound files to corpora of mel pictures, divided by artist."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.training.artist_tags import artist_of
from analysis.training.datasets import MelCorpus
from analysis.training.labelled_files import (
    LabelledFile,
    UnusableCorpus,
    from_folder,
    genre_names,
)
from analysis.training.labelled_table import from_table
from analysis.training.picture_cache import EXCERPT_COLUMNS, PictureCache
from analysis.training.splitting import split_by_artist

FEWEST_TRACKS = 4  # of a genre


@dataclass(frozen=True)
class Skipped:
    """A file that is left out, and why."""

    file: LabelledFile
    reason: str


@dataclass(frozen=True)
class Track:
    """A file with its pictures (k, 128, T) uint8 and what a tagger heard, see
    :class:`~analysis.training.picture_cache.Drawn`."""

    file: LabelledFile
    pictures: npt.NDArray[np.uint8]
    tagged: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class SoundCorpora:
    """Two sides of a collection; ``remarks`` are what the person who trains should know."""

    train: MelCorpus
    validation: MelCorpus
    skipped: list[Skipped]
    remarks: list[str]


def labelled_files(data: Path) -> list[LabelledFile]:
    """The files of a folder with a folder per genre, or of a CSV table; artists by tags where the
    table names none.

    Raises :class:`~analysis.training.labelled_files.UnusableCorpus`.
    """
    if data.is_dir():
        # Tags know better than a folder, which may be an album.
        return [
            replace(file, artist=artist_of(file.path) or file.artist) for file in from_folder(data)
        ]
    if not data.exists():
        raise UnusableCorpus(f"there is no {data}")
    return [
        file if file.artist else replace(file, artist=artist_of(file.path))
        for file in from_table(data)
    ]


def read_tracks(
    files: Sequence[LabelledFile],
    *,
    cache: PictureCache,
    told: Callable[[float], object] | None = None,
) -> tuple[list[Track], list[Skipped]]:
    """Decode all files; those that cannot be used, and copies of others, are skipped. ``told`` gets
    the share (0..1) of them that is read.

    Raises :class:`~analysis.training.labelled_files.UnusableCorpus` if more than half of them
    cannot be decoded.
    """
    tracks: list[Track] = []
    skipped: list[Skipped] = []
    seen: dict[bytes, LabelledFile] = {}
    bad = 0
    pictures = cache.draw_all([file.path for file in files])
    for number, (file, drawn) in enumerate(zip(files, pictures, strict=True), start=1):
        if told is not None:
            told(number / len(files))
        if drawn.pictures is None:
            bad += 1
            skipped.append(Skipped(file, drawn.refusal))
            continue
        first = seen.setdefault(hashlib.sha256(drawn.pictures.data).digest(), file)
        if first is not file:
            skipped.append(Skipped(file, f"The same sound as {first.shown}."))
            continue
        tracks.append(Track(file, drawn.pictures, drawn.tagged))
    if bad * 2 > len(files):
        raise UnusableCorpus(
            f"{bad} of {len(files)} files cannot be read, first {skipped[0].file.shown}: "
            f"{skipped[0].reason}"
        )
    return tracks, skipped


def load_sound(
    data: Path,
    *,
    cache: PictureCache,
    validation_share: float = 0.25,
    seed: int = 7,
    told: Callable[[float], object] | None = None,
) -> SoundCorpora:
    """Training and validation tracks of a folder per genre, or of a CSV table.

    Without a split of its own the collection is divided by artist (seeded, each genre about
    alike). Raises :class:`~analysis.training.labelled_files.UnusableCorpus`.
    """
    files = labelled_files(data)
    names = genre_names(files)
    tracks, skipped = read_tracks(files, cache=cache, told=told)
    _check_enough(names, files, tracks)
    unknown = sum(1 for track in tracks if not track.file.artist)
    remarks = []
    if unknown:
        remarks.append(
            f"The artist of {unknown} of {len(tracks)} tracks is not known, and each counts as an "
            "artist of its own. If one of them has several tracks, they may stand on both sides of "
            "the split, and the figures flatter."
        )
    artists = [_artist(track.file) for track in tracks]
    if tracks[0].file.split:
        held_out = np.array([track.file.split == "valid" for track in tracks])
        _check_split(names, tracks, artists, held_out)
    else:
        held_out = split_by_artist(
            [track.file.genre for track in tracks], artists, share=validation_share, seed=seed
        )
    root = data if data.is_dir() else data.parent

    def side(wanted: bool) -> MelCorpus:
        chosen = [track for track, out in zip(tracks, held_out, strict=True) if out == wanted]
        return _corpus(chosen, names, root)

    return SoundCorpora(side(False), side(True), skipped, remarks)


def _artist(file: LabelledFile) -> str:
    """A key that is the same for all spellings of an artist, and unique where none is known."""
    return " ".join(file.artist.casefold().split()) or f"file {file.shown}"


def _check_enough(names: list[str], files: Sequence[LabelledFile], tracks: Sequence[Track]) -> None:
    had = Counter(file.genre for file in files)
    left = Counter(track.file.genre for track in tracks)
    for name in names:
        if left[name] < FEWEST_TRACKS:
            raise UnusableCorpus(
                f"{name} has {left[name]} usable tracks of {had[name]}: at least {FEWEST_TRACKS} "
                "are needed of each genre, and dozens to learn anything of use"
            )


def _check_split(
    names: list[str],
    tracks: Sequence[Track],
    artists: Sequence[str],
    held_out: npt.NDArray[np.bool_],
) -> None:
    for side, word in ((False, "train"), (True, "valid")):
        there = {t.file.genre for t, out in zip(tracks, held_out, strict=True) if out == side}
        missing = [name for name in names if name not in there]
        if missing:
            raise UnusableCorpus(f"the split {word} has no tracks of {', '.join(missing)}")
    sides = [{a for a, out in zip(artists, held_out, strict=True) if out == s} for s in (0, 1)]
    both = sorted(sides[0] & sides[1])
    if both:
        raise UnusableCorpus(
            f"{len(both)} artists stand in both splits, for example {both[0]!r}: put all of an "
            "artist's tracks on one side, or leave the split out and have it made"
        )


def _corpus(tracks: Sequence[Track], names: list[str], root: Path) -> MelCorpus:
    """A row per track: its excerpts behind one another, repeated up to the longest of them."""
    mel, own = _filled([track.pictures for track in tracks])
    return MelCorpus(
        ids=[_identity(track.file, root) for track in tracks],
        mel=mel,
        labels=np.array([names.index(track.file.genre) for track in tracks], dtype=np.int64),
        names=names,
        artists=[_artist(track.file) for track in tracks],
        columns=own,
        piece_columns=EXCERPT_COLUMNS,
        tagged=_all_tagged([track.tagged for track in tracks]),
    )


def _filled(
    pictures: Sequence[npt.NDArray[np.uint8]],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Pictures (k, 128, T) as one array (n, 128, columns), and how many columns are each one's."""
    own = np.array([each.shape[0] * each.shape[2] for each in pictures], dtype=np.int64)
    mel = np.empty((len(pictures), 128, own.max()), dtype=np.uint8)
    for row, each in zip(mel, pictures, strict=True):
        joined = np.concatenate(each, axis=1)
        row[:] = joined[:, np.arange(row.shape[1]) % joined.shape[1]]
    return mel, own


def _all_tagged(
    tagged: Sequence[npt.NDArray[np.float32] | None],
) -> list[npt.NDArray[np.float32]] | None:
    known = [rows for rows in tagged if rows is not None]
    return known if len(known) == len(tagged) else None


def sound_of_pictures(
    corpus: MelCorpus, folders: Sequence[Path], *, cache: PictureCache
) -> MelCorpus:
    """The sound that there is of tracks known by pictures: files named after the tracks' ids, a
    row each. Raises :class:`~analysis.training.labelled_files.UnusableCorpus` if there is none."""
    row_of = {track: row for row, track in enumerate(corpus.ids)}
    paths = [path for folder in folders for path in sorted(folder.iterdir()) if path.stem in row_of]
    heard = [
        (row_of[path.stem], drawn)
        for path, drawn in zip(paths, cache.draw_all(paths), strict=True)
        if drawn.pictures is not None
    ]
    rows = [row for row, _ in heard]
    if not rows:
        raise UnusableCorpus(
            f"no file in {', '.join(str(folder) for folder in folders)} is named after a track of "
            "the corpus, or none can be read"
        )
    mel, own = _filled([drawn.pictures for _, drawn in heard if drawn.pictures is not None])
    return MelCorpus(
        ids=[corpus.ids[row] for row in rows],
        mel=mel,
        labels=corpus.labels[rows],
        names=corpus.names,
        artists=[corpus.artists[row] for row in rows],
        columns=own,
        piece_columns=EXCERPT_COLUMNS,
        tagged=_all_tagged([drawn.tagged for _, drawn in heard]),
    )


def _identity(file: LabelledFile, root: Path) -> str:
    path = Path(file.shown)
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
