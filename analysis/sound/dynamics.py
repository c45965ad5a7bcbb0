"""How a mix moves within a beat: crest per band, punch, microdynamics, and what a limiter left.

* Crest factor: peak over RMS, of the mono mix in three bands (up to 11 kHz).
* Punch: how far a band's level rises at its attacks, the median over all of them: the level of
  46 ms over that of the 139 ms before. In the sense of S. Fenton and H. Lee, "A perceptual model
  of 'punch' based on weighted transient loudness" (J. Audio Eng. Soc. 67, 2019), where punch is
  the strength of onsets in bands; theirs is fitted to listeners, this one is in plain decibels.
* Microdynamics: the 95th percentile of fast (30 ms) over slow (3 s) loudness, after E. Skovenborg,
  "Measures of microdynamics" (AES 137th Convention, 2014).
* PSR: peak over short-term loudness, I. Shepherd et al., "Measuring micro-dynamics" (AES 143rd
  Convention, 2017), with sample peaks.
* Limited share: how many twentieths of a second peak within a hair of the track's own ceiling. Free
  peaks scatter; a limiter lines them up, at any output level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from analysis.sound.decibels import amplitude_db

BANDS: tuple[tuple[str, float, float, int], ...] = (
    ("low", 0.0, 150.0, 32),
    ("mid", 150.0, 2_000.0, 4),
    ("high", 2_000.0, 11_025.0, 1),
)
"""Name, edges in Hz, and by how much the band's own sample rate is lower than 22,050 Hz."""

CEILING_PERCENT = 99.0
HAIR_DB = 0.5
LEAST_RISE_DB = 3.0
_BLOCK = 1 << 17
_MARGIN = 1 << 12
_STEP = 256
_AFTER_STEPS = 4
_BEFORE_STEPS = 12
_FAST_STEPS = 3
_SLOW_STEPS = 300
_QUIETEST_DB = 20.0
_PEAKS_PER_BLOCK = 5

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BandDynamics:
    """One band: ``crest_db`` peak over RMS, ``punch_db`` rise at attacks; None in silence."""

    name: str
    low_hz: float
    high_hz: float
    crest_db: float | None
    punch_db: float | None


@dataclass(frozen=True)
class Dynamics:
    """Dynamics of a whole file; None where it is too short or too quiet to say.

    ``crest_db`` and ``punch_db`` are those of the whole mono mix and the mean over the bands;
    ``micro_dynamics_lu`` and ``limited_share`` (0..1) are defined in this module's head;
    ``ceiling_dbfs`` is the level that the peaks of the loudest moments reach.
    """

    crest_db: float | None
    punch_db: float | None
    micro_dynamics_lu: float | None
    limited_share: float | None
    ceiling_dbfs: float | None
    bands: list[BandDynamics]


def dynamics(
    mono_22k: npt.NDArray[np.float32],
    *,
    powers: Array,
    peaks: npt.NDArray[np.float32],
) -> Dynamics:
    """Measure from the 22,050 Hz mono mix, and what meters keep per hundredth of a second.

    ``powers`` are K-weighted (:attr:`analysis.sound.loudness.LoudnessMeter.powers`), ``peaks``
    amplitudes (:attr:`analysis.sound.levels.LevelsMeter.peaks`).
    """
    bands = _bands(mono_22k)
    punches = [band.punch_db for band in bands if band.punch_db is not None]
    mean_power = float(np.dot(mono_22k, mono_22k)) / max(1, mono_22k.size)
    peak = max(float(mono_22k.max(initial=0.0)), -float(mono_22k.min(initial=0.0)))
    share, ceiling = limited_share(peaks)
    return Dynamics(
        crest_db=_crest_db(peak, mean_power),
        punch_db=round(float(np.mean(punches)), 2) if punches else None,
        micro_dynamics_lu=micro_dynamics_lu(powers),
        limited_share=share,
        ceiling_dbfs=ceiling,
        bands=bands,
    )


def limited_share(peaks: npt.NDArray[np.float32]) -> tuple[float | None, float | None]:
    """Share of 50 ms blocks that peak within half a decibel of the ceiling, and it in dBFS.

    The ceiling is the 99th percentile of the blocks' peaks, so that single overshoots (of a lossy
    encoder, say) do not hide it. Blocks more than 20 dB below it do not count. (None, None)
    where there are fewer than 100 blocks.
    """
    whole = peaks.size // _PEAKS_PER_BLOCK
    blocks = peaks[: whole * _PEAKS_PER_BLOCK].reshape(whole, _PEAKS_PER_BLOCK).max(axis=1)
    if blocks.size < 100:
        return None, None
    ceiling = float(np.percentile(blocks, CEILING_PERCENT))
    heard = blocks[blocks > ceiling * 10.0 ** (-_QUIETEST_DB / 20.0)]
    if not ceiling > 0.0 or heard.size == 0:
        return None, None
    near = heard >= ceiling * 10.0 ** (-HAIR_DB / 20.0)
    return round(float(near.mean()), 4), amplitude_db(ceiling)


