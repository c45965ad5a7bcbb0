"""Stems of a track from a folder, as the listening stage takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.sound.decode import UndecodableAudio, stream
from analysis.sound.fold import Fold
from analysis.sound.measure import MonoCollector
from analysis.sound.mel import SAMPLE_RATE

STEM_NAMES = ("drums", "bass", "other", "vocals")
SUFFIXES = (".wav", ".flac")
# Encoders and editors add or drop some milliseconds at the end.
_LENGTHS_DIFFER_BY_S = 0.25

Mono = npt.NDArray[np.float32]


class StemsUnusable(ValueError):
    """The folder cannot be used; the message says what is wrong and what to do."""


def read_stems(folder: Path, *, n_samples: int, max_duration_s: float = 3600.0) -> dict[str, Mono]:
    """Mono stems at 22,050 Hz, each cut or padded to ``n_samples``, by name.

    The folder holds two or more of ``drums``, ``bass``, ``other`` and ``vocals``, each as ``.wav``
    or ``.flac``, as long as the mix. Raises StemsUnusable.
    """
    paths = {
        name: path
        for name in STEM_NAMES
        for suffix in SUFFIXES
        if (path := folder / f"{name}{suffix}").is_file()
    }
    if len(paths) < 2:
        raise StemsUnusable(
            f"{folder} holds no stems: it needs two or more of {', '.join(STEM_NAMES)}, "
            f"each as {' or '.join(SUFFIXES)}."
        )
    return {name: _read(path, n_samples, max_duration_s) for name, path in paths.items()}


def _read(path: Path, n_samples: int, max_duration_s: float) -> Mono:
    try:
        with stream(path, max_duration_s=max_duration_s) as blocks:
            blocks.judges_silence = False  # a voice may rest all through a song
            fold = Fold(blocks.info.channel_layout)
            mono = MonoCollector(
                sample_rate=blocks.info.sample_rate, expected_s=blocks.info.duration_s
            )
            for block in blocks:
                mono.add(fold.mono(fold.stereo(block)))
            sound = mono.result()
    except UndecodableAudio as error:
        raise StemsUnusable(f"{path.name}: {error.message}") from error
    if abs(sound.size - n_samples) > _LENGTHS_DIFFER_BY_S * SAMPLE_RATE:
        raise StemsUnusable(
            f"{path.name} lasts {sound.size / SAMPLE_RATE:.1f} s, but the mix "
            f"{n_samples / SAMPLE_RATE:.1f} s. Export the stems over the whole length of the mix."
        )
    return np.pad(sound[:n_samples], (0, max(0, n_samples - sound.size)))
