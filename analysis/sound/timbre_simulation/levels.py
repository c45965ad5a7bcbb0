"""As loud as before, and never over the ceiling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CEILING_DBTP = -1.0
"""Highest true peak of what is rendered, unless the original's own is higher."""

_LOOK_S = 0.004
_MOST_ROUNDS = 6
_CLOSE_LU = 0.04
_LEAST_SLOPE = 0.15
_MARGIN_DB = 0.02

Sound = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Level:
    """Loudness in LUFS (None in silence) and true peak in dBTP (minus infinity in silence)."""

    integrated_lufs: float | None
    true_peak_dbtp: float


@dataclass(frozen=True)
class Matched:
    """``gain_db`` matched the loudness; the limiter took up to ``limited_db`` off single peaks."""

    samples: Sound
    level: Level
    gain_db: float
    limited_db: float


def level_of(samples: Sound, sample_rate: int) -> Level:
    """Loudness and true peak of a mono or stereo sound (channels, n)."""
    return Level(_loudness(samples, sample_rate), _true_peak(samples, sample_rate))


def match(samples: Sound, sample_rate: int, original: Level) -> Matched:
    """Bring a sound (channels, n) to the loudness of the original, under the ceiling.

    The ceiling is -1 dBTP, or the original's true peak where that is higher. Silence stays as it
    is. Peaks that would pass are turned down by a limiter that looks 4 ms ahead and back; what it
    takes off the loudness is given back, as far as there is room: a voice without peaks that is
    already at the ceiling stays quieter, which ``level`` tells.
    """
    ceiling_dbtp = max(CEILING_DBTP, original.true_peak_dbtp)
    loudness = _loudness(samples, sample_rate)
    if original.integrated_lufs is None or loudness is None:
        return Matched(samples, level_of(samples, sample_rate), 0.0, 0.0)
    gain_db = original.integrated_lufs - loudness
    limited, limited_db = _limited(samples, gain_db, sample_rate, ceiling_dbtp)
    before_db, before_lu = gain_db, None
    for _ in range(_MOST_ROUNDS):
        after = _loudness(limited, sample_rate) if limited_db else original.integrated_lufs
        missing_lu = 0.0 if after is None else original.integrated_lufs - after
        if abs(missing_lu) <= _CLOSE_LU:
            break
        # The limiter eats part of every decibel: how much, the last two rounds tell.
        slope = 1.0
        if before_lu is not None and gain_db != before_db:
            slope = (before_lu - missing_lu) / (gain_db - before_db)
        before_db, before_lu = gain_db, missing_lu
        gain_db += missing_lu / min(max(slope, _LEAST_SLOPE), 1.0)
        limited, limited_db = _limited(samples, gain_db, sample_rate, ceiling_dbtp)
    return Matched(limited, level_of(limited, sample_rate), gain_db, limited_db)


def hold_under(samples: Sound, sample_rate: int, original: Level) -> Sound:
    """A sound (channels, n) with single peaks turned down to the same ceiling; its loudness is left
    to itself."""
    ceiling_dbtp = max(CEILING_DBTP, original.true_peak_dbtp)
    return _limit(samples, sample_rate, ceiling_dbtp)[0]


def _limited(
    samples: Sound, gain_db: float, sample_rate: int, ceiling_dbtp: float
) -> tuple[Sound, float]:
    return _limit(samples * np.float32(_ratio(gain_db)), sample_rate, ceiling_dbtp)


def _limit(samples: Sound, sample_rate: int, ceiling_dbtp: float) -> tuple[Sound, float]:
    """The sound under the ceiling, and by how much the highest peak was lowered in dB."""
    peak_dbtp = _true_peak(samples, sample_rate)
    if peak_dbtp <= ceiling_dbtp:
        return samples, 0.0
    import scipy.ndimage

    look = max(1, round(_LOOK_S * sample_rate))
    ceiling = _ratio(ceiling_dbtp - _MARGIN_DB)
    wanted = np.minimum(1.0, ceiling / np.maximum(_peaks(samples, ceiling), 1e-9))
    held = scipy.ndimage.minimum_filter1d(wanted, 2 * look + 1)
    # A mean over no more than what was held is never above what is wanted in its middle.
    gain = scipy.ndimage.uniform_filter1d(scipy.ndimage.uniform_filter1d(held, look), look)
    limited = (samples * gain).astype(np.float32)
    over_db = _true_peak(limited, sample_rate) - ceiling_dbtp
    if over_db > 0.0:
        limited *= np.float32(_ratio(-over_db))
    return limited, peak_dbtp - ceiling_dbtp


def _peaks(samples: Sound, ceiling: float) -> npt.NDArray[np.float64]:
    """Highest magnitude (n,) at and around each sample, between samples too, of all channels.

    Waves between samples are looked at in rows that come near the ceiling only.
    """
    from analysis.sound.true_peak import interpolation_kernels

    peaks = np.abs(samples).max(axis=0).astype(np.float64)
    kernels = interpolation_kernels(4)
    reach = kernels.shape[1] // 2
    bound = float(np.abs(kernels).sum(axis=1).max())
    near = np.flatnonzero(peaks * bound > ceiling)
    padded = np.pad(samples, ((0, 0), (reach, reach)))
    for part in np.array_split(near, max(1, near.size // 65_536)):
        # Tap k of an in-between value after sample i is sample i - reach + 1 + k.
        around = padded[:, part[:, None] + np.arange(1, 2 * reach + 1)]
        between = np.abs(around @ kernels.T.astype(np.float32)).max(axis=(0, 2))
        np.maximum.at(peaks, part, between)
        np.maximum.at(peaks, np.minimum(part + 1, peaks.size - 1), between)
    return peaks


def _loudness(samples: Sound, sample_rate: int) -> float | None:
    from analysis.sound.loudness import GATING_HOP_STEPS, MOMENTARY_STEPS, LoudnessMeter
    from analysis.sound.loudness import integrated_lufs as gated

    meter = LoudnessMeter(
        sample_rate=sample_rate, channel_layout="mono" if samples.shape[0] == 1 else "stereo"
    )
    meter.add(samples)
    powers = meter.powers
    if powers.size < MOMENTARY_STEPS:
        return None
    total = np.concatenate([[0.0], np.cumsum(powers)])
    momentary = (total[MOMENTARY_STEPS:] - total[:-MOMENTARY_STEPS]) / MOMENTARY_STEPS
    return gated(momentary[::GATING_HOP_STEPS])


def _true_peak(samples: Sound, sample_rate: int) -> float:
    from analysis.sound.true_peak import TruePeakMeter

    meter = TruePeakMeter(sample_rate=sample_rate, channels=samples.shape[0])
    meter.add(samples)
    return _decibels(meter.finish())


def _ratio(decibels: float) -> float:
    return float(10.0 ** (decibels / 20.0))


def _decibels(ratio: float) -> float:
    return 20.0 * math.log10(ratio) if ratio > 0.0 else -math.inf
