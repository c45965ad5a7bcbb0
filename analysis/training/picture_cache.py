"""Mel pictures of sound files, drawn once and kept, so that a killed run need not draw again."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.neural.companion import WindowTagger
from analysis.sound.decode import UndecodableAudio
from analysis.sound.mel import HOP_LENGTH, log_mel
from analysis.sound.mono import mono_of_file

log = logging.getLogger(__name__)

EXCERPT_COLUMNS = 387  # 30 s
_EXCERPT_SAMPLES = EXCERPT_COLUMNS * HOP_LENGTH - 1
_VERSION = 1
_PASSING = frozenset({"not_found"})  # reasons that may be gone tomorrow


@dataclass(frozen=True)
class Drawn:
    """Pictures (k, 128, T) uint8 of a file's excerpts, or why there are none.

    T is 387 (30 s) where the file is that long, else k is 1. ``tagged`` (n, 200) is what the
    tagger heard in the excerpts' windows, if there is one.
    """

    pictures: npt.NDArray[np.uint8] | None
    refusal: str = ""
    tagged: npt.NDArray[np.float32] | None = None


class PictureCache:
    """Pictures of up to ``excerpts`` 30 s excerpts per file, kept in ``folder``.

    Excerpts lie evenly over the file, each drawn by the mel contract on its own. A file that has
    changed since (size or time) is drawn again.
    """

    def __init__(
        self, folder: Path, *, excerpts: int = 3, tagger: WindowTagger | None = None
    ) -> None:
        if excerpts < 1:
            raise ValueError(f"at least one excerpt per file is needed, got {excerpts}")
        self._folder = folder
        self._excerpts = excerpts
        self._tagger = tagger

    def draw_all(self, paths: Sequence[Path]) -> Iterator[Drawn]:
        """Pictures of each file in turn; several are decoded at a time."""
        workers = max(1, min(8, os.cpu_count() or 1))
        with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
            for number, drawn in enumerate(pool.map(self.draw, paths), start=1):
                if number % 100 == 0 or number == len(paths):
                    log.info("%d of %d files read", number, len(paths))
                yield drawn

    def draw(self, path: Path) -> Drawn:
        """Pictures of one file; what is wrong with it is answered, not raised."""
        try:
            status = path.stat()
        except OSError as error:
            return Drawn(None, error.strerror or "cannot be read")
        identity = (os.fsencode(path.resolve()), status.st_size, status.st_mtime_ns)
        name = hashlib.sha256(repr((identity, self._excerpts, _VERSION)).encode()).hexdigest()[:32]
        pictures, refusal = self._folder / f"{name}.npy", self._folder / f"{name}.txt"
        tags = self._folder / f"{name}.tagged.npy"
        if pictures.exists() and (self._tagger is None or tags.exists()):
            heard = None if self._tagger is None else np.load(tags)
            return Drawn(np.load(pictures), tagged=heard)
        if refusal.exists():
            return Drawn(None, refusal.read_text(encoding="utf-8"))
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            mono = mono_of_file(path)
        except UndecodableAudio as error:
            if error.code not in _PASSING:
                _put(refusal, error.message.encode())
            return Drawn(None, error.message)
        pieces = excerpts(mono, most=self._excerpts)
        tagged = None
        if self._tagger is not None:
            tagged = np.concatenate([self._tagger.hear(piece) for piece in pieces])
            _save(tags, tagged)
        drawn = np.stack([log_mel(piece) for piece in pieces])
        _save(pictures, drawn)
        return Drawn(drawn, tagged=tagged)


def excerpts(mono: npt.NDArray[np.float32], *, most: int) -> list[npt.NDArray[np.float32]]:
    """Up to ``most`` pieces of 30 s of a 22,050 Hz signal (n,), evenly spread and not overlapping.

    A signal shorter than 30 s is one piece.
    """
    count = min(most, mono.size // _EXCERPT_SAMPLES)
    if count == 0:
        return [mono]
    centres = (np.arange(count) + 0.5) / count * mono.size
    starts = (centres - _EXCERPT_SAMPLES / 2).astype(int)
    return [mono[start : start + _EXCERPT_SAMPLES] for start in starts]


def _save(path: Path, values: npt.NDArray[Any]) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}.new.npy")
    np.save(unfinished, values)
    unfinished.replace(path)


def _put(path: Path, content: bytes) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}.new")
    unfinished.write_bytes(content)
    unfinished.replace(path)
