"""Reports of real music with an equaliser's moves in it, without the listening model."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from analysis.sound.equaliser import Equaliser, Move
from analysis.sound.measure import measure
from tests.analysis.mixing.mixes import RATE, judged, music
from tests.analysis.sound.signals import write

TRACK = 4  # a demo track without tonal findings against all genres


@cache
def mix_document(moves: tuple[Move, ...] = (), *, gain: float = 1.0) -> dict[str, Any]:
    """The measured parts of a report (docs/analyze.md), judged against all genres together."""
    sound = Equaliser(moves, sample_rate=RATE, channels=2)(music(TRACK)) * gain
    with TemporaryDirectory() as folder:
        measured = measure(write(Path(folder) / "mix.wav", sound.astype(np.float32), rate=RATE))
    loudness = measured.loudness
    return {
        "file": asdict(measured.info),
        "loudness": {
            "integrated_lufs": loudness.integrated_lufs,
            "loudness_range_lu": loudness.loudness_range_lu,
            "true_peak_dbtp": loudness.true_peak_dbtp,
            "peak_to_loudness_lu": loudness.plr_lu,
            **asdict(measured.levels),
        },
        "stereo": asdict(measured.stereo),
        "spectrum": asdict(measured.spectrum),
        "mix": asdict(judged(measured)),
        "models": {"measurements": "m"},
    }
