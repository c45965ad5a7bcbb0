"""From a sound file to its stems in a folder: in bounded memory, stoppable and resumable.

While it works, the folder holds a hidden folder with the decoded mix and one file per segment
that is done. A run that was broken off goes on after its last segment, if mix and engine are the
same. At the end the segments are joined to one file per stem, and the hidden folder goes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from analysis.neural.separation import engines, spool
from analysis.neural.separation.engine import Engine
from analysis.neural.separation.spectra import SAMPLE_RATE

FORMATS = ("flac", "wav")
_WORK_FOLDER = ".separating"
Progress = Callable[[float], None]
Blocks = Iterable[npt.NDArray[np.float32]]


class Cancelled(Exception):
    """The separation was stopped on request; what is done is kept for the next run."""


@dataclass(frozen=True)
class Separation:
    """Files of the stems by name, all ``duration_s`` long, and the engine that made them."""

    engine: str
    identity: str
    files: dict[str, Path]
    duration_s: float
    sample_rate: int = SAMPLE_RATE


def separate(
    source: str | os.PathLike[str] | Blocks,
    folder: Path,
    *,
    engine: str | Engine = engines.AUTO,
    title: str | None = None,
    file_format: str = "flac",
    sample_rate: int | None = None,
    device: str | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Separation:
    """Separate a sound and write its stems to ``folder`` as ``TITLE (STEM) [ENGINE].flac``.

    Parameters
    ----------
    source : a file, or blocks of shape (1 or 2, n) at ``sample_rate``
    engine : a name of :data:`engines.BY_QUALITY`, ``auto``, or a loaded engine
    file_format : ``flac`` (24 bit) or ``wav`` (32-bit float). Where a stem goes over full scale,
        FLAC would clip it: all stems become WAV then
    progress : is told the share that is done, 0 to 1
    cancelled : is asked before every segment

    The stems are 44.1 kHz stereo and add up to the mix (at that rate).

    Raises
    ------
    UndecodableAudio, EngineUnavailable, Cancelled, ValueError, OSError
    """
    if file_format not in FORMATS:
        raise ValueError(f"no format is called {file_format}; there are {', '.join(FORMATS)}")
    separator = engines.load(engine, device=device) if isinstance(engine, str) else engine
    work = folder / _WORK_FOLDER
    work.mkdir(parents=True, exist_ok=True)
    mix = work / "mix.f32"
    _fill(source, sample_rate, mix)
    _forget_others(work, mix, separator)
    sound = spool.Spool(mix)
    try:
        parts = _separate_segments(sound, separator, work, progress, cancelled)
        n_samples = sound.n_samples
    finally:
        sound.close()
    name = title or (Path(source).stem if isinstance(source, str | os.PathLike) else "mix")
    files = _join(parts, separator, n_samples, folder, name, file_format)
    shutil.rmtree(work)
    if progress:
        progress(1.0)
    return Separation(separator.name, separator.identity, files, n_samples / SAMPLE_RATE)


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
            progress(0.98 * (number + 1) / count)
    return parts


def _join(
    parts: list[Path], engine: Engine, n_samples: int, folder: Path, title: str, file_format: str
) -> dict[str, Path]:
    loudest = max(float(np.abs(np.load(part, mmap_mode="r")).max()) for part in parts)
    if file_format == "flac" and loudest >= 1.0:
        file_format = "wav"
    files = {}
    for index, stem in enumerate(engine.stems):
        path = folder / f"{_file_name(title)} ({stem}) [{engine.name}].{file_format}"
        unfinished = path.with_name(f"{_WORK_FOLDER}-{index}.{file_format}")
        with soundfile.SoundFile(
            unfinished,
            "w",
            SAMPLE_RATE,
            2,
            subtype="PCM_24" if file_format == "flac" else "FLOAT",
        ) as file:
            for number, part in enumerate(parts):
                left = n_samples - number * engine.segment_samples
                file.write(np.load(part, mmap_mode="r")[index, :, :left].T)
        unfinished.replace(path)
        files[stem] = path
    return files


def _file_name(title: str) -> str:
    """A title as every file system takes it."""
    kept = "".join(" " if char in '\\/:*?"<>|' or ord(char) < 32 else char for char in title)
    return " ".join(kept.split()).strip(". ")[:150] or "mix"
