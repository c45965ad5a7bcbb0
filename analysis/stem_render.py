"""A mix of stems as a file: first its peaks are measured, then it is written, block by block.

Both passes read the stems' FLAC files side by side, half a second at a time, so memory does not
grow with the length. The gains are those of :mod:`analysis.mixing.stem_mix`; what was lowered when
the stems were kept (``lowered_db`` of their report) is made good again, so that all stems at 0 dB
are as loud as the mix they came from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from analysis.mixing.stem_mix import MixSettings, gains, mixed
from analysis.sound.decibels import amplitude_db
from analysis.sound.true_peak import TruePeakMeter

BLOCK_SAMPLES = 22_050


@dataclass(frozen=True)
class StemSources:
    """Whole stems on this machine, by name, all alike in rate and length."""

    paths: dict[str, Path]
    sample_rate: int
    n_samples: int
    lowered_db: float = 0.0


@dataclass(frozen=True)
class MixPeaks:
    """Peaks of a mix as it was set, as amplitudes: of the samples, and between them too."""

    sample_peak: float
    true_peak: float

    def lowered_db(self, ceiling_dbtp: float, *, keep_level: bool = False) -> float:
        """By how much the mix is to be lowered, zero or less: so that its true peak keeps under the
        ceiling, or, to ``keep_level`` as far as that can be, so that no sample is clipped."""
        allowed = 1.0 if keep_level else 10.0 ** (ceiling_dbtp / 20.0)
        peak = self.sample_peak if keep_level else self.true_peak
        return min(0.0, 20.0 * math.log10(allowed / peak)) if peak > 0.0 else 0.0

    @property
    def true_peak_dbtp(self) -> float | None:
        return amplitude_db(self.true_peak)

    @property
    def sample_peak_dbfs(self) -> float | None:
        return amplitude_db(self.sample_peak)


def measure_mix(sources: StemSources, settings: MixSettings) -> MixPeaks:
    """Mix once without keeping anything, to learn how high it peaks."""
    meter = TruePeakMeter(sample_rate=sources.sample_rate, channels=2)
    for block in mix_blocks(sources, settings):
        meter.add(block.astype(np.float32))
    true_peak = meter.finish()
    return MixPeaks(sample_peak=meter.sample_peak, true_peak=true_peak)


def mix_blocks(
    sources: StemSources, settings: MixSettings, *, change_db: float = 0.0
) -> Iterator[npt.NDArray[np.float64]]:
    """The mix in blocks (2, n) of half a second, changed in level by ``change_db``.

    Stems that are not heard are not even read.
    """
    names = list(sources.paths)
    factors = gains(settings, names)
    heard = [index for index in range(len(names)) if factors[index].any()]
    if not heard:
        yield from _silence(sources.n_samples)
        return
    factors *= 10.0 ** ((change_db - sources.lowered_db) / 20.0)
    files = [soundfile.SoundFile(sources.paths[names[index]]) for index in heard]
    try:
        yield from mixed([_blocks(file) for file in files], factors[heard])
    finally:
        for file in files:
            file.close()


def _blocks(file: soundfile.SoundFile) -> Iterator[npt.NDArray[np.float32]]:
    while True:
        block = file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)
        if len(block) == 0:
            return
        yield block


def _silence(n_samples: int) -> Iterator[npt.NDArray[np.float64]]:
    for start in range(0, n_samples, BLOCK_SAMPLES):
        yield np.zeros((2, min(BLOCK_SAMPLES, n_samples - start)))


def description(settings: MixSettings, names: Sequence[str], lowered_db: float) -> str:
    """What was done, in a line for the file's comment."""
    factors = gains(settings, names)
    parts = []
    for name, (left, right) in zip(names, factors, strict=True):
        if left == right == 0.0:
            parts.append(f"{name} off")
            continue
        level = 10.0 * math.log10((left * left + right * right) / 2.0)
        pan = settings.stems[name].pan if name in settings.stems else 0.0
        side = f" {'L' if pan < 0 else 'R'}{abs(round(100 * pan))}" if pan else ""
        parts.append(f"{name} {level:+.1f} dB{side}")
    text = ", ".join(parts)
    if lowered_db <= -0.005:
        text += f"; lowered {-lowered_db:.2f} dB so that nothing clips"
    return text
