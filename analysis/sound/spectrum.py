"""Long-term average spectrum at full bandwidth, and the level of seven bands.

Two channels share one complex transform: with Z = FFT(left + i right), Z(k) Z(N-k) =
|L|^2 - |R|^2 + 2i Re(L R*), which also gives the correlation of every band for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from analysis.sound import mel
from analysis.sound.decibels import ratio_db

Array = npt.NDArray[np.float64]

BANDS: tuple[tuple[str, float, float], ...] = (
    ("sub", 20.0, 60.0),
    ("bass", 60.0, 250.0),
    ("low_mids", 250.0, 500.0),
    ("mids", 500.0, 2_000.0),
    ("high_mids", 2_000.0, 4_000.0),
    ("presence", 4_000.0, 6_000.0),
    ("brilliance", 6_000.0, 20_000.0),
)
"""Name, lowest and highest frequency in Hz."""

FRACTION = 6
_LOWEST_HZ = 20.0
_HIGHEST_HZ = 20_000.0
_WINDOW_S = 0.37
FLOOR_DB = -100.0


@dataclass(frozen=True)
class BandLevel:
    """One band: edges in Hz and its power in dB relative to the sum of all seven.

    ``high_hz`` is lower than the band's nominal edge where the sound (or the mel picture) ends
    below it. ``correlation`` of left and right in the band, where it was measured.
    """

    name: str
    low_hz: float
    high_hz: float
    level_db: float
    correlation: float | None = None


@dataclass(frozen=True)
class Spectrum:
    """Average spectrum of the whole sound, mean of left and right.

    ``levels_db[i]`` is the power in the sixth of an octave around ``frequencies_hz[i]`` relative
    to the whole, from 20 Hz to 20 kHz or half the sample rate. ``tilt_db_per_octave`` is the
    slope of the power density's regression line from 100 Hz to 10 kHz. ``cutoff_hz`` is where
    the spectrum ends: above it, everything is 60 dB below the level at 1 to 4 kHz or lower.
    """

    frequencies_hz: list[float]
    levels_db: list[float]
    bands: list[BandLevel]
    centroid_hz: float
    tilt_db_per_octave: float
    cutoff_hz: float


class SpectrumMeter:
    """Feed stereo blocks of shape (2, n), then ask :meth:`result`."""

    def __init__(self, *, sample_rate: int) -> None:
        self._rate = sample_rate
        self._n_fft = 1 << max(9, round(np.log2(_WINDOW_S * sample_rate)))
        self._hop = self._n_fft // 2
        self._window = np.hanning(self._n_fft + 1)[:-1].astype(np.float32)
        half = self._n_fft // 2 + 1
        self._power = np.zeros(half)
        self._cross = np.zeros(half)
        self._pending: npt.NDArray[np.complex64] = np.empty(0, dtype=np.complex64)
        self._frames = 0

    def add(self, stereo: npt.NDArray[np.float32]) -> None:
        """Take the next samples, shape (2, n)."""
        packed = np.empty(self._pending.size + stereo.shape[1], dtype=np.complex64)
        packed[: self._pending.size] = self._pending
        packed.real[self._pending.size :] = stereo[0]
        packed.imag[self._pending.size :] = stereo[1]
        n_frames = max(0, 1 + (packed.size - self._n_fft) // self._hop)
        if n_frames:
            self._transform(packed, n_frames)
        self._pending = packed[n_frames * self._hop :].copy()

    def _transform(self, packed: npt.NDArray[np.complex64], n_frames: int) -> None:
        frames = np.lib.stride_tricks.sliding_window_view(packed, self._n_fft)
        frames = frames[:: self._hop][:n_frames] * self._window
        z = scipy.fft.fft(frames, axis=1, overwrite_x=True)
        real, imag = z.real, z.imag
        power = np.einsum("fk,fk->k", real, real) + np.einsum("fk,fk->k", imag, imag)
        self._power += _mirrored(power) / 4
        half = self._n_fft // 2
        up, down = slice(1, half), slice(-1, half, -1)
        cross = np.einsum("fk,fk->k", real[:, up], imag[:, down])
        cross += np.einsum("fk,fk->k", imag[:, up], real[:, down])
        self._cross[up] += cross / 2
        for edge in (0, half):
            self._cross[edge] += float(real[:, edge] @ imag[:, edge])
        self._frames += n_frames

    def result(self) -> Spectrum:
        """The average of everything heard so far."""
        if self._frames == 0:
            self._pending = np.pad(self._pending, (0, self._n_fft - self._pending.size))
            self._transform(self._pending, 1)
        hz = np.arange(self._power.size) * (self._rate / self._n_fft)
        nyquist = self._rate / 2
        power = Cumulative(self._power, hz)
        cross = Cumulative(self._cross, hz)
        total = power.between(_LOWEST_HZ, min(_HIGHEST_HZ, nyquist))
        half_band = 2.0 ** (0.5 / FRACTION)
        steps = np.arange(int(np.log2(_HIGHEST_HZ / _LOWEST_HZ) * FRACTION) + 1)
        centres = _LOWEST_HZ * 2.0 ** (steps / FRACTION)
        centres = centres[centres * half_band <= nyquist]
        levels = [
            _level(power.between(centre / half_band, centre * half_band), total)
            for centre in centres
        ]
        density = np.array(levels) - 10.0 * np.log10(centres)
        return Spectrum(
            frequencies_hz=[round(float(centre), 2) for centre in centres],
            levels_db=levels,
            bands=_bands(power, cross, nyquist),
            centroid_hz=round(float((hz * self._power).sum() / max(self._power.sum(), 1e-30)), 1),
            tilt_db_per_octave=_tilt(centres, density),
            cutoff_hz=_cutoff_hz(centres, density),
        )


def _mirrored(power: npt.NDArray[np.float32]) -> Array:
    """Sum of bins k and N - k for k = 0 .. N / 2, from all N bins."""
    half = power.size // 2
    folded = power[: half + 1].astype(np.float64)
    folded[0] *= 2
    folded[1:half] += power[:half:-1]
    folded[half] *= 2
    return folded


class Cumulative:
    """Power between any two frequencies of a spectrum given at evenly spaced ones."""

    def __init__(self, power: Array, hz: Array) -> None:
        half_bin = (hz[1] - hz[0]) / 2
        self._edges = np.concatenate([[hz[0]], hz + half_bin])
        self._sums = np.concatenate([[0.0], np.cumsum(power)])

    def between(self, low_hz: float, high_hz: float) -> float:
        low, high = np.interp([low_hz, high_hz], self._edges, self._sums)
        return float(high - low)


def band_levels_from_mel(mel_uint8: npt.NDArray[np.uint8]) -> list[BandLevel]:
    """Seven band levels from a mel picture (128, T), comparable with a corpus of such pictures.

    The picture is turned back into power with the contract of :mod:`analysis.sound.mel` (0 is
    80 dB below 255), averaged over time, and weighted by each filter's width, because Slaney's
    filters hold densities. The last band ends at 11,025 Hz and says so. A picture does not say
    how far its quietest cell lies below the loudest: for music without any pause, where that is
    less than 80 dB, levels come out too far apart, in the corpus and here alike.
    """
    power = mel_band_power(mel_uint8)
    edges = mel_band_edges_hz()
    nyquist = mel.SAMPLE_RATE / 2
    parts = []
    for name, low_hz, high_hz in BANDS:
        top_hz = min(high_hz, nyquist)
        overlap = np.minimum(edges[1:], top_hz) - np.maximum(edges[:-1], low_hz)
        share = np.clip(overlap, 0.0, None) / np.diff(edges)
        parts.append((name, low_hz, top_hz, float((power * share).sum())))
    total = sum(part[3] for part in parts)
    return [
        BandLevel(name=name, low_hz=low, high_hz=high, level_db=_level(value, total))
        for name, low, high, value in parts
    ]


def mel_band_power(mel_uint8: npt.NDArray[np.uint8]) -> Array:
    """Mean power in each of the 128 mel bands of a picture (128, T), relative to nothing."""
    if mel_uint8.ndim != 2 or mel_uint8.shape[0] != mel.N_MELS or mel_uint8.shape[1] == 0:
        raise ValueError(f"expected a mel picture of shape (128, T), got {mel_uint8.shape}")
    steps = np.arange(256)
    power_of_step = 10.0 ** ((steps / 255.0 - 1.0) * mel.TOP_DB / 10.0)
    power_of_step[0] = 0.0
    return power_of_step[mel_uint8].mean(axis=1) * np.diff(mel_band_edges_hz())


def mel_band_edges_hz() -> Array:
    """Frequencies in Hz half way between neighbouring mel filters, shape (129,)."""
    centres = mel.mel_frequencies_hz()
    return np.concatenate([[0.0], (centres[1:] + centres[:-1]) / 2, [mel.SAMPLE_RATE / 2]])


def _bands(power: Cumulative, cross: Cumulative, nyquist: float) -> list[BandLevel]:
    parts = []
    for name, low_hz, high_hz in BANDS:
        top_hz = min(high_hz, nyquist)
        if top_hz > low_hz:
            parts.append((name, low_hz, top_hz, power.between(low_hz, top_hz)))
    total = sum(part[3] for part in parts)
    return [
        BandLevel(
            name=name,
            low_hz=low,
            high_hz=high,
            level_db=_level(value, total),
            correlation=_band_correlation(cross.between(low, high), value),
        )
        for name, low, high, value in parts
    ]


def _band_correlation(cross: float, power: float) -> float | None:
    """2 Re(LR*) / (|L|^2 + |R|^2): correlation that a level difference also lowers."""
    if power <= 0.0:
        return None
    return round(float(np.clip(cross / power, -1.0, 1.0)), 4)


def _level(power: float, total: float) -> float:
    level = ratio_db(power, total)
    return FLOOR_DB if level is None else max(FLOOR_DB, level)


def _tilt(centres: Array, density: Array) -> float:
    inside = (centres >= 100.0) & (centres <= 10_000.0) & (density > FLOOR_DB)
    if inside.sum() < 2:
        return 0.0
    return round(float(np.polyfit(np.log2(centres[inside]), density[inside], 1)[0]), 3)


def _cutoff_hz(centres: Array, density: Array) -> float:
    middle = density[(centres >= 1_000.0) & (centres <= 4_000.0)]
    reference = float(middle.max()) if middle.size else float(density.max())
    heard = np.flatnonzero(density > reference - 60.0)
    return round(float(centres[heard[-1]] if heard.size else centres[-1]), 1)
