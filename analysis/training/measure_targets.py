"""Measure each genre's tonal balance on a collection: mel pictures, or sound to draw them of."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.mixing.targets import ANY_GENRE, TARGETS_FILE, alignment_db
from analysis.sound import mel
from analysis.sound.spectrum import (
    BANDS,
    band_levels_from_mel,
    mel_band_edges_hz,
    mel_band_power,
)
from analysis.training.datasets import holds_pictures
from analysis.training.labelled_files import genre_names
from analysis.training.picture_cache import PictureCache
from analysis.training.sound_corpus import labelled_files, read_tracks

log = logging.getLogger(__name__)

VERSION = "gtzan-mel-1"
CORPUS = "GTZAN, fault-filtered train and valid lists, as mel pictures"
LOWEST_CURVE_HZ = 40.0
_PERCENTILES = (10.0, 50.0, 90.0)

Array = npt.NDArray[np.float64]


def measure_targets(
    data: Path, *, out: Path = TARGETS_FILE, cache: Path | None = None
) -> dict[str, Any]:
    """Measure a collection and write *out* as JSON.

    Parameters
    ----------
    data : a folder with tracks.csv, train.npz, valid.npz; or sound files with a genre each, see
        :func:`analysis.training.sound_corpus.labelled_files`
    cache : where pictures of sound files are kept; default ``pictures`` beside *out*

    Returns the document. Raises FileNotFoundError where a part of the pictures is missing, and
    :class:`~analysis.training.labelled_files.UnusableCorpus` for sound that is of no use.
    """
    levels: dict[str, list[list[float]]] = {}
    curves: dict[str, list[Array]] = {}
    for genre, picture in _labelled_pictures(data, cache or out.parent / "pictures"):
        bands = [band.level_db for band in band_levels_from_mel(picture)]
        curve = third_octaves_db(picture)
        for name in (genre, ANY_GENRE):
            levels.setdefault(name, []).append(bands)
            curves.setdefault(name, []).append(curve)
    of_sound = not holds_pictures(data)
    document = {
        "version": f"{data.stem}-sound-1" if of_sound else VERSION,
        "provenance": _provenance(
            len(levels[ANY_GENRE]), f"{data.stem}, sound files" if of_sound else CORPUS
        ),
        "genres": {
            name: _genre(np.array(levels[name]), np.array(curves[name])) for name in sorted(levels)
        },
    }
    out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


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


def curve_frequencies_hz() -> Array:
    """Third-octave centres from 40 Hz to 20 kHz; those above 9.8 kHz exceed the pictures."""
    count = int(np.log2(20_000.0 / LOWEST_CURVE_HZ) * 3) + 1
    return LOWEST_CURVE_HZ * 2.0 ** (np.arange(count) / 3)


def third_octaves_db(picture: npt.NDArray[np.uint8]) -> Array:
    """Third-octave levels of a mel picture in dB relative to the whole, shape (points,).

    Points whose band exceeds the picture's 11,025 Hz continue with Elowsson & Friberg's slope.
    """
    power = mel_band_power(picture)
    edges = mel_band_edges_hz()
    sums = np.concatenate([[0.0], np.cumsum(power)])
    centres = curve_frequencies_hz()
    measured = centres[centres * 2.0 ** (1 / 6) <= mel.SAMPLE_RATE / 2]
    low = np.interp(measured * 2.0 ** (-1 / 6), edges, sums)
    high = np.interp(measured * 2.0 ** (1 / 6), edges, sums)
    levels = 10.0 * np.log10(np.maximum((high - low) / sums[-1], 1e-10))
    beyond = []
    level = float(levels[-1])
    for at_hz in centres[measured.size :]:
        level += popular_music_slope_db_per_octave(float(at_hz) * 2.0 ** (-1 / 6)) / 3
        beyond.append(level)
    return np.concatenate([levels, beyond])


def popular_music_slope_db_per_octave(frequency_hz: float) -> float:
    """Slope of the mean spectrum of 12,345 popular tracks, per octave of constant-Q bands.

    Elowsson & Friberg, "Long-term average spectrum in popular music and its relation to the
    level of the percussion", AES 142 (2017): -2.35 at 200 Hz, and 1.318 steeper per octave.
    """
    return -2.35 - 1.318 * float(np.log2(frequency_hz / 200.0))


def _genres(table: Path) -> dict[str, str]:
    with table.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["genre"] for row in csv.DictReader(file)}


def _genre(levels: Array, curves: Array) -> dict[str, Any]:
    """Corridors and curve of one genre from (tracks, 7) levels and (tracks, points) curves."""
    medians = np.median(levels, axis=0)
    offsets = np.array([alignment_db(list(row), list(medians)) for row in levels])
    low, middle, high = np.percentile(levels - offsets[:, None], _PERCENTILES, axis=0)
    curve_low, curve_middle, curve_high = np.percentile(
        curves - offsets[:, None], _PERCENTILES, axis=0
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
            "measured_up_to_hz": nyquist,
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
        "ends_at_hz": mel.SAMPLE_RATE / 2,
        "brilliance": "measured from 6,000 to 11,025 Hz only",
        "above": "curve points above the pictures' end continue with the mean slope of "
        "Elowsson & Friberg (2017), -2.35 dB/octave at 200 Hz and 1.318 dB steeper per octave; "
        "they are a model, not a measurement",
    }
