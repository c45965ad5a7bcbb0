"""The picture of a clip: a spectrogram over a logarithmic axis of frequencies."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from analysis.labels.spectrogram_axis import HEIGHT_PX, HIGHEST_HZ, LOWEST_HZ
from analysis.pictures import spectrogram_png
from analysis.sound.voice.measures import RATE_HZ

_WINDOW = 1_024  # 32 ms: harmonics of low voices stand apart, consonants stay sharp
_TRANSFORM = 4_096
_HOP = 160  # 5 ms
_RANGE_DB = 75.0
# Voices lose some 6 dB an octave; without this the upper half of the picture would be dark.
_LIFT_DB_PER_OCTAVE = 3.0


def clip_spectrogram_png(samples: npt.NDArray[np.floating]) -> bytes:
    """PNG of mono sound (n,) at 32 kHz: 200 columns a second, 256 rows from 60 Hz to 16 kHz.

    Each row holds the strongest of the frequencies that it stands for.
    """
    power_db = _power_db(np.asarray(samples, dtype=np.float32))
    edges_hz = np.geomspace(LOWEST_HZ, HIGHEST_HZ, HEIGHT_PX + 1)
    bins = edges_hz / (RATE_HZ / _TRANSFORM)
    rows = np.empty((HEIGHT_PX, power_db.shape[1]), dtype=np.float32)
    for row, (low, high) in enumerate(itertools.pairwise(bins)):
        first, last = int(np.ceil(low)), int(np.floor(high))
        if last > first:
            rows[row] = power_db[first : last + 1].max(axis=0)
        else:
            rows[row] = _between(power_db, 0.5 * (low + high))
    centres_hz = np.sqrt(edges_hz[:-1] * edges_hz[1:])
    rows += (_LIFT_DB_PER_OCTAVE * np.log2(centres_hz / 1_000.0))[:, None].astype(np.float32)
    top = float(np.quantile(rows, 0.999))
    shade = np.clip((rows - top) / _RANGE_DB + 1.0, 0.0, 1.0) * 255.0
    return spectrogram_png(shade.astype(np.uint8))


def _power_db(sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Power in dB, shape (bins, columns), columns centred on every fifth millisecond."""
    padded = np.pad(sound, _WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    spectrum = np.fft.rfft(frames * np.hanning(_WINDOW).astype(np.float32), _TRANSFORM, axis=1)
    power = np.square(np.abs(spectrum)).T
    return (10.0 * np.log10(power + 1e-9)).astype(np.float32)


def _between(power_db: npt.NDArray[np.float32], at: float) -> npt.NDArray[np.float32]:
    below = min(int(at), power_db.shape[0] - 2)
    share = np.float32(min(at - below, 1.0))
    return (1 - share) * power_db[below] + share * power_db[below + 1]
