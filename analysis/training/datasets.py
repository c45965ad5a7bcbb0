"""Corpora as arrays, split so that no artist stands on both sides."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class MelCorpus:
    """Mel pictures of n tracks with their genre and artist.

    Pictures with fewer than T columns of their own are repeated until they fill the array;
    ``columns`` says how many are their own (None: all). A picture may be put together of pieces of
    ``piece_columns`` from different places of the track (None: it is one piece).
    """

    ids: list[str]
    mel: npt.NDArray[np.uint8]  # (n, 128, T)
    labels: npt.NDArray[np.int64]  # (n,) index into names
    names: list[str]
    artists: list[str]
    columns: npt.NDArray[np.int64] | None = None  # (n,)
    piece_columns: int | None = None
    tempo_bpm: npt.NDArray[np.float64] | None = None  # (n,) as annotated, NaN where it is not
    # What the ears' tagger heard in each track's sound, (windows, 200) each; None for pictures.
    tagged: list[npt.NDArray[np.float32]] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def pictures(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Each track's own columns, (128, T_i)."""
        counts = self.columns if self.columns is not None else [self.mel.shape[2]] * len(self)
        for picture, count in zip(self.mel, counts, strict=True):
            yield picture[:, :count]

    def pieces(self) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
        """Row and picture (128, T_i) of each stretch of music without a break."""
        for row, picture in enumerate(self.pictures()):
            own = picture.shape[1]
            length = self.piece_columns or own
            for start in range(0, own, length):
                yield row, picture[:, start : start + length]

    def digest(self) -> str:
        """Checksum of all that training takes from the corpus."""
        shape = (self.mel.shape, self.piece_columns)
        sha = hashlib.sha256(repr((self.ids, self.names, shape)).encode())
        for array in (self.mel, self.labels, self.columns):
            if array is not None:
                sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()


def holds_pictures(folder: Path) -> bool:
    """Whether a folder is meant to be a corpus of mel pictures, be it incomplete."""
    return any((folder / name).exists() for name in ("train.npz", "valid.npz", "tracks.csv"))


def load_gtzan(folder: Path, split: str) -> MelCorpus:
    """One split ("train" or "valid") of GTZAN as mel pictures.

    ``folder`` holds ``train.npz``, ``valid.npz`` (``ids``, ``mel``) and ``tracks.csv`` (id, split,
    genre, artist, ...), in the fault-filtered, artist-filtered split of Kereliuk, Sturm and Larsen
    2015. Raises FileNotFoundError, or ValueError if a track is not in the table.
    """
    with np.load(folder / f"{split}.npz") as archive:
        ids = [str(value) for value in archive["ids"]]
        mel = archive["mel"]
    with (folder / "tracks.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    missing = [track for track in ids if track not in rows]
    if missing:
        raise ValueError(f"{len(missing)} tracks are not in tracks.csv, first: {missing[0]}")
    names = sorted({row["genre"] for row in rows.values()})
    labels = np.array([names.index(rows[track]["genre"]) for track in ids], dtype=np.int64)
    # A track without a known artist counts as an artist of its own.
    artists = [rows[track]["artist"] or track for track in ids]
    tempo = np.array([float(rows[track].get("tempo_bpm") or "nan") for track in ids])
    return MelCorpus(ids=ids, mel=mel, labels=labels, names=names, artists=artists, tempo_bpm=tempo)


def check_artists_apart(one: MelCorpus, other: MelCorpus) -> None:
    """Raise ValueError if an artist stands in both corpora."""
    both = set(one.artists) & set(other.artists)
    if both:
        raise ValueError(f"{len(both)} artists stand in both splits, for example {min(both)!r}")
