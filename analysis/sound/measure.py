"""Everything that is measured on a file, from one decode, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import soxr

from analysis.sound import mel
from analysis.sound.decibels import amplitude_db
from analysis.sound.decode import AudioInfo, stream
from analysis.sound.dynamics import Dynamics, dynamics
from analysis.sound.features import Features, features
from analysis.sound.fold import Fold
from analysis.sound.frames import frames
from analysis.sound.hum import Hum, find_hum
from analysis.sound.key import Key, key
from analysis.sound.levels import Levels, LevelsMeter
from analysis.sound.loudness import Loudness, LoudnessMeter
from analysis.sound.peak_loudness import peak_to_short_term
from analysis.sound.rhythm import Rhythm, rhythm
from analysis.sound.spectrum import Spectrum, SpectrumMeter
from analysis.sound.stereo import Stereo, StereoMeter
from analysis.sound.true_peak import TruePeakMeter
from analysis.sound.waveform import Waveform, WaveformMeter

Progress = Callable[[float, str], None]

_DECODING_SHARE = 0.75


@dataclass(frozen=True)
class SoundMeasurements:
    """All measurements of one file; every part but ``mono_22k`` is plain JSON-able data.

    ``mono_22k`` is the mono mix at 22,050 Hz, float32, shape (n_samples,).
    """

    info: AudioInfo
    loudness: Loudness
    levels: Levels
    stereo: Stereo
    spectrum: Spectrum
    dynamics: Dynamics
    hum: Hum | None
    waveform: Waveform
    rhythm: Rhythm
    key: Key
    features: Features
    mono_22k: npt.NDArray[np.float32] = field(repr=False, compare=False)
    sample_rate_mono: int = mel.SAMPLE_RATE


def measure(
    path: str | os.PathLike[str],
    *,
    max_duration_s: float = 3600.0,
    progress: Progress | None = None,
) -> SoundMeasurements:
    """Measure a file of any accepted format.

    Parameters
    ----------
    path : the file.
    max_duration_s : longest sound accepted, in seconds.
    progress : called with a fraction 0..1 and a message, about once per percent.

    Raises
    ------
    UndecodableAudio
        If the file cannot be used; its message is for the person whose file it is.
    """
    report = progress or _ignore
    report(0.0, "Decoding")
    with stream(path, block_s=1.0, max_duration_s=max_duration_s) as blocks:
        meters = Meters(blocks.info)
        reported = 0.0
        for block in blocks:
            meters.add(block)
            done = _DECODING_SHARE * min(
                1.0, blocks.decoded_s / max(blocks.info.duration_s, blocks.decoded_s)
            )
            if done - reported >= 0.01:
                reported = done
                report(done, "Measuring loudness, spectrum and stereo image")
        return meters.result(blocks.info, report)


class Meters:
    """All streaming meters of one file, fed with the same blocks of one second."""

    def __init__(self, info: AudioInfo) -> None:
        self._fold = Fold(info.channel_layout)
        self._loudness = LoudnessMeter(
            sample_rate=info.sample_rate, channel_layout=info.channel_layout
        )
        self._true_peak = TruePeakMeter(sample_rate=info.sample_rate, channels=info.channels)
        self._levels = LevelsMeter(sample_rate=info.sample_rate, channels=info.channels)
        self._stereo = StereoMeter(channels=info.channels)
        self._spectrum = SpectrumMeter(sample_rate=info.sample_rate)
        self._waveform = WaveformMeter()
        self._mono = MonoCollector(sample_rate=info.sample_rate, expected_s=info.duration_s)

    def add(self, block: npt.NDArray[np.float32]) -> None:
        """Take the next samples, shape (channels, n)."""
        self._loudness.add(block)
        self._true_peak.add(block)
        self._levels.add(block)
        stereo = self._fold.stereo(block)
        mono = self._fold.mono(stereo)
        self._stereo.add(stereo)
        self._spectrum.add(stereo)
        self._waveform.add(mono)
        self._mono.add(mono)

    def result(self, info: AudioInfo, report: Progress) -> SoundMeasurements:
        """Close all meters and measure what needs the whole sound."""
        mono = self._mono.result()
        report(_DECODING_SHARE, "Finding tempo and beats")
        moving = frames(mono)
        pulse = rhythm(moving.onset)
        report(0.9, "Finding the key")
        tonality = key(mono)
        report(0.95, "Looking for hum and resonances")
        loudness = self._loudness_with_peaks()
        spectrum = self._spectrum.result()
        report(1.0, "Measured")
        return SoundMeasurements(
            info=info,
            loudness=loudness,
            levels=self._levels.result(),
            stereo=self._image(),
            spectrum=spectrum,
            dynamics=dynamics(mono, powers=self._loudness.powers, peaks=self._levels.peaks),
            hum=find_hum(mono, sample_rate=mel.SAMPLE_RATE),
            waveform=self._waveform.result(),
            rhythm=pulse,
            key=tonality,
            features=features(moving=moving, rhythm=pulse, key=tonality, spectrum=spectrum),
            mono_22k=mono,
        )

    def _image(self) -> Stereo:
        bands, low_end = self._spectrum.images()
        return replace(self._stereo.result(), bands=bands, low_end=low_end)

    def _loudness_with_peaks(self) -> Loudness:
        programme = self._loudness.result()
        true_peak_dbtp = amplitude_db(self._true_peak.finish())
        plr_lu = None
        if true_peak_dbtp is not None and programme.integrated_lufs is not None:
            plr_lu = round(true_peak_dbtp - programme.integrated_lufs, 3)
        ratio = peak_to_short_term(self._levels.peaks, self._loudness.powers)
        return Loudness(
            integrated_lufs=programme.integrated_lufs,
            loudness_range_lu=programme.loudness_range_lu,
            true_peak_dbtp=true_peak_dbtp,
            sample_peak_dbfs=amplitude_db(self._true_peak.sample_peak),
            plr_lu=plr_lu,
            momentary_max_lufs=programme.momentary_max_lufs,
            short_term_max_lufs=programme.short_term_max_lufs,
            short_term_step_s=programme.short_term_step_s,
            short_term_lufs=programme.short_term_lufs,
            momentary_step_s=programme.momentary_step_s,
            momentary_lufs=programme.momentary_lufs,
            psr_min_lu=ratio.least_lu,
            psr_median_lu=ratio.median_lu,
            psr_min_at_s=ratio.least_at_s,
            inter_sample_overs=self._true_peak.overs,
            inter_sample_overs_at_s=self._true_peak.overs_at_s,
        )


class MonoCollector:
    """The mono mix, resampled to 22,050 Hz as it comes, in one array that grows rarely."""

    def __init__(self, *, sample_rate: int, expected_s: float) -> None:
        self._resampler = (
            None
            if sample_rate == mel.SAMPLE_RATE
            else soxr.ResampleStream(sample_rate, mel.SAMPLE_RATE, 1, dtype="float32", quality="HQ")
        )
        # Memory that is never written costs nothing, so a generous guess is free.
        expected = min(max(expected_s, 60.0), 4 * 3600.0) * 1.02 + 2.0
        self._buffer = np.empty(int(expected * mel.SAMPLE_RATE), dtype=np.float32)
        self._filled = 0

    def add(self, mono: npt.NDArray[np.float32]) -> None:
        """Take the next samples of the mono mix at its own rate, shape (n,)."""
        self._append(self._resampler.resample_chunk(mono) if self._resampler else mono)

    def result(self) -> npt.NDArray[np.float32]:
        """All of it at 22,050 Hz, shape (n_samples,)."""
        if self._resampler:
            self._append(self._resampler.resample_chunk(np.empty(0, np.float32), last=True))
        return self._buffer[: self._filled]

    def _append(self, samples: npt.NDArray[np.float32]) -> None:
        needed = self._filled + samples.size
        if needed > self._buffer.size:
            grown = np.empty(int(needed * 1.5), dtype=np.float32)
            grown[: self._filled] = self._buffer[: self._filled]
            self._buffer = grown
        self._buffer[self._filled : needed] = samples
        self._filled = needed


def _ignore(fraction: float, message: str) -> None:
    """Take no notice of progress."""
