"""Does a damaged copy find its original first among a thousand other recordings?"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.neural.ears import Ears
from analysis.sound.decode import UndecodableAudio
from analysis.sound.mel import log_mel
from analysis.sound.mono import mono_of_file
from analysis.training.damage import FOR_RETRIEVAL, Damage, unchanged
from analysis.training.sound_files import read_excerpt

log = logging.getLogger(__name__)

Float = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]

EXCERPT_S = 30.0
_ORIGINAL, _TAGGED = "original", ".tagged"
_CACHE_VERSION = 2
# Two pictures of equal length that agree like this show one recording: it is kept once.
_SAME_RECORDING = 0.995


@dataclass(frozen=True)
class Recording:
    """A recording: its sound file, or only a picture of it; ``source`` says where it is from.

    Copies of it are looked for unless ``is_query`` says no, or there is no sound to damage.
    """

    name: str
    source: str
    path: Path | None = None
    picture: UInt8 | None = None
    is_query: bool = True


@dataclass(frozen=True)
class Drawn:
    """A sound as the ears take it: its mel picture (128, T), and what their tagger heard in its
    windows, (n, 200), if they have one."""

    picture: UInt8
    tagged: Float | None = None


@dataclass(frozen=True)
class Found:
    """Share of queries whose original came first, or among the first ten; and the median cosine of
    a query to its original and to the nearest other recording."""

    title: str
    queries: int
    hit_at_1: float
    hit_at_10: float
    cosine_to_original: float
    cosine_to_nearest_other: float
    hit_at_1_by_source: dict[str, float]


@dataclass(frozen=True)
class RetrievalFigures:
    """Queries of every damage against one gallery. ``gallery_by_source`` counts recordings,
    ``excerpt_s`` is what was taken from the middle of each sound file. ``without_sound`` recordings
    were left out: ears that hear sound cannot place pictures beside it."""

    gallery: int
    gallery_by_source: dict[str, int]
    queries_by_source: dict[str, int]
    excerpt_s: float
    damages: dict[str, Found]
    without_sound: int = 0


class Pictures:
    """Recordings and their damaged copies as the ears take them, kept on disk between runs.

    ``tag`` is :meth:`analysis.neural.ears.Ears.tag`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        excerpt_s: float = EXCERPT_S,
        tag: Callable[[Float], Float | None] | None = None,
    ) -> None:
        self._folder = folder
        self.excerpt_s = excerpt_s
        self._tag = tag or (lambda _mono: None)
        folder.mkdir(parents=True, exist_ok=True)

    def of(self, recording: Recording, damages: Sequence[Damage]) -> dict[str, Drawn]:
        """The original by the name "original", and each damaged copy by its damage's name.

        The original of a sound file is its excerpt as a float file. Raises ValueError for a
        recording without sound if damages are wanted.
        """
        if recording.path is None:
            if damages or recording.picture is None:
                raise ValueError(f"{recording.name} has no sound file")
            return {_ORIGINAL: Drawn(recording.picture)}
        cached = self._folder / f"{self._key(recording.path)}.npz"
        kept: dict[str, npt.NDArray[Any]] = {}
        if cached.exists():
            with np.load(cached) as archive:
                kept = dict(archive)
        wanted = (Damage(_ORIGINAL, _ORIGINAL, unchanged), *damages)
        missing = [damage for damage in wanted if damage.name not in kept]
        if missing:
            sound, rate = read_excerpt(recording.path, seconds=self.excerpt_s)
            seed = int(self._key(recording.path)[:8], 16)
            for damage in missing:
                stem = self._folder / f"{self._key(recording.path)}-{damage.name}"
                written = damage.write(sound, rate, stem=stem, seed=seed)
                mono = mono_of_file(written)
                written.unlink()
                kept[damage.name] = log_mel(mono)
                tagged = self._tag(mono)
                if tagged is not None:
                    kept[f"{damage.name}{_TAGGED}"] = tagged
            fresh = cached.with_suffix(".new.npz")
            np.savez(fresh, **kept)  # type: ignore[arg-type]  # names are free
            fresh.replace(cached)
        return {
            damage.name: Drawn(kept[damage.name], kept.get(f"{damage.name}{_TAGGED}"))
            for damage in wanted
        }

    def _key(self, path: Path) -> str:
        told = f"{_CACHE_VERSION} {self.excerpt_s} {path.resolve()} {path.stat().st_size}"
        return hashlib.sha256(told.encode()).hexdigest()[:24]


