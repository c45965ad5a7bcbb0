"""A file's sound in one piece and one channel, as the measures of a voice take it."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from analysis.sound.decode import stream
from analysis.sound.fold import Fold

LONGEST_S = 3_600.0
SHORTEST_S = 0.5


def read_mono(path: str | os.PathLike[str]) -> tuple[npt.NDArray[np.float32], int]:
    """Mono sound (n,) float32 of a file and its rate.

    Digital silence is read as well: a stem may hold nothing. Raises UndecodableAudio, OSError.
    """
    with stream(path, max_duration_s=LONGEST_S, min_duration_s=SHORTEST_S) as blocks:
        blocks.judges_silence = False
        fold = Fold(blocks.info.channel_layout)
        rate = blocks.info.sample_rate
        parts = [fold.mono(fold.stereo(block)) for block in blocks]
    return np.concatenate(parts), rate
