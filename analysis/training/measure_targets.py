"""Measure each genre's tonal balance on a collection: mel pictures, or sound to draw them of."""

from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.mixing.targets import ANY_GENRE, TARGETS_FILE, alignment_db, load_targets
from analysis.mixing.tonal_moves import TonalModel, level_free
from analysis.sound import mel
from analysis.sound.balance import (
    curve_frequencies_hz,
    pictured_frequencies_hz,
    pictured_up_to_hz,
    third_octaves_db,
)
from analysis.sound.spectrum import BANDS, band_levels_from_mel
from analysis.training.datasets import holds_pictures
from analysis.training.labelled_files import genre_names
from analysis.training.measure_vocals import VOCALS_PROVENANCE, measure_vocals
from analysis.training.picture_cache import PictureCache
from analysis.training.sound_corpus import labelled_files, read_tracks

log = logging.getLogger(__name__)

VERSION = "gtzan-mel-3"
CORPUS = "GTZAN, fault-filtered train and valid lists, as mel pictures"
_PERCENTILES = (10.0, 50.0, 90.0)
_TRACKS_WORTH_ALL = 64
"""A genre's own percentiles of a move count as much as those of all genres from so many tracks."""

_TRACKS_WORTH_SHIPPED = 200
"""A small collection's covariance is mixed with the shipped one, which counts as so many tracks."""

_NUMBERS = re.compile(r"\[([-\d.,\s]+)\]")

Array = npt.NDArray[np.float64]


def measure_targets(
    data: Path,
    *,
    out: Path = TARGETS_FILE,
    cache: Path | None = None,
    voices: Path | None = None,
) -> dict[str, Any]:
    """Measure a collection and write *out* as JSON.

    Parameters
    ----------
    data : a folder with tracks.csv, train.npz, valid.npz; or sound files with a genre each, see
        :func:`analysis.training.sound_corpus.labelled_files`
    cache : where pictures of sound files are kept; default ``pictures`` beside *out*
    voices : sound files for the vocal balance, see
        :func:`analysis.training.measure_vocals.measure_vocals`; without them no voice is judged

    Returns the document. Raises FileNotFoundError where a part of the pictures is missing, and
    :class:`~analysis.training.labelled_files.UnusableCorpus` for sound that is of no use.
    """
    kept = cache or out.parent / "pictures"
    levels: dict[str, list[list[float]]] = {}
    curves: dict[str, list[Array]] = {}
    for genre, picture in _labelled_pictures(data, kept):
        bands = [band.level_db for band in band_levels_from_mel(picture)]
        curve = third_octaves_db(picture)
        for name in (genre, ANY_GENRE):
            levels.setdefault(name, []).append(bands)
            curves.setdefault(name, []).append(curve)
    of_sound = not holds_pictures(data)
    sung = {} if voices is None else measure_vocals(voices, cache=kept / "voices.json")
    model = _tonal_model(curves)
    reaches = _reaches(model, curves)
    document = {
        "version": f"{data.stem}-sound-3" if of_sound else VERSION,
        "provenance": {
            **_provenance(
                len(levels[ANY_GENRE]), f"{data.stem}, sound files" if of_sound else CORPUS
            ),
            **({"vocals": VOCALS_PROVENANCE} if sung else {}),
        },
        "tonal": {
            "frequencies_hz": [round(float(hz), 1) for hz in model.frequencies_hz],
            "covariance_db2": [[round(float(v), 3) for v in row] for row in model.covariance],
        },
        "genres": {
            name: {
                **_genre(np.array(levels[name]), np.array(curves[name])),
                "moves": {
                    side: [round(float(db), 2) for db in reaches[name][number]]
                    for number, side in enumerate(("p10_db", "p90_db"))
                },
                **({"vocals": sung[name]} if name in sung else {}),
            }
            for name in sorted(levels)
        },
    }
    out.write_text(_readable(document) + "\n", encoding="utf-8")
    return document


def _readable(document: dict[str, Any]) -> str:
    """JSON of one entry a line, lists of numbers on one line each."""
    return _NUMBERS.sub(
        lambda found: "[" + " ".join(found[1].split()) + "]", json.dumps(document, indent=1)
    )


def _labelled_pictures(data: Path, cache: Path) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Genre and mel picture (128, T) of each track."""
    if not holds_pictures(data):
        files = labelled_files(data)
        genre_names(files)
        tracks, skipped = read_tracks(files, cache=PictureCache(cache))
        for entry in skipped:
            log.warning("left out: %s: %s", entry.file.shown, entry.reason)
        for track in tracks:
            yield track.file.genre, np.concatenate(track.pictures, axis=1)
        return
    genre_of = _genres(data / "tracks.csv")
    for split in ("train", "valid"):
        with np.load(data / f"{split}.npz") as pictures:
            for track_id, picture in zip(pictures["ids"], pictures["mel"], strict=True):
                yield genre_of[str(track_id)], picture


def continued_db(measured: Array) -> Array:
    """A curve (24,) continued to 20 kHz with the mean slope of Elowsson & Friberg, (points,)."""
    centres = curve_frequencies_hz()
    beyond = []
    level = float(measured[-1])
    for at_hz in centres[measured.size :]:
        level += popular_music_slope_db_per_octave(float(at_hz) * 2.0 ** (-1 / 6)) / 3
        beyond.append(level)
    return np.concatenate([measured, beyond])


def popular_music_slope_db_per_octave(frequency_hz: float) -> float:
    """Slope of the mean spectrum of 12,345 popular tracks, per octave of constant-Q bands.

    Elowsson & Friberg, "Long-term average spectrum in popular music and its relation to the
    level of the percussion", AES 142 (2017): -2.35 at 200 Hz, and 1.318 steeper per octave.
    """
    return -2.35 - 1.318 * float(np.log2(frequency_hz / 200.0))


def _genres(table: Path) -> dict[str, str]:
    with table.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["genre"] for row in csv.DictReader(file)}


def _deviations(curves: dict[str, list[Array]]) -> dict[str, Array]:
    """Curves less their genre's median, free of level: (tracks, 24) for each name."""
    return {
        name: level_free(np.array(rows) - np.median(np.array(rows), axis=0))
        for name, rows in curves.items()
    }