def distinct(recordings: Sequence[Recording], pictures: Sequence[UInt8]) -> list[int]:
    """Rows of recordings that differ from all before them: a second copy of one would be found in
    the first one's place and counted as an error."""
    kept: list[int] = []
    thumbnails = np.stack([_thumbnail(picture) for picture in pictures])
    for row, recording in enumerate(recordings):
        agreement = thumbnails[kept] @ thumbnails[row]
        twin = next(
            (
                kept[k]
                for k in np.flatnonzero(agreement > _SAME_RECORDING)
                if _agree(pictures[kept[k]], pictures[row])
            ),
            None,
        )
        if twin is None:
            kept.append(row)
        else:
            log.info("%s is the recording %s", recording.name, recordings[twin].name)
    return kept


def _thumbnail(picture: UInt8) -> Float:
    """Standardised mean over time of each band (128,): quick to compare."""
    mean = picture.astype(np.float32).mean(axis=1)
    mean -= mean.mean()
    return mean / (np.linalg.norm(mean) + 1e-6)


def _agree(one: UInt8, other: UInt8) -> bool:
    if one.shape != other.shape:
        return False
    return bool(np.corrcoef(one.ravel(), other.ravel())[0, 1] > _SAME_RECORDING)


def retrieval(
    ears: Ears,
    recordings: Sequence[Recording],
    *,
    pictures: Pictures,
    damages: Sequence[Damage] = FOR_RETRIEVAL,
) -> RetrievalFigures:
    """Look for damaged copies of all recordings with sound in a gallery of all recordings.

    Ears that hear with a tagger place sound elsewhere than pictures: recordings of which there is
    no sound are then left out.
    """
    told = len(recordings)
    if ears.network.companion is not None:
        recordings = [one for one in recordings if one.path is not None]
    usable, drawn = [], []
    for index, one in enumerate(recordings):
        try:
            drawn.append(pictures.of(one, damages if one.path and one.is_query else ()))
            usable.append(one)
        except UndecodableAudio as error:
            log.info("%s is left out: %s", one.name, error)
        if index % 50 == 49:
            log.info("%d of %d recordings drawn", index + 1, len(recordings))
    kept = distinct(usable, [each[_ORIGINAL].picture for each in drawn])
    chosen = [usable[row] for row in kept]
    drawn = [drawn[row] for row in kept]

    def place(one: Drawn) -> Float:
        return ears.predict(one.picture, tagged=one.tagged).embedding

    gallery = np.stack([place(each[_ORIGINAL]) for each in drawn])
    log.info("gallery of %d recordings heard", len(gallery))
    rows = [row for row, one in enumerate(chosen) if one.path is not None and one.is_query]
    sources = [chosen[row].source for row in rows]
    found = {}
    for damage in damages:
        queries = np.stack([place(drawn[row][damage.name]) for row in rows])
        found[damage.name] = look_for(damage.title, queries, gallery, np.array(rows), sources)
        log.info("%s: hit@1 %.3f", damage.name, found[damage.name].hit_at_1)
    return RetrievalFigures(
        gallery=len(chosen),
        gallery_by_source=_count([one.source for one in chosen]),
        queries_by_source=_count(sources),
        excerpt_s=pictures.excerpt_s,
        damages=found,
        without_sound=told - len(recordings),
    )


def look_for(
    title: str,
    queries: Float,
    gallery: Float,
    originals: npt.NDArray[np.int64],
    sources: Sequence[str],
) -> Found:
    """Figures of queries (q, d) whose originals are the rows ``originals`` (q,) of the gallery.

    Vectors have length 1. A tie with another recording counts as not found.
    """
    cosine = queries @ gallery.T
    own = cosine[np.arange(len(queries)), originals]
    cosine[np.arange(len(queries)), originals] = -np.inf
    rank = (cosine >= own[:, None]).sum(axis=1)
    first = rank == 0
    origin = np.array(sources)
    return Found(
        title=title,
        queries=len(queries),
        hit_at_1=float(first.mean()),
        hit_at_10=float((rank < 10).mean()),
        cosine_to_original=float(np.median(own)),
        cosine_to_nearest_other=float(np.median(cosine.max(axis=1))),
        hit_at_1_by_source={
            str(name): float(first[origin == name].mean()) for name in np.unique(origin)
        },
    )


def _count(names: Sequence[str]) -> dict[str, int]:
    return {name: list(names).count(name) for name in sorted(set(names))}
