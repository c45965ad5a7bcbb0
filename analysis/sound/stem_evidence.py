"""What a mix's stems tell about it: whose sound lies where, and how loud the voice stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import soxr

from analysis.sound.balance import levels_of_stems_db, mel_band_powers
from analysis.sound.mel import SAMPLE_RATE
from analysis.sound.vocal_balance import VocalBalance, WeightedPower, balance_of_powers

VOICE = "vocals"
_AT_ONCE = 30 * SAMPLE_RATE

Mono = npt.NDArray[np.float32]


@dataclass(frozen=True)
class StemEvidence:
    """``stems_db``: third octaves of each stem in dB relative to all together, by name.
    ``vocals``: None where no stem is a voice, nothing plays beside it, or nobody sings."""

    stems_db: dict[str, list[float]]
    vocals: VocalBalance | None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """From :func:`dataclasses.asdict` of one."""
        voice = document["vocals"]
        return cls(document["stems_db"], None if voice is None else VocalBalance(**voice))


class StemMeter:
    """Measures stems as they come, in bounded memory; mono, at the level they have in the mix."""

    def __init__(self, names: Sequence[str], *, sample_rate: int) -> None:
        self._stems = {name: _Stem(sample_rate) for name in names}
        self._voice = WeightedPower(SAMPLE_RATE)
        self._rest = WeightedPower(SAMPLE_RATE)

    def add(self, blocks: Mapping[str, Mono]) -> None:
        """Take the next samples of every stem, (n,) each.

        Raises ValueError if they differ in length.
        """
        if len({block.shape for block in blocks.values()}) > 1:
            lengths = ", ".join(f"{name} {block.size}" for name, block in blocks.items())
            raise ValueError(f"the stems differ in length: {lengths} samples")
        self._take({name: self._stems[name].add(block) for name, block in blocks.items()})

    def result(self) -> StemEvidence:
        """Close the meter."""
        self._take({name: stem.rest() for name, stem in self._stems.items()})
        voice = self._stems.get(VOICE)
        balance = (
            balance_of_powers(self._voice.result(), self._rest.result())
            if voice is not None and len(self._stems) > 1
            else None
        )
        return StemEvidence(
            levels_of_stems_db({name: stem.band_powers for name, stem in self._stems.items()}),
            balance,
        )

    def _take(self, sounds: Mapping[str, Mono]) -> None:
        others = [sound for name, sound in sounds.items() if name != VOICE]
        if VOICE in sounds and others:
            self._voice.add(sounds[VOICE])
            self._rest.add(np.sum(others, axis=0))


class _Stem:
    """One stem at 22,050 Hz, and its power in the mel bands, weighted by time."""

    def __init__(self, sample_rate: int) -> None:
        self._resampler = (
            None
            if sample_rate == SAMPLE_RATE
            else soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32")
        )
        self._waiting: list[Mono] = []
        self.band_powers: npt.NDArray[np.float64] = np.zeros(0)

    def add(self, block: Mono) -> Mono:
        """The same samples at 22,050 Hz, as far as they are known."""
        block = np.ascontiguousarray(block, np.float32)
        sound = self._resampler.resample_chunk(block) if self._resampler else block
        self._waiting.append(sound)
        if sum(part.size for part in self._waiting) >= _AT_ONCE:
            self._measure()
        return sound

    def rest(self) -> Mono:
        """What the resampler still held back."""
        nothing = np.zeros(0, dtype=np.float32)
        held = self._resampler.resample_chunk(nothing, last=True) if self._resampler else nothing
        self._waiting.append(held)
        self._measure()
        return held

    def _measure(self) -> None:
        sound = np.concatenate(self._waiting)
        self._waiting = []
        if sound.size:
            power = mel_band_powers(sound) * sound.size
            self.band_powers = power if self.band_powers.size == 0 else self.band_powers + power


def stem_evidence(stems: Mapping[str, Mono]) -> StemEvidence:
    """Evidence from whole stems, mono at 22,050 Hz; ``{"vocals": (n,), "drums": (n,), …}``.

    Raises ValueError if they differ in length.
    """
    meter = StemMeter(list(stems), sample_rate=SAMPLE_RATE)
    meter.add(stems)
    return meter.result()
