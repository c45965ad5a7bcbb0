"""A whole file as one channel at 22,050 Hz, for those who need nothing else of it."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from analysis.sound.decode import stream
from analysis.sound.fold import Fold
from analysis.sound.measure import MonoCollector


def mono_of_file(
    path: str | os.PathLike[str], *, max_duration_s: float = 3600.0
) -> npt.NDArray[np.float32]:
    """Mono mix at 22,050 Hz (n,) of a file, as the listening stage hears it.

    Raises UndecodableAudio as :func:`analysis.sound.decode.stream` does.
    """
    with stream(path, max_duration_s=max_duration_s) as blocks:
        fold = Fold(blocks.info.channel_layout)
        mono = MonoCollector(sample_rate=blocks.info.sample_rate, expected_s=blocks.info.duration_s)
        for block in blocks:
            mono.add(fold.mono(fold.stereo(block)))
    return mono.result().copy()
