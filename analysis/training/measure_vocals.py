"""How loud voices stand in finished music of each genre: sung files, separated by the starter."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from analysis.mixing.targets import ANY_GENRE
from analysis.neural.separation import engines
from analysis.neural.separation.engine import Engine
from analysis.neural.separation.separate import separate
from analysis.neural.separation.spectra import SAMPLE_RATE
from analysis.sound.stem_evidence import VOICE
from analysis.sound.vocal_balance import VocalBalance, vocal_balance
from analysis.training.labelled_files import SUFFIXES, LabelledFile, UnusableCorpus
from analysis.training.sound_corpus import labelled_files

log = logging.getLogger(__name__)

Mono = npt.NDArray[np.float32]

ENGINE = "starter"
"""One engine for all tracks: the one that every installation has."""

FEWEST_SUNG = 10
TRACKS_WORTH_ALL = 16
"""A genre's own percentiles count as much as those of all genres from so many sung tracks."""

_PERCENTILES = (10.0, 50.0, 90.0)

VOCALS_PROVENANCE = (
    f"K-weighted level of the voice less that of the rest over the sung tenths of a second, stems "
    f"by the engine {ENGINE!r}; percentiles 10, 50, 90 over the tracks in which somebody sings, a "
    f"genre's own weighted n / (n + {TRACKS_WORTH_ALL}) against those of all; genres without a "
    "singer take those of all"
)


def measure_vocals(data: Path, *, cache: Path) -> dict[str, dict[str, Any]]:
    """Range of the vocal balance by genre, and of all together under ``any``.

    Parameters
    ----------
    data : sound files with a genre each, see
        :func:`analysis.training.sound_corpus.labelled_files`; or a folder of files that are named
        after their genre, like ``blues.00000.flac``
    cache : JSON file in which the balances are kept, so that a killed run need not separate again

    Raises :class:`~analysis.training.labelled_files.UnusableCorpus` for a collection in which
    hardly anybody sings.
    """
    ratios: dict[str, list[float]] = {}
    for file, ratio in _balances(_files(data), cache):
        if ratio is not None:
            ratios.setdefault(file.genre, []).append(ratio)
    return vocal_ranges(ratios)


def vocal_ranges(ratios: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Any]]:
    """Percentiles of the balances in LU by genre, drawn towards those of all the more, the fewer
    tracks a genre has."""
    every = [ratio for rows in ratios.values() for ratio in rows]
    if len(every) < FEWEST_SUNG:
        raise UnusableCorpus(
            f"in only {len(every)} files somebody sings; {FEWEST_SUNG} or more are needed to tell "
            "how loud voices usually are"
        )
    common = np.percentile(every, _PERCENTILES)
    ranges = {ANY_GENRE: _range(len(every), common)}
    for genre, rows in ratios.items():
        share = len(rows) / (len(rows) + TRACKS_WORTH_ALL)
        own = np.percentile(rows, _PERCENTILES)
        ranges[genre] = _range(len(rows), share * own + (1.0 - share) * common)
    return ranges


def _range(n_tracks: int, percentiles: Any) -> dict[str, Any]:
    low, middle, high = (round(float(ratio), 2) for ratio in percentiles)
    return {"n_tracks": n_tracks, "p10_lu": low, "median_lu": middle, "p90_lu": high}


def _files(data: Path) -> list[LabelledFile]:
    if data.is_dir() and not any(entry.is_dir() for entry in data.iterdir()):
        named = sorted(path for path in data.iterdir() if path.suffix.lower() in SUFFIXES)
        if named and all(path.stem.partition(".")[2].isdigit() for path in named):
            return [LabelledFile(path, genre=path.stem.partition(".")[0]) for path in named]
    return labelled_files(data)


def _balances(
    files: Sequence[LabelledFile], cache: Path
) -> Iterator[tuple[LabelledFile, float | None]]:
    known: dict[str, float | None] = (
        json.loads(cache.read_text(encoding="utf-8")) if cache.is_file() else {}
    )
    engine: Engine | None = None
    for number, file in enumerate(files, start=1):
        with file.path.open("rb") as content:
            key = hashlib.file_digest(content, "sha256").hexdigest()
        if key not in known:
            engine = engine or engines.load(ENGINE)
            known[key] = _balance(file.path, engine)
            cache.parent.mkdir(parents=True, exist_ok=True)
            cache.write_text(json.dumps(known, indent=1), encoding="utf-8")
        if number % 10 == 0:
            log.info("%d of %d voices measured", number, len(files))
        yield file, known[key]


def _balance(path: Path, engine: Engine) -> float | None:
    found = balance_of_stems(mono_stems(path, engine))
    return None if found is None else found.ratio_lu


def mono_stems(source: Path | Mono, engine: Engine) -> dict[str, Mono]:
    """Stems (n,) at 44.1 kHz by name, of a file or of a mono mix (n,) at that rate."""
    with tempfile.TemporaryDirectory(prefix="svp-voices-") as folder:
        done = separate(
            source if isinstance(source, Path) else iter([source[None]]),
            Path(folder),
            engine=engine,
            sample_rate=SAMPLE_RATE,
            title="voice",
            file_format="wav",
        )
        return {
            name: soundfile.read(file, dtype="float32", always_2d=True)[0].mean(axis=1)
            for name, file in done.files.items()
        }


def balance_of_stems(stems: Mapping[str, Mono]) -> VocalBalance | None:
    """Balance of the voice against the sum of all others, from :func:`mono_stems`."""
    rest = sum(sound for name, sound in stems.items() if name != VOICE)
    return vocal_balance(stems[VOICE], np.asarray(rest), SAMPLE_RATE)
