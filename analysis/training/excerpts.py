"""Excerpts of real music: what is measured on them at full quality, and their mel pictures.

The perceptual features' head learns from these pairs. Measuring is by far the slowest part, so it
is kept file by file: a run that was killed goes on where it stopped, and a new trunk needs no
measuring at all.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.sound.decode import AudioInfo, UndecodableAudio, stream
from analysis.sound.features import DESCRIPTORS, descriptors
from analysis.sound.fold import Fold
from analysis.sound.frames import frames
from analysis.sound.key import key
from analysis.sound.measure import MonoCollector
from analysis.sound.mel import log_mel
from analysis.sound.rhythm import rhythm
from analysis.sound.spectrum import SpectrumMeter

log = logging.getLogger(__name__)

LENGTH_S = 30
SHORTEST_S = 12
SUFFIXES = frozenset({".aif", ".aiff", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav"})
_MOST_PER_FILE = 8
_SPACING_S = 45
_CACHE_VERSION = 1
_SILENT_POWER = 1e-9


@dataclass(frozen=True)
class Excerpt:
    """One excerpt of up to 30 s.

    ``group`` is its artist, or the folder it came from where no artist is known: whatever is held
    out is held out by group. ``descriptors`` are those of :mod:`analysis.sound.features`; ``mel``
    is a picture (128, T) uint8.
    """

    source: str
    group: str
    start_s: int
    descriptors: dict[str, float]
    mel: npt.NDArray[np.uint8]


def plan(folder: Path, *, most: int) -> list[tuple[Path, int]]:
    """Files of a folder with how many excerpts to take of each, at most ``most`` in all.

    Many files give one excerpt each of evenly chosen ones; few files give up to eight each.
    """
    found = sorted(
        Path(base) / name
        for base, _, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower() in SUFFIXES
    )
    if not found:
        return []
    if len(found) > most:
        found = [found[round(at)] for at in np.linspace(0, len(found) - 1, most)]
    return [(path, min(_MOST_PER_FILE, most // len(found))) for path in found]


def collect(
    folders: Sequence[Path],
    *,
    run_dir: Path,
    artists: Mapping[str, str] | None = None,
    most_per_folder: int = 100,
) -> list[Excerpt]:
    """Measured excerpts of the music in some folders; what ``run_dir`` already has is not redone.

    ``artists`` names the artist of a file by its stem; others are grouped by folder. Files that
    cannot be decoded are left out and logged. Raises ValueError if nothing was found.
    """
    cache = run_dir / "excerpts"
    cache.mkdir(parents=True, exist_ok=True)
    known = artists or {}
    excerpts: list[Excerpt] = []
    for folder in folders:
        for path, count in plan(folder, most=most_per_folder):
            group = known.get(path.stem, str(folder))
            excerpts += _of_file(path, count, group=group, cache=cache)
        log.info("%d excerpts after %s", len(excerpts), folder)
    if not excerpts:
        raise ValueError(f"no music in {', '.join(map(str, folders)) or 'no folder'}")
    return excerpts


def _of_file(path: Path, count: int, *, group: str, cache: Path) -> list[Excerpt]:
    status = path.stat()
    name = f"{path.resolve()}|{status.st_size}|{count}|{sorted(DESCRIPTORS)}|{_CACHE_VERSION}"
    kept = cache / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.npz"
    measured = _read(kept)
    if measured is None:
        try:
            measured = list(measure_excerpts(path, count))
        except UndecodableAudio as error:
            log.warning("%s is left out: %s", path, error.message)
            measured = []
        _write(kept, measured)
    return [
        Excerpt(source=str(path), group=group, start_s=start, descriptors=values, mel=mel)
        for start, values, mel in measured
    ]


Measured = tuple[int, dict[str, float], npt.NDArray[np.uint8]]


def measure_excerpts(path: Path, count: int) -> Iterator[Measured]:
    """(start in s, descriptors, mel picture) of up to ``count`` excerpts, from one decode.

    They are spread evenly over the file; silent ones are left out.
    """
    with stream(path, block_s=1.0, max_duration_s=4 * 3600.0) as blocks:
        starts = _starts(blocks.info.duration_s, count)
        listeners: dict[int, _Listener] = {}
        for second, block in enumerate(blocks):
            for start in starts:
                if start <= second < start + LENGTH_S:
                    listener = listeners.setdefault(start, _Listener(blocks.info))
                    listener.add(block)
            if second >= starts[-1] + LENGTH_S:
                break
    for start, listener in listeners.items():
        if listener.seconds >= SHORTEST_S:
            found = listener.result()
            if found is not None:
                yield start, *found


def _starts(duration_s: float, count: int) -> list[int]:
    """Whole seconds at which the excerpts of a file of this length begin."""
    room = max(0, int(duration_s) - LENGTH_S)
    count = max(1, min(count, 1 + room // _SPACING_S))
    # The first one avoids the introduction, the last one the fade at the end.
    places = (np.arange(count) + 0.5) / count
    return sorted({int(room * place) for place in places})


class _Listener:
    """The part of the listening stage's meters that the features need."""

    def __init__(self, info: AudioInfo) -> None:
        self.seconds = 0
        self._fold = Fold(info.channel_layout)
        self._spectrum = SpectrumMeter(sample_rate=info.sample_rate)
        self._mono = MonoCollector(sample_rate=info.sample_rate, expected_s=LENGTH_S)

    def add(self, block: npt.NDArray[np.float32]) -> None:
        stereo = self._fold.stereo(block)
        self._spectrum.add(stereo)
        self._mono.add(self._fold.mono(stereo))
        self.seconds += 1

    def result(self) -> tuple[dict[str, float], npt.NDArray[np.uint8]] | None:
        mono = self._mono.result()
        if float(np.mean(mono**2)) < _SILENT_POWER:
            return None
        moving = frames(mono)
        values = descriptors(
            moving=moving,
            rhythm=rhythm(moving.onset),
            key=key(mono),
            spectrum=self._spectrum.result(),
        )
        return values, log_mel(mono)


def _read(kept: Path) -> list[Measured] | None:
    try:
        with np.load(kept, allow_pickle=False) as archive:
            rows = json.loads(str(archive["rows"]))
            return [(start, values, archive[f"mel{i}"]) for i, (start, values) in enumerate(rows)]
    except (FileNotFoundError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def _write(kept: Path, measured: list[Measured]) -> None:
    rows = json.dumps([[start, values] for start, values, _ in measured])
    arrays: dict[str, Any] = {f"mel{i}": mel for i, (_, _, mel) in enumerate(measured)}
    unfinished = kept.with_suffix(".new.npz")
    np.savez_compressed(unfinished, rows=np.array(rows), **arrays)
    unfinished.replace(kept)
