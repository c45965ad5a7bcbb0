"""The colour of a voice: where its energy lies. All figures are ratios, so level does not matter.

Sources: alpha ratio and Hammarberg index as in Eyben et al. (2016), GeMAPS; brightness after
AudioCommons (Pearce et al. 2017), D5.8; sibilance is the 5 to 10 kHz band that de-essers watch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from analysis.sound.voice.pitch import PitchTrack

WINDOW_S = 0.046
# Long enough to tell the tones of a low voice, and those between them, apart.
TONE_WINDOW_S = 0.092
_HOP_S = 0.010
# Beneath the loudest bin of the whole clip.
_FLOOR_DB = 100.0
_ACTIVE_DB = 40.0
_TILT_HZ = (200.0, 6_400.0)
_BRIGHT_FROM_HZ = 2_000.0
_CENTROID_FROM_HZ = 100.0

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class VoiceSpectrum:
    """What the spectrum of a voice says; None where there is nothing to measure it on.

    tilt_db_per_octave : slope of the density between 200 Hz and 6.4 kHz
    alpha_ratio_db : energy 1 to 5 kHz over 50 Hz to 1 kHz
    hammarberg_db : highest peak below 2 kHz over that from 2 to 5 kHz
    above_6k_db : energy above 6 kHz over all
    centroid_hz : centroid of what lies above 100 Hz, weighted by level
    brightness : AudioCommons' index: 4.613 log10 of the share above 2 kHz + 17.379 log10(centroid)
        + 17.435
    low_mid_db : energy 100 to 500 Hz over 500 Hz to 4 kHz
    first_harmonics_db : energy from F0 to 4 F0 over what lies above, voiced frames
    sibilance_db : 5 to 10 kHz in the 5 % of frames where it is strongest, over the mean of all
    flatness_db : geometric over arithmetic mean, 100 Hz to 8 kHz, voiced frames
    h1_h2_db : first over second harmonic, not corrected for formants
    """

    tilt_db_per_octave: float | None
    alpha_ratio_db: float | None
    hammarberg_db: float | None
    above_6k_db: float | None
    centroid_hz: float | None
    brightness: float | None
    low_mid_db: float | None
    first_harmonics_db: float | None
    sibilance_db: float | None
    flatness_db: float | None
    h1_h2_db: float | None


def measure(samples: npt.NDArray[np.floating], rate: int, pitch: PitchTrack) -> VoiceSpectrum:
    """Measure ``samples`` (n,) at ``rate``, whose pitch is known."""
    frames = Frames.of(samples, rate, pitch)
    if frames is None:
        return VoiceSpectrum(*(None,) * 11)
    mean = frames.power.mean(axis=0)
    voiced, f0 = frames.power[frames.voiced], frames.f0_hz[frames.voiced]
    total = frames.band(mean, 50.0, np.inf)
    centroid = _weighted_centroid(frames)
    bright = frames.band(np.sqrt(mean), _BRIGHT_FROM_HZ, np.inf)
    share = bright / frames.band(np.sqrt(mean), 20.0, np.inf)
    sibilant = np.sort(frames.power[:, frames.bins(5e3, 1e4)].sum(axis=1))
    return VoiceSpectrum(
        tilt_db_per_octave=_tilt(frames, mean),
        alpha_ratio_db=_db(frames.band(mean, 1e3, 5e3), frames.band(mean, 50.0, 1e3)),
        hammarberg_db=_db(frames.peak(mean, 0.0, 2e3), frames.peak(mean, 2e3, 5e3)),
        above_6k_db=_db(frames.band(mean, 6e3, np.inf), total),
        centroid_hz=centroid,
        brightness=float(4.613 * np.log10(share) + 17.379 * np.log10(centroid) + 17.435),
        low_mid_db=_db(frames.band(mean, 100.0, 500.0), frames.band(mean, 500.0, 4e3)),
        first_harmonics_db=_first_harmonics(frames, voiced, f0),
        sibilance_db=_db(float(sibilant[-max(1, len(sibilant) // 20) :].mean()), total),
        flatness_db=_flatness(frames, voiced),
        h1_h2_db=_h1_h2(Frames.of(samples, rate, pitch, window_s=TONE_WINDOW_S)),
    )


@dataclass(frozen=True)
class Frames:
    """Power spectra (n, bins) of the frames that are not silent, with their pitch."""

    power: Float
    hz: Float
    f0_hz: Float

    @classmethod
    def of(
        cls,
        samples: npt.NDArray[np.floating],
        rate: int,
        pitch: PitchTrack,
        *,
        window_s: float = WINDOW_S,
    ) -> Frames | None:
        """None for silence and for less than one frame."""
        size, hop = round(window_s * rate), round(_HOP_S * rate)
        if len(samples) < size or not np.any(samples):
            return None
        transform = 1 << (size - 1).bit_length()
        views = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32), size)[::hop]
        window = np.hanning(size).astype(np.float32)
        spectrum = scipy.fft.rfft(views * window, transform, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        power = np.maximum(power, power.max() * 10.0 ** (-_FLOOR_DB / 10.0))
        energy = power.sum(axis=1)
        active = energy > energy.max() * 10.0 ** (-_ACTIVE_DB / 10.0)
        middle_s = (np.arange(len(views)) * hop + size / 2) / rate
        nearest = np.clip(np.searchsorted(pitch.time_s, middle_s), 0, pitch.time_s.size - 1)
        return cls(
            power=power[active],
            hz=scipy.fft.rfftfreq(transform, 1.0 / rate),
            f0_hz=pitch.f0_hz[nearest][active],
        )

    @property
    def voiced(self) -> npt.NDArray[np.bool_]:
        """Which frames have a pitch."""
        return np.isfinite(self.f0_hz)

    def bins(self, low_hz: float, high_hz: float) -> slice:
        """Which bins lie from low to high."""
        low, high = np.searchsorted(self.hz, [low_hz, high_hz]).tolist()
        return slice(low, high)

    def band(self, spectrum: Float, low_hz: float, high_hz: float) -> float:
        """Sum of a spectrum (bins,) from low to high."""
        return float(spectrum[self.bins(low_hz, high_hz)].sum())

    def peak(self, spectrum: Float, low_hz: float, high_hz: float) -> float:
        """Highest bin of a spectrum from low to high."""
        return float(spectrum[self.bins(low_hz, high_hz)].max(initial=0.0))


def harmonic_levels(frames: Frames, power: Float, at_hz: Float) -> Float:
    """Power of the tones within a bin of given frequencies (n,), per frame of ``power`` (n, bins).

    A parabola through the levels around the highest bin finds the top between the bins.
    """
    centre = np.rint(at_hz / frames.hz[1]).astype(int)
    around = np.clip(centre[:, None] + np.arange(-1, 2), 1, power.shape[1] - 2)
    rows = np.arange(len(power))
    top = around[rows, np.take_along_axis(power, around, axis=1).argmax(axis=1)]
    left, middle, right = (np.log(power[rows, top + step]) for step in (-1, 0, 1))
    bend = left - 2.0 * middle + right
    rise = np.where(bend < 0.0, (left - right) ** 2 / np.where(bend < 0.0, -8.0 * bend, 1.0), 0.0)
    # Beside a tone the parabola would only follow its slope.
    is_top = (middle >= left) & (middle >= right)
    return np.exp(middle + np.where(is_top, rise, 0.0))


def _db(over: float, under: float) -> float | None:
    return float(10.0 * np.log10(over / under)) if over > 0.0 and under > 0.0 else None


def _weighted_centroid(frames: Frames) -> float:
    heard = frames.bins(_CENTROID_FROM_HZ, np.inf)
    magnitude = np.sqrt(frames.power[:, heard]).sum(axis=0)
    return float(magnitude @ frames.hz[heard] / magnitude.sum())


def _tilt(frames: Frames, mean: Float) -> float | None:
    """A line through the densities of bands an octave wide, a third of an octave apart."""
    pitches = frames.f0_hz[frames.voiced]
    lowest = max(_TILT_HZ[0], float(np.median(pitches)) if pitches.size else 0.0)
    centres = lowest * 2.0 ** (np.arange(24) / 3)
    centres = centres[centres * np.sqrt(2.0) <= min(_TILT_HZ[1], frames.hz[-1]) * 1.01]
    if centres.size < 4:
        return None
    levels = [
        10.0 * np.log10(frames.band(mean, hz / np.sqrt(2.0), hz * np.sqrt(2.0)) / hz)
        for hz in centres
    ]
    return float(np.polyfit(np.log2(centres), levels, 1)[0])


def _first_harmonics(frames: Frames, power: Float, f0: Float) -> float | None:
    if not len(power):
        return None
    below = np.cumsum(power, axis=1)
    rows = np.arange(len(power))

    def up_to(hz: Float) -> Float:
        return below[rows, np.minimum((hz / frames.hz[1]).astype(int), below.shape[1] - 1)]

    low, high = up_to(0.6 * f0), up_to(4.5 * f0)
    return _db(float((high - low).sum()), float((below[:, -1] - high).sum()))


def _flatness(frames: Frames, power: Float) -> float | None:
    if not len(power):
        return None
    inside = power[:, frames.bins(100.0, 8e3)]
    ratio = np.log10(inside).mean(axis=1) - np.log10(inside.mean(axis=1))
    return float(10.0 * ratio.mean())


def _h1_h2(frames: Frames | None) -> float | None:
    if frames is None or not frames.voiced.any():
        return None
    power, f0 = frames.power[frames.voiced], frames.f0_hz[frames.voiced]
    first, second = (harmonic_levels(frames, power, n * f0) for n in (1, 2))
    return float(np.mean(10.0 * np.log10(first / second)))
