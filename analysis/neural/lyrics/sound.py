"""Sound as the networks hear it: one channel, 16 kHz, float32."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from analysis.sound import decode
from analysis.sound.fold import Fold

SAMPLE_RATE = 16_000
MAX_DURATION_S = 3 * 3600.0
MIN_DURATION_S = 0.1
Samples = npt.NDArray[np.float32]
# A file, or samples (n,) at 16 kHz.
Source = str | os.PathLike[str] | Samples


def load(source: Source) -> Samples:
    """Samples (n,) of a file or of an array that has them already.

    Raises
    ------
    UndecodableAudio
        If the file holds no sound that can be read. Silence is read.
    ValueError
        If an array is not of shape (n,).
    """
    if isinstance(source, np.ndarray):
        if source.ndim != 1:
            raise ValueError(f"one channel is needed, of shape (n,), not {source.shape}")
        return np.ascontiguousarray(source, dtype=np.float32)
    return np.concatenate(list(_blocks(Path(source))) or [np.zeros(0, np.float32)])


def _blocks(path: Path) -> Iterator[Samples]:
    with decode.stream(
        path, max_duration_s=MAX_DURATION_S, min_duration_s=MIN_DURATION_S
    ) as blocks:
        blocks.judges_silence = False
        fold = Fold(blocks.info.channel_layout)
        rate = blocks.info.sample_rate
        resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
        for block in blocks:
            yield resampler.resample_chunk(np.ascontiguousarray(fold.mono(fold.stereo(block))))
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
