"""From a sound file to its stems in a folder: in bounded memory, stoppable and resumable.

While it works, the folder holds a hidden folder for :mod:`analysis.neural.separation.segments`. At
the end the segments are joined to one file per stem, and the hidden folder goes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import soundfile

from analysis.neural.separation import engines
from analysis.neural.separation.engine import Engine
from analysis.neural.separation.segments import (
    Blocks,
    Cancelled,
    Progress,
    Segments,
    make_segments,
)
from analysis.neural.separation.spectra import SAMPLE_RATE

__all__ = ["FORMATS", "Cancelled", "Separation", "separate"]

FORMATS = ("flac", "wav")
_WORK_FOLDER = ".separating"


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
    made = make_segments(
        source,
        work,
        engine=separator,
        sample_rate=sample_rate,
        progress=(lambda share: progress(0.98 * share)) if progress else None,
        cancelled=cancelled,
    )
    name = title or (Path(source).stem if isinstance(source, str | os.PathLike) else "mix")
    files = _join(made, separator.name, folder, name, file_format)
    shutil.rmtree(work)
    if progress:
        progress(1.0)
    return Separation(separator.name, separator.identity, files, made.n_samples / SAMPLE_RATE)


def _join(
    made: Segments, engine: str, folder: Path, title: str, file_format: str
) -> dict[str, Path]:
    if file_format == "flac" and made.peak() >= 1.0:
        file_format = "wav"
    files = {}
    for index, stem in enumerate(made.stems):
        path = folder / f"{_file_name(title)} ({stem}) [{engine}].{file_format}"
        unfinished = path.with_name(f"{_WORK_FOLDER}-{index}.{file_format}")
        with soundfile.SoundFile(
            unfinished,
            "w",
            SAMPLE_RATE,
            2,
            subtype="PCM_24" if file_format == "flac" else "FLOAT",
        ) as file:
            for block in made.blocks(stem):
                file.write(block)
        unfinished.replace(path)
        files[stem] = path
    return files


def _file_name(title: str) -> str:
    """A title as every file system takes it."""
    kept = "".join(" " if char in '\\/:*?"<>|' or ord(char) < 32 else char for char in title)
    return " ".join(kept.split()).strip(". ")[:150] or "mix"
