"""The long part of a separation: a sound's segments, one file each, in bounded memory.

The working folder holds the decoded mix and a file per segment that is done. A run that was broken
off, however that happened, goes on after its last segment, if mix and engine are the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.neural.separation import spool
from analysis.neural.separation.engine import Engine
from analysis.neural.separation.spectra import SAMPLE_RATE

Progress = Callable[[float], None]
Blocks = Iterable[npt.NDArray[np.float32]]
SAMPLE_BYTES = 2 * 4


class Cancelled(Exception):
    """The separation was stopped on request; what is done is kept for the next run."""


@dataclass(frozen=True)
class Segments:
    """Every segment of a sound: files of shape (stems, 2, segment_samples), float32.

    ``n_samples`` is the sound's length at 44.1 kHz; the last segment is padded beyond it.
    """

    stems: tuple[str, ...]
    parts: list[Path]
    segment_samples: int
    n_samples: int

    def blocks(self, stem: str) -> Iterator[npt.NDArray[np.float32]]:
        """A stem from its beginning to its end, in blocks (n, 2) of one segment each."""
        index = self.stems.index(stem)
        for number, part in enumerate(self.parts):
            left = self.n_samples - number * self.segment_samples
            yield np.load(part, mmap_mode="r")[index, :, :left].T

    def peak(self) -> float:
        """The largest amplitude that any stem has anywhere; above 1 it is over full scale."""
        return max(float(np.abs(block).max()) for stem in self.stems for block in self.blocks(stem))


def make_segments(
    source: str | os.PathLike[str] | Blocks,
    work: Path,
    *,
    engine: Engine,
    sample_rate: int | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Segments:
    """Separate a sound segment by segment into the folder ``work``, which stays.

    Parameters
    ----------
    source : a file, or blocks of shape (1 or 2, n) at ``sample_rate``
    progress : is told the share that is done, 0 to 1, after every segment; what it raises ends
        the run like a crash
    cancelled : is asked before every segment

    Raises
    ------
    UndecodableAudio, Cancelled, ValueError, OSError
    """
    work.mkdir(parents=True, exist_ok=True)
    mix = work / "mix.f32"
    _fill(source, sample_rate, mix)
    _forget_others(work, mix, engine)
    sound = spool.Spool(mix)
    try:
        parts = _separate_segments(sound, engine, work, progress, cancelled)
        n_samples = sound.n_samples
    finally:
        sound.close()
    return Segments(engine.stems, parts, engine.segment_samples, n_samples)


def working_bytes(duration_s: float, n_stems: int) -> int:
    """Room that the working folder needs: the mix and its stems as float."""
    return round(duration_s * SAMPLE_RATE) * SAMPLE_BYTES * (1 + n_stems)


def _fill(source: str | os.PathLike[str] | Blocks, sample_rate: int | None, mix: Path) -> None:
    if isinstance(source, str | os.PathLike):
        spool.fill_from_file(source, mix)
    elif sample_rate is None:
        raise ValueError("blocks need their sample_rate")
    else:
        spool.fill_from_blocks(source, sample_rate, mix)


def _forget_others(work: Path, mix: Path, engine: Engine) -> None:
    """Drop what an earlier run left behind, unless it was on the same mix with the same engine."""
    with mix.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    wanted = json.dumps({"engine": engine.identity, "mix": digest}, sort_keys=True)
    note = work / "run.json"
    if not note.exists() or note.read_text(encoding="utf-8") != wanted:
        for part in work.glob("*.npy"):
            part.unlink()
        note.write_text(wanted, encoding="utf-8")


def _separate_segments(
    sound: spool.Spool,
    engine: Engine,
    work: Path,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> list[Path]:
    separate_segment = engine.begin(sound.read)
    count = -(-sound.n_samples // engine.segment_samples)
    parts = [work / f"{number:05d}.npy" for number in range(count)]
    for number, part in enumerate(parts):
        if cancelled and cancelled():
            raise Cancelled
        if not part.exists():
            unfinished = part.with_suffix(".part")
            with unfinished.open("wb") as file:
                np.save(file, separate_segment(number).numpy())
            unfinished.replace(part)
        if progress:
            progress((number + 1) / count)
    return parts
