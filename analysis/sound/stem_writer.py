"""A stem as it is kept: the whole, small pieces for the browser, a waveform, and its level.

The whole is FLAC of 24 bit. The pieces are FLAC of 16 bit, exactly ``chunk_samples`` long (the last
one shorter), so that a player can decode the ones around its position alone and put them together
without a gap. They are dithered (triangular, two steps wide; Lipshitz, Wannamaker and Vanderkooy,
"Quantization and Dither", 1992), always with the same noise: the same stem gives the same files.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import soundfile

from analysis.sound.decibels import amplitude_db, power_db
from analysis.sound.waveform import WaveformMeter

Block = npt.NDArray[np.float32]

_FULL_SCALE_16 = 32_768


@dataclass(frozen=True)
class StemFigures:
    """What was written of a stem: names of files in the folder, and figures of the whole.

    ``peak_dbfs`` (of the samples) and ``level_db`` (root mean square of both channels together) are
    in dB of full scale, None for a stem that is silent all through.
    """

    name: str
    file: str
    bytes: int
    chunks: list[str]
    waveform: str
    peak_dbfs: float | None
    level_db: float | None
    n_samples: int


class StemWriter:
    """Feed blocks of shape (n, 2), then ask for the result; a context manager.

    Files are ``NAME.flac``, ``NAME.000.flac`` and so on, and ``NAME.waveform.json`` (the format of
    :mod:`analysis.sound.waveform`). Memory does not grow with the length. Samples must lie within
    full scale: ValueError otherwise, because nothing is clipped in silence.
    """

    def __init__(self, folder: Path, name: str, *, sample_rate: int, chunk_samples: int) -> None:
        self._folder = folder
        self._name = name
        self._rate = sample_rate
        self._chunk_samples = chunk_samples
        self._path = folder / f"{name}.flac"
        self._whole = soundfile.SoundFile(
            self._path, "w", sample_rate, 2, subtype="PCM_24", format="FLAC"
        )
        self._pending: Block = np.empty((chunk_samples, 2), dtype=np.float32)
        self._filled = 0
        self._chunks: list[str] = []
        self._waveform = WaveformMeter()
        self._peak = 0.0
        self._energy = 0.0
        self._n_samples = 0

    def add(self, block: Block) -> None:
        """Take the next samples, shape (n, 2)."""
        if block.size == 0:
            return
        peak = float(np.abs(block).max())
        if peak > 1.0:
            raise ValueError(f"{self._name} goes over full scale: {peak:.3f}")
        self._peak = max(self._peak, peak)
        self._energy += float(np.square(block, dtype=np.float64).sum())
        self._n_samples += len(block)
        self._whole.write(block)
        self._waveform.add(block.mean(axis=1))
        start = 0
        while start < len(block):
            taken = min(len(block) - start, self._chunk_samples - self._filled)
            self._pending[self._filled : self._filled + taken] = block[start : start + taken]
            self._filled += taken
            start += taken
            if self._filled == self._chunk_samples:
                self._write_chunk()

    def finish(self) -> StemFigures:
        """Write what is left, and tell what was written."""
        if self._filled:
            self._write_chunk()
        self._whole.close()
        waveform = self._waveform.result()
        waveform_name = f"{self._name}.waveform.json"
        content = {
            "columns": len(waveform.minima),
            "min": waveform.minima,
            "max": waveform.maxima,
            "duration_s": round(self._n_samples / self._rate, 3),
        }
        (self._folder / waveform_name).write_text(
            json.dumps(content, separators=(",", ":")), encoding="utf-8"
        )
        mean_square = self._energy / (2 * self._n_samples) if self._n_samples else 0.0
        return StemFigures(
            name=self._name,
            file=self._path.name,
            bytes=self._path.stat().st_size,
            chunks=list(self._chunks),
            waveform=waveform_name,
            peak_dbfs=amplitude_db(self._peak),
            level_db=power_db(mean_square),
            n_samples=self._n_samples,
        )

    def _write_chunk(self) -> None:
        number = len(self._chunks)
        name = f"{self._name}.{number:03d}.flac"
        samples = self._pending[: self._filled]
        soundfile.write(
            self._folder / name,
            dithered_16_bit(samples, seed=(zlib.crc32(self._name.encode()), number)),
            self._rate,
            subtype="PCM_16",
            format="FLAC",
        )
        self._chunks.append(name)
        self._filled = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._whole.close()


def dithered_16_bit(samples: Block, *, seed: tuple[int, int]) -> npt.NDArray[np.int16]:
    """Samples (n, 2) within full scale as 16-bit integers, with triangular dither.

    Silence stays silence: it has no quantisation error to hide, and packs to nothing.
    """
    if not samples.any():
        return np.zeros(samples.shape, dtype=np.int16)
    rng = np.random.default_rng(seed)
    noise = rng.random(samples.shape, dtype=np.float32)
    noise -= rng.random(samples.shape, dtype=np.float32)
    noise += samples * np.float32(_FULL_SCALE_16)
    return np.clip(np.rint(noise), -_FULL_SCALE_16, _FULL_SCALE_16 - 1).astype(np.int16)
