"""Mains hum: steady lines at 50 or 60 Hz and their multiples, under the whole recording.

A bass note sits on the tempered scale, comes and goes. Hum stays at the mains frequency at one
level, and lies bare where the music is quiet. Around each multiple a band of a few hertz is cut out
and moved down to zero; there a hum stands still while music moves. Each moment counts by the
inverse of its power, which is the least-squares estimate of a constant under changing noise: the
quietest moments tell most. Stretches of half a minute are looked at on their own, because the mains
frequency drifts, and the line must stand in the typical one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft
import soxr

from analysis.sound.decibels import power_db

MAINS_HZ = (50.0, 60.0)
MULTIPLES = 10
LEAST_LINES = 3
LEAST_PROMINENCE_DB = 2.5
"""By which a line must top 99 % of its surroundings: the beat of a sequencer makes combs of lines
as strong as each other, and some of them fall on multiples of 50 or 60 Hz."""

LARGEST_DEVIATION_HZ = 0.2
"""The grid keeps within 0.2 Hz, and converters and tape add little."""

SHORTEST_S = 10.0
_RATE = 1_400
_STRETCH_S = 30.0
_REACH_HZ = 8.0
_FREQUENCY_STEP_HZ = 0.005
_QUIET_S = 0.1
_LEVEL_QUIET_S = 0.5
_SOFTEST = 1e-4
_SURROUNDINGS_HZ = 3.0
_PADDING = 4

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hum:
    """``mains_hz`` is 50 or 60; ``freq_hz`` what was found; ``lines_hz`` the multiples heard.

    ``level_db`` is the power of all lines relative to the mean power of the whole sound, and
    ``level_dbfs`` that power relative to a full-scale sine.
    """

    mains_hz: float
    freq_hz: float
    lines_hz: list[float]
    level_db: float
    level_dbfs: float


def find_hum(mono: npt.NDArray[np.float32], *, sample_rate: int) -> Hum | None:
    """The hum in a mono signal (n_samples,), or None where there is none to be heard for sure."""
    if mono.size < SHORTEST_S * sample_rate:
        return None
    mean_power = float(np.dot(mono, mono)) / mono.size
    if not mean_power > 0.0:
        return None
    slow = soxr.resample(mono, sample_rate, _RATE, quality="MQ")
    count = max(1, round(slow.size / _RATE / _STRETCH_S))
    size = slow.size // count
    spectra = [
        scipy.fft.rfft(slow[start : start + size].astype(np.float64))
        for start in range(0, count * size, size)
    ]
    found = [_hum(spectra, size, mains_hz, mean_power) for mains_hz in MAINS_HZ]
    heard = [hum for hum in found if hum is not None]
    return max(heard, key=lambda hum: (len(hum.lines_hz), hum.level_db)) if heard else None


def _hum(spectra: list[Array], size: int, mains_hz: float, mean_power: float) -> Hum | None:
    candidates_hz = mains_hz + np.arange(
        -LARGEST_DEVIATION_HZ, LARGEST_DEVIATION_HZ + 1e-9, _FREQUENCY_STEP_HZ
    )
    powers, prominences_db = [], []
    for multiple in range(1, MULTIPLES + 1):
        rows = [_line(spectrum, size, multiple, mains_hz, candidates_hz) for spectrum in spectra]
        power, prominence_db = np.median(rows, axis=0)
        powers.append(power)
        prominences_db.append(prominence_db)
    prominence = np.array(prominences_db)
    standing = prominence >= LEAST_PROMINENCE_DB
    score = np.clip(prominence, 0.0, 18.0).sum(axis=0)
    best = int(np.lexsort((score, standing.sum(axis=0)))[-1])
    lines = np.flatnonzero(standing[:, best])
    if lines.size < LEAST_LINES or not _begins_low(set(lines + 1)):
        return None
    power = float(np.array(powers)[lines, best].sum())
    level_db, level_dbfs = power_db(power / mean_power), power_db(2.0 * power)
    if level_db is None or level_dbfs is None:
        return None
    freq_hz = float(candidates_hz[best])
    return Hum(
        mains_hz=mains_hz,
        freq_hz=round(freq_hz, 2),
        lines_hz=[round(float((line + 1) * freq_hz), 1) for line in lines],
        level_db=round(level_db, 1),
        level_dbfs=round(level_dbfs, 1),
    )


def _begins_low(multiples: set[int]) -> bool:
    """Hum is strongest in its lowest multiples, or in the even ones behind a rectifier. Scattered
    higher ones are notes of a synthesiser that happens to be tuned so."""
    return len(multiples & {1, 2, 3}) >= 2 or {2, 4} <= multiples


def _line(
    spectrum: Array, size: int, multiple: int, mains_hz: float, candidates_hz: Array
) -> tuple[Array, Array]:
    """Power and prominence (dB) of one multiple at each candidate mains frequency."""
    bin_hz = _RATE / size
    middle = round(multiple * mains_hz / bin_hz)
    reach = round(_REACH_HZ / bin_hz)
    # The band around the multiple as a signal of its own, with the multiple at zero hertz.
    band = np.roll(spectrum[middle - reach : middle + reach], reach)
    still = scipy.fft.ifft(band) * (band.size / size)
    per_second = band.size * bin_hz
    padded = _PADDING * still.size
    estimate = _standing_power(still, padded, quiet=round(_QUIET_S * per_second))
    step_hz = per_second / padded
    offsets_hz = multiple * candidates_hz - middle * bin_hz
    at = np.round(offsets_hz / step_hz).astype(int) % padded
    distance_hz = np.abs(scipy.fft.fftfreq(padded, 1.0 / per_second))
    own_hz = multiple * LARGEST_DEVIATION_HZ * 0.5 + 0.3
    around = estimate[(distance_hz > own_hz) & (distance_hz < own_hz + _SURROUNDINGS_HZ)]
    prominence_db = 10.0 * np.log10((estimate[at] + 1e-30) / (np.percentile(around, 99) + 1e-30))
    # The shortest moments are quiet where music happens to cancel the hum, so its level is read
    # with longer ones. A line of amplitude a has a / 2 in the one-sided band.
    level = _standing_power(still, padded, quiet=round(_LEVEL_QUIET_S * per_second))
    return 2.0 * level[at], prominence_db


def _standing_power(still: npt.NDArray[np.complex128], padded: int, *, quiet: int) -> Array:
    """Power of a constant at each frequency offset, moments weighted by their inverse power
    (averaged over *quiet* samples), shape (padded,)."""
    width = max(1, quiet)
    power = np.convolve(np.abs(still) ** 2, np.full(width, 1.0 / width), mode="same")
    weight = np.hanning(still.size + 2)[1:-1] ** 0.5
    weight /= power + _SOFTEST * power.mean() + 1e-30
    estimate: Array = np.abs(scipy.fft.fft(still * weight, padded) / weight.sum()) ** 2
    return estimate
