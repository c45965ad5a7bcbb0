"""Where there is singing, by the level of the separated voice.

Both sounds are measured in the voice's band every 20 ms. A frame opens the gate if the voice is
loud enough for anybody to hear, not far below the loud parts of the same voice, and not buried
under what plays with it: a separator leaves a faint ghost of the accompaniment in the voice's
stem, 15 to 30 dB below its source. It stays open a little below these limits (hysteresis), through
short breaths, and a little before and after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal

from analysis.neural.lyrics.sound import SAMPLE_RATE, Samples

HOP_S = 0.02
_HOP = round(HOP_S * SAMPLE_RATE)
_SMOOTHED_FRAMES = 5
_BAND_HZ = (120.0, 6000.0)
_SILENCE_DB = -120.0
# Full scale of one second that is loudest of all: below it nobody sings.
LOUD_PERCENTILE = 95.0


@dataclass(frozen=True)
class GateSettings:
    """Limits of the gate; levels in dB, times in seconds.

    ``floor_dbfs`` is the lowest level of a voice. ``below_loud_db`` is how far under the voice's
    own loud parts it may lie. ``beside_mix_db`` is the lowest level relative to what plays with
    it. ``hysteresis_db`` lower, an open gate closes. ``least_singing_s`` is the least singing in
    all for a recording to count as sung.
    """

    floor_dbfs: float = -50.0
    below_loud_db: float = 30.0
    beside_mix_db: float = -14.0
    hysteresis_db: float = 6.0
    shortest_singing_s: float = 0.2
    shortest_rest_s: float = 0.5
    before_s: float = 0.3
    after_s: float = 0.3
    least_singing_s: float = 1.0


@dataclass(frozen=True)
class Region:
    """A stretch of time in seconds."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    def overlap_s(self, start_s: float, end_s: float) -> float:
        """Seconds shared with another stretch."""
        return max(0.0, min(self.end_s, end_s) - max(self.start_s, start_s))


@dataclass(frozen=True)
class Singing:
    """Where a voice sings: strictly (``voiced``) and with some room around (``regions``)."""

    voiced: tuple[Region, ...]
    regions: tuple[Region, ...]
    duration_s: float

    @property
    def singing_s(self) -> float:
        return sum(region.duration_s for region in self.voiced)

    def voiced_s(self, start_s: float, end_s: float) -> float:
        """Seconds of singing from one time to another."""
        return sum(region.overlap_s(start_s, end_s) for region in self.voiced)


def find_singing(
    vocals: Samples, accompaniment: Samples | None = None, settings: GateSettings | None = None
) -> Singing:
    """Singing in a voice's stem (n,) beside its accompaniment (n,), both at 16 kHz."""
    limits = settings or GateSettings()
    duration_s = len(vocals) / SAMPLE_RATE
    level_db = frame_levels_db(vocals)
    if not len(level_db):
        return Singing((), (), duration_s)
    over_db = _over_limits_db(level_db, accompaniment, limits)
    open_frames = _hysteresis(over_db, limits.hysteresis_db)
    voiced = _regions(open_frames, limits, duration_s)
    if sum(region.duration_s for region in voiced) < limits.least_singing_s:
        return Singing((), (), duration_s)
    return Singing(voiced, _with_room(voiced, limits, duration_s), duration_s)


def everything(duration_s: float) -> Singing:
    """No gate: all of the recording counts as singing."""
    whole = (Region(0.0, duration_s),) if duration_s > 0 else ()
    return Singing(whole, whole, duration_s)


def frame_levels_db(samples: Samples) -> npt.NDArray[np.float64]:
    """Level of every 20 ms in the voice's band in dBFS, smoothed over 100 ms, shape (frames,)."""
    count = len(samples) // _HOP
    if count == 0:
        return np.zeros(0)
    band = signal.butter(2, _BAND_HZ, "bandpass", fs=SAMPLE_RATE, output="sos")
    heard = signal.sosfilt(band, samples)[: count * _HOP].reshape(count, _HOP)
    power = np.mean(np.square(heard, dtype=np.float64), axis=1)
    width = np.ones(_SMOOTHED_FRAMES)
    smooth = np.convolve(power, width, "same") / np.convolve(np.ones(count), width, "same")
    return 10.0 * np.log10(np.maximum(smooth, 10.0 ** (_SILENCE_DB / 10.0)))


def _over_limits_db(
    level_db: npt.NDArray[np.float64], accompaniment: Samples | None, limits: GateSettings
) -> npt.NDArray[np.float64]:
    """How far each frame lies over the highest of its limits."""
    loud_db = float(np.percentile(level_db, LOUD_PERCENTILE))
    needed_db = np.full(len(level_db), max(limits.floor_dbfs, loud_db - limits.below_loud_db))
    if accompaniment is not None:
        beside_db = frame_levels_db(accompaniment)[: len(level_db)]
        beside_db = np.pad(
            beside_db, (0, len(level_db) - len(beside_db)), constant_values=_SILENCE_DB
        )
        needed_db = np.maximum(needed_db, beside_db + limits.beside_mix_db)
    return level_db - needed_db


def _hysteresis(over_db: npt.NDArray[np.float64], hysteresis_db: float) -> npt.NDArray[np.bool_]:
    """Frames of runs above ``-hysteresis_db`` that somewhere reach 0."""
    held = over_db > -hysteresis_db
    edges = np.flatnonzero(np.diff(np.concatenate([[False], held, [False]])))
    open_frames = np.zeros(len(over_db), dtype=bool)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if over_db[start:end].max() > 0:
            open_frames[start:end] = True
    return open_frames


def _regions(
    open_frames: npt.NDArray[np.bool_], limits: GateSettings, duration_s: float
) -> tuple[Region, ...]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], open_frames, [False]])))
    joined: list[list[float]] = []
    for start, end in zip(edges[::2] * HOP_S, edges[1::2] * HOP_S, strict=True):
        if joined and start - joined[-1][1] < limits.shortest_rest_s:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return tuple(
        Region(float(start), float(min(end, duration_s)))
        for start, end in joined
        if end - start >= limits.shortest_singing_s
    )


def _with_room(
    voiced: tuple[Region, ...], limits: GateSettings, duration_s: float
) -> tuple[Region, ...]:
    regions: list[Region] = []
    for region in voiced:
        start = max(0.0, region.start_s - limits.before_s)
        end = min(duration_s, region.end_s + limits.after_s)
        if regions and start <= regions[-1].end_s:
            regions[-1] = Region(regions[-1].start_s, end)
        else:
            regions.append(Region(start, end))
    return tuple(regions)