def micro_dynamics_lu(powers: Array) -> float | None:
    """95th percentile of 30 ms loudness over the 3 s around it, in LU; None below 3 s."""
    if powers.size < _SLOW_STEPS or not powers.max() > 0.0:
        return None
    total = np.concatenate([[0.0], np.cumsum(powers)])
    slow = (total[_SLOW_STEPS:] - total[:-_SLOW_STEPS]) / _SLOW_STEPS
    fast = (total[_FAST_STEPS:] - total[:-_FAST_STEPS]) / _FAST_STEPS
    offset = (_SLOW_STEPS - _FAST_STEPS) // 2
    fast = fast[offset : offset + slow.size]
    heard = slow > slow.max() * 10.0 ** (-_QUIETEST_DB / 10.0)
    ratio = np.maximum(fast[heard], 1e-15 * slow.max()) / slow[heard]
    return round(float(np.percentile(10.0 * np.log10(ratio), 95)), 2)


def _bands(mono: npt.NDArray[np.float32]) -> list[BandDynamics]:
    peaks, energies = _filtered(mono)
    found = []
    for (name, low_hz, high_hz, _), peak, steps in zip(BANDS, peaks, energies, strict=True):
        energy = np.concatenate([np.empty(0), *steps])
        mean_power = float(energy.mean()) if energy.size else 0.0
        found.append(
            BandDynamics(
                name=name,
                low_hz=low_hz,
                high_hz=high_hz,
                crest_db=_crest_db(peak, mean_power),
                punch_db=_punch_db(energy),
            )
        )
    return found


def _filtered(mono: npt.NDArray[np.float32]) -> tuple[list[float], list[list[Array]]]:
    """Peak, and mean power per 11.6 ms, of every band, by overlapping blocks of one transform."""
    useful = _BLOCK - 2 * _MARGIN
    masks = [_mask(low, high, by) for _, low, high, by in BANDS]
    peaks = [0.0] * len(BANDS)
    energies: list[list[Array]] = [[] for _ in BANDS]
    for start in range(0, mono.size, useful):
        block = np.zeros(_BLOCK, dtype=np.float32)
        first, last = start - _MARGIN, min(mono.size, start - _MARGIN + _BLOCK)
        block[max(0, -first) : last - first] = mono[max(0, first) : last]
        spectrum = scipy.fft.rfft(block)
        length = min(useful, mono.size - start)
        for index, (_, _, _, by) in enumerate(BANDS):
            part = spectrum[: _BLOCK // by // 2 + 1] * masks[index]
            wave = scipy.fft.irfft(part, _BLOCK // by) * np.float32(1.0 / by)
            wave = wave[_MARGIN // by : (_MARGIN + length) // by]
            peaks[index] = max(peaks[index], float(np.abs(wave).max(initial=0.0)))
            step = _STEP // by
            whole = wave.size // step
            steps = wave[: whole * step].reshape(whole, step)
            energies[index].append(np.einsum("ij,ij->i", steps, steps).astype(np.float64) / step)
    return peaks, energies


def _mask(low_hz: float, high_hz: float, by: int) -> npt.NDArray[np.float32]:
    """Gains of a band's bins: raised cosines of a third of an octave around its edges."""
    hz = np.maximum(np.arange(_BLOCK // by // 2 + 1) * (22_050.0 / _BLOCK), 1e-3)

    def rising(edge_hz: float) -> Array:
        octaves = np.clip(3.0 * np.log2(hz / edge_hz) + 0.5, 0.0, 1.0)
        gain: Array = np.sin(0.5 * np.pi * octaves) ** 2
        return gain

    mask = np.ones(hz.size) if low_hz == 0.0 else rising(low_hz)
    if high_hz < 11_025.0:
        mask = mask * (1.0 - rising(high_hz))
    mask[0] = 0.0
    return mask.astype(np.float32)


def _crest_db(peak: float, mean_power: float) -> float | None:
    return amplitude_db(peak / mean_power**0.5) if mean_power > 1e-14 else None


def _punch_db(energy: Array) -> float | None:
    """Median rise of the band's attacks, 0 where nothing rises by 3 dB, None in silence."""
    if energy.size < 100 or not energy.max() > 1e-14:
        return None
    total = np.concatenate([[0.0], np.cumsum(energy)])
    after = (total[_AFTER_STEPS:] - total[:-_AFTER_STEPS])[_BEFORE_STEPS:] / _AFTER_STEPS
    before = (total[_BEFORE_STEPS:] - total[:-_BEFORE_STEPS])[: after.size] / _BEFORE_STEPS
    loud = float(np.percentile(after, 95))
    rise = 10.0 * np.log10((after + 1e-6 * loud) / (before + 1e-6 * loud))
    around = np.pad(rise, _BEFORE_STEPS, constant_values=-np.inf)
    highest = np.lib.stride_tricks.sliding_window_view(around, 2 * _BEFORE_STEPS + 1).max(axis=1)
    attacks = (rise == highest) & (rise >= LEAST_RISE_DB)
    attacks &= after > loud * 10.0 ** (-_QUIETEST_DB / 10.0)
    return round(float(np.median(rise[attacks])), 2) if attacks.any() else 0.0