def _tonal_model(curves: dict[str, list[Array]]) -> TonalModel:
    """Covariance of finished tracks within their genres."""
    within = np.concatenate(
        [rows for name, rows in _deviations(curves).items() if name != ANY_GENRE]
    )
    covariance = within.T @ within / len(within)
    if len(within) < _TRACKS_WORTH_SHIPPED:
        shipped = load_targets(TARGETS_FILE).tonal.covariance
        share = len(within) / (len(within) + _TRACKS_WORTH_SHIPPED)
        covariance = share * covariance + (1.0 - share) * shipped
    # As they are written, so that the corridors below belong to what a reader of the file gets.
    return TonalModel(np.round(pictured_frequencies_hz(), 1), np.round(covariance, 3))


def _reaches(model: TonalModel, curves: dict[str, list[Array]]) -> dict[str, Array]:
    """10th and 90th percentile of each move among the tracks of each name, shape (2, moves).

    A genre's own count the more, the more tracks it has; the rest is that of all tracks within
    their genres.
    """
    sizes = {name: model.sizes_db(rows) for name, rows in _deviations(curves).items()}
    within = np.concatenate([rows for name, rows in sizes.items() if name != ANY_GENRE])
    common = np.percentile(within, (10.0, 90.0), axis=0)
    reaches = {}
    for name, rows in sizes.items():
        share = len(rows) / (len(rows) + _TRACKS_WORTH_ALL)
        own = np.percentile(rows, (10.0, 90.0), axis=0)
        reaches[name] = own if name == ANY_GENRE else share * own + (1.0 - share) * common
    return reaches


def _genre(levels: Array, curves: Array) -> dict[str, Any]:
    """Corridors and curve of one genre from (tracks, 7) levels and (tracks, points) curves."""
    medians = np.median(levels, axis=0)
    offsets = np.array([alignment_db(list(row), list(medians)) for row in levels])
    low, middle, high = np.percentile(levels - offsets[:, None], _PERCENTILES, axis=0)
    curve_low, curve_middle, curve_high = (
        continued_db(row) for row in np.percentile(curves - offsets[:, None], _PERCENTILES, axis=0)
    )
    nyquist = mel.SAMPLE_RATE / 2
    return {
        "n_tracks": int(levels.shape[0]),
        "bands": [
            {
                "name": name,
                "low_hz": low_hz,
                "high_hz": min(high_hz, nyquist),
                "p10_db": round(float(low[at]), 2),
                "median_db": round(float(middle[at]), 2),
                "p90_db": round(float(high[at]), 2),
            }
            for at, (name, low_hz, high_hz) in enumerate(BANDS)
        ],
        "curve": {
            "frequencies_hz": [round(float(hz), 1) for hz in curve_frequencies_hz()],
            "p10_db": [round(float(level), 2) for level in curve_low],
            "median_db": [round(float(level), 2) for level in curve_middle],
            "p90_db": [round(float(level), 2) for level in curve_high],
            "measured_up_to_hz": round(pictured_up_to_hz(), 1),
        },
    }


def _provenance(n_tracks: int, corpus: str) -> dict[str, Any]:
    return {
        "corpus": corpus,
        "n_tracks": n_tracks,
        "contract": (
            f"{mel.N_MELS} Slaney mel bands, {mel.SAMPLE_RATE} Hz mono, n_fft {mel.N_FFT}, "
            f"{mel.TOP_DB:g} dB range, uint8"
        ),
        "bands": "dB relative to 20 Hz to 11,025 Hz; each track aligned to its genre's median "
        "by the median difference of its seven bands; percentiles 10, 50, 90 over tracks",
        "moves": "size in dB of each equaliser move of analysis.mixing.tonal_moves that best "
        "explains how a track differs from its genre's median curve; percentiles 10 and 90 over "
        f"tracks, a genre's own weighted n / (n + {_TRACKS_WORTH_ALL}) against those of all",
        "ends_at_hz": mel.SAMPLE_RATE / 2,
        "brilliance": "measured from 6,000 to 11,025 Hz only",
        "above": "curve points above the pictures' end continue with the mean slope of "
        "Elowsson & Friberg (2017), -2.35 dB/octave at 200 Hz and 1.318 dB steeper per octave; "
        "they are a model, not a measurement",
    }
