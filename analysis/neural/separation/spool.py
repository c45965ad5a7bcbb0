"""A file's sound as 44.1 kHz stereo on disk, to be read anywhere in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr
import torch

from analysis.neural.separation.spectra import SAMPLE_RATE
from analysis.sound import decode
from analysis.sound.fold import Fold

_FRAME_BYTES = 2 * 4
# Stems are as long as the file, whatever it was made for: up to three hours.
MAX_DURATION_S = 3 * 3600.0
MIN_DURATION_S = 0.1


class Spool:
    """Interleaved float32 samples in a file; a reader as engines want it."""

    def __init__(self, path: Path) -> None:
        self.n_samples = path.stat().st_size // _FRAME_BYTES
        self._file = path.open("rb")

    def read(self, start: int, end: int) -> torch.Tensor:
        """Samples (2, end - start); zeros outside the file."""
        samples = np.zeros((end - start, 2), dtype=np.float32)
        first, last = max(start, 0), min(end, self.n_samples)
        if first < last:
            self._file.seek(first * _FRAME_BYTES)
            content = self._file.read((last - first) * _FRAME_BYTES)
            samples[first - start : last - start] = np.frombuffer(content, np.float32).reshape(
                -1, 2
            )
        return torch.from_numpy(samples.T.copy())

    def close(self) -> None:
        """Close the file; the spool cannot be read any more."""
        self._file.close()


def fill_from_file(source: str | os.PathLike[str], spool: Path) -> None:
    """Decode a sound file into a spool; raises UndecodableAudio."""
    with decode.stream(
        source, max_duration_s=MAX_DURATION_S, min_duration_s=MIN_DURATION_S
    ) as blocks:
        blocks.judges_silence = False
        fold = Fold(blocks.info.channel_layout)
        fill_from_blocks((fold.stereo(block) for block in blocks), blocks.info.sample_rate, spool)


def fill_from_blocks(
    blocks: Iterable[npt.NDArray[np.float32]], sample_rate: int, spool: Path
) -> None:
    """Write blocks of shape (1 or 2, n) into a spool, resampled if need be."""
    unfinished = spool.with_suffix(".part")
    resampler = (
        soxr.ResampleStream(sample_rate, SAMPLE_RATE, 2, dtype="float32")
        if sample_rate != SAMPLE_RATE
        else None
    )
    with unfinished.open("wb") as file:
        for block in blocks:
            frames = np.ascontiguousarray(np.broadcast_to(block, (2, block.shape[1])).T)
            file.write((resampler.resample_chunk(frames) if resampler else frames).tobytes())
        if resampler:
            rest = resampler.resample_chunk(np.zeros((0, 2), dtype=np.float32), last=True)
            file.write(rest.tobytes())
    unfinished.replace(spool)
