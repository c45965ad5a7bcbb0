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
from analysis.sound.band_course import BandCourse, band_course
from analysis.sound.bands import BANDS, FLOOR_DB, BandLevel, Cumulative, level_db
from analysis.sound.codec_edge import codec_cutoff_hz
from analysis.sound.decibels import ratio_db
from analysis.sound.history import History
from analysis.sound.k_weighting import k_weighting_power
from analysis.sound.resonances import Resonance, find_resonances
from analysis.sound.stereo_bands import LOW_END_HZ, BandImage, band_image

Array = npt.NDArray[np.float64]

FRACTION = 6
_LOWEST_HZ = 20.0
_HIGHEST_HZ = 20_000.0
_WINDOW_S = 0.37


@dataclass(frozen=True)
class Spectrum:
    """Average spectrum of the whole sound, mean of left and right.

    ``levels_db[i]`` is the power in the sixth of an octave around ``frequencies_hz[i]`` relative
    to the whole, from 20 Hz to 20 kHz or half the sample rate. ``tilt_db_per_octave`` is the
    slope of the power density's regression line from 100 Hz to 10 kHz. ``cutoff_hz`` is where
    the spectrum ends: above it, everything is 60 dB below the level at 1 to 4 kHz or lower.

    ``k_offset_db`` added to a level makes it relative to the K-weighted whole, as loudness meters
    weigh it. ``codec_cutoff_hz`` is where a lossy encoder cut the spectrum off, None without such
    a wall. ``band_course`` is the bands' level through time, ``resonances`` the narrow peaks that
    stay through the whole sound.
    """

    frequencies_hz: list[float]
    levels_db: list[float]
    bands: list[BandLevel]
    centroid_hz: float
    tilt_db_per_octave: float
    cutoff_hz: float
    k_offset_db: float
    codec_cutoff_hz: float | None
    band_course: BandCourse
    resonances: list[Resonance]


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
        self._difference = np.zeros(half)
        self.history = History(bin_hz=sample_rate / self._n_fft, nyquist_hz=sample_rate / 2)
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
        power = _mean_power(z)
        self._power += power.sum(axis=0)
        self.history.add(power)
        half = self._n_fft // 2
        up, down = slice(1, half), slice(-1, half, -1)
        both = (z[:, up] * z[:, down]).sum(axis=0)
        self._cross[up] += both.imag / 2
        self._difference[up] += both.real / 2
        for edge in (0, half):
            left, right = z.real[:, edge], z.imag[:, edge]
            self._cross[edge] += float(left @ right)
            self._difference[edge] += float(left @ left - right @ right) / 2
        self._frames += n_frames

    def result(self) -> Spectrum:
        """The average of everything heard so far."""
        self._close()
        hz = self._hz()
        nyquist = self._rate / 2
        power, cross = Cumulative(self._power, hz), Cumulative(self._cross, hz)
        total = power.between(_LOWEST_HZ, min(_HIGHEST_HZ, nyquist))
        row_s = self._hop * self.history.frames_per_row / self._rate
        half_band = 2.0 ** (0.5 / FRACTION)
        steps = np.arange(int(np.log2(_HIGHEST_HZ / _LOWEST_HZ) * FRACTION) + 1)
        centres = _LOWEST_HZ * 2.0 ** (steps / FRACTION)
        centres = centres[centres * half_band <= nyquist]
        levels = [
            level_db(power.between(centre / half_band, centre * half_band), total)
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
            k_offset_db=_k_offset_db(self._power, hz, self._rate, total),
            codec_cutoff_hz=codec_cutoff_hz(self._power, bin_hz=float(hz[1])),
            band_course=band_course(
                self.history, row_s=row_s, bands=BANDS, total_power=total / self._frames
            ),
            resonances=find_resonances(self.history, row_s=row_s),
        )

    def images(self) -> tuple[list[BandImage], BandImage]:
        """Stereo image of each of the seven bands, and of the low end below 120 Hz."""
        self._close()
        hz, nyquist = self._hz(), self._rate / 2
        power, cross = Cumulative(self._power, hz), Cumulative(self._cross, hz)
        difference = Cumulative(self._difference, hz)
        total = power.between(_LOWEST_HZ, min(_HIGHEST_HZ, nyquist))

        def image(name: str, low_hz: float, high_hz: float) -> BandImage:
            return band_image(
                name,
                low_hz,
                high_hz,
                power=power.between,
                cross=cross.between,
                difference=difference.between,
                total=total,
            )

        bands = [image(name, low, min(high, nyquist)) for name, low, high in BANDS if low < nyquist]
        return bands, image("low_end", *LOW_END_HZ)

    def _close(self) -> None:
        """A sound shorter than a frame is heard as one, followed by silence."""
        if self._frames == 0:
            self._pending = np.pad(self._pending, (0, self._n_fft - self._pending.size))
            self._transform(self._pending, 1)

    def _hz(self) -> Array:
        frequencies: Array = np.arange(self._power.size) * (self._rate / self._n_fft)
        return frequencies


def _mean_power(z: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
    """(|L|^2 + |R|^2) / 2 in bins 0 .. N / 2 of frames (n, N) of FFT(left + i right)."""
    parts = z.view(np.float32)
    squares = parts * parts
    power = squares[:, 0::2] + squares[:, 1::2]
    half = power.shape[1] // 2
    folded = power[:, : half + 1].copy()
    folded[:, 1:half] += power[:, :half:-1]
    folded *= np.float32(0.25)
    folded[:, [0, half]] *= 2
    return folded


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
        BandLevel(name=name, low_hz=low, high_hz=high, level_db=level_db(value, total))
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
            level_db=level_db(value, total),
            correlation=_band_correlation(cross.between(low, high), value),
        )
        for name, low, high, value in parts
    ]


def _band_correlation(cross: float, power: float) -> float | None:
    """2 Re(LR*) / (|L|^2 + |R|^2): correlation that a level difference also lowers."""
    if power <= 0.0:
        return None
    return round(float(np.clip(cross / power, -1.0, 1.0)), 4)


def _tilt(centres: Array, density: Array) -> float:
    inside = (centres >= 100.0) & (centres <= 10_000.0) & (density > FLOOR_DB)
    if inside.sum() < 2:
        return 0.0
    return round(float(np.polyfit(np.log2(centres[inside]), density[inside], 1)[0]), 3)


def _k_offset_db(power: Array, hz: Array, sample_rate: int, total: float) -> float:
    """Level of the whole over that of the K-weighted whole, in dB."""
    offset = ratio_db(total, float((power * k_weighting_power(hz, sample_rate)).sum()))
    return 0.0 if offset is None else offset


def _cutoff_hz(centres: Array, density: Array) -> float:
    middle = density[(centres >= 1_000.0) & (centres <= 4_000.0)]
    reference = float(middle.max()) if middle.size else float(density.max())
    heard = np.flatnonzero(density > reference - 60.0)
    return round(float(centres[heard[-1]] if heard.size else centres[-1]), 1)
