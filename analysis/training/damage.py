"""What happens to music on its way: codecs, rates, gain, equalisers, speed, noise.

Each damage takes sound (channels, n) float32 at a rate and writes a file, so that what is measured
is the whole way from a file on disk to the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import scipy.signal
import soundfile
import soxr

Float = npt.NDArray[np.float32]
Change = Callable[[Float, int, np.random.Generator], tuple[Float, int]]

EQUALISER_DB = 6.0
_EQUALISER_POINTS = 8
_MP3_RATE = 44_100


@dataclass(frozen=True)
class Damage:
    """A named damage. ``change`` gives the damaged sound and its rate; ``encoding`` is the file's:
    "FLOAT" or "PCM_16" in WAV, or "MP3"."""

    name: str
    title: str
    change: Change
    encoding: str = "FLOAT"

    def write(self, sound: Float, rate: int, *, stem: Path, seed: int) -> Path:
        """Write the damaged sound to ``stem`` with the fitting suffix; draws come from ``seed``."""
        damaged, new_rate = self.change(sound, rate, np.random.default_rng(seed))
        if self.encoding == "MP3":
            path = stem.with_suffix(".mp3")
            write_mp3(path, damaged, new_rate, bit_rate=64_000)
        else:
            path = stem.with_suffix(".wav")
            soundfile.write(path, damaged.T, new_rate, subtype=self.encoding)
        return path


def write_mp3(path: Path, sound: Float, rate: int, *, bit_rate: int) -> None:
    """Constant-rate MP3 (LAME) of sound (channels, n), in joint stereo at 44.1 kHz.

    Mono goes to both sides. Peaks over full scale are clipped, as encoders do.
    """
    if rate != _MP3_RATE:
        sound = soxr.resample(sound.T, rate, _MP3_RATE).T
    stereo = np.clip(np.repeat(sound, 2, axis=0) if sound.shape[0] == 1 else sound[:2], -1, 1)
    with av.open(str(path), "w", format="mp3") as container:
        encoder = container.add_stream("libmp3lame", rate=_MP3_RATE, layout="stereo")
        encoder.bit_rate = bit_rate
        encoder.format = "fltp"
        step = encoder.codec_context.frame_size or 1152
        for start in range(0, stereo.shape[1], step):
            block = np.ascontiguousarray(stereo[:, start : start + step], dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate = _MP3_RATE
            frame.pts = start
            frame.time_base = Fraction(1, _MP3_RATE)
            container.mux(encoder.encode(frame))
        container.mux(encoder.encode(None))


def unchanged(sound: Float, rate: int, _: np.random.Generator) -> tuple[Float, int]:
    """The sound as it is."""
    return sound, rate


def at_rate(new_rate: int) -> Change:
    """The sound at another rate: what lies above half of the lower one is lost."""

    def change(sound: Float, rate: int, _: np.random.Generator) -> tuple[Float, int]:
        return soxr.resample(sound.T, rate, new_rate).T, new_rate

    return change


def gain(db: float) -> Change:
    """Louder by ``db``; nothing is clipped here."""

    def change(sound: Float, rate: int, _: np.random.Generator) -> tuple[Float, int]:
        return sound * np.float32(10 ** (db / 20)), rate

    return change


def speed(percent: float) -> Change:
    """Played faster by ``percent``, like a turntable: pitch moves too."""

    def change(sound: Float, rate: int, _: np.random.Generator) -> tuple[Float, int]:
        return soxr.resample(sound.T, 1.0 + percent / 100.0, 1.0).T, rate

    return change


def middle(seconds: float) -> Change:
    """Only so many seconds from the middle."""

    def change(sound: Float, rate: int, _: np.random.Generator) -> tuple[Float, int]:
        return _piece(sound, rate, seconds, 0.5), rate

    return change


def crop(seconds: float) -> Change:
    """Only so many seconds from anywhere."""

    def change(sound: Float, rate: int, generator: np.random.Generator) -> tuple[Float, int]:
        return _piece(sound, rate, seconds, float(generator.uniform())), rate

    return change


def _piece(sound: Float, rate: int, seconds: float, where: float) -> Float:
    length = min(sound.shape[1], round(seconds * rate))
    start = round(where * (sound.shape[1] - length))
    return sound[:, start : start + length]


def tilt(db: float) -> Change:
    """A spectral tilt around 700 Hz: ``-db`` at 50 Hz and below, ``+db`` at 10 kHz and above."""

    def change(sound: Float, rate: int, _: np.random.Generator) -> tuple[Float, int]:
        return equalised(sound, rate, np.log([50.0, 10_000.0]), np.array([-db, db])), rate

    return change


def random_equaliser(db: float) -> Change:
    """A smooth curve through eight random gains within ``±db``, from 40 Hz to 16 kHz."""

    def change(sound: Float, rate: int, generator: np.random.Generator) -> tuple[Float, int]:
        points = np.linspace(np.log(40.0), np.log(16_000.0), _EQUALISER_POINTS)
        return equalised(sound, rate, points, generator.uniform(-db, db, points.size)), rate

    return change


def equalised(
    sound: Float, rate: int, log_hz: npt.NDArray[np.float64], gains_db: npt.NDArray[np.float64]
) -> Float:
    """Sound with gains in dB at natural logarithms of Hz, linear between, without phase shift."""
    length = scipy.fft.next_fast_len(sound.shape[1], real=True)
    spectrum = scipy.fft.rfft(sound, length, axis=1)
    hz = scipy.fft.rfftfreq(length, 1.0 / rate)
    curve = np.interp(np.log(np.maximum(hz, 1.0)), log_hz, gains_db)
    shaped = scipy.fft.irfft(spectrum * 10 ** (curve / 20), length, axis=1)
    return shaped[:, : sound.shape[1]].astype(np.float32)


def pink_noise(snr_db: float) -> Change:
    """Noise of equal power per octave, ``snr_db`` below the sound's own power."""

    def change(sound: Float, rate: int, generator: np.random.Generator) -> tuple[Float, int]:
        length = sound.shape[1]
        spectrum = np.fft.rfft(generator.standard_normal(sound.shape), axis=1)
        hz = np.fft.rfftfreq(length, 1.0 / rate)
        spectrum *= np.where(hz < 20.0, 0.0, 1.0 / np.sqrt(np.maximum(hz, 20.0)))
        noise = np.fft.irfft(spectrum, length, axis=1)
        wanted = np.sqrt((sound.astype(np.float64) ** 2).mean()) * 10 ** (-snr_db / 20)
        noise *= wanted / np.sqrt((noise**2).mean())
        return (sound + noise).astype(np.float32), rate

    return change


def decorrelated(sound: Float, rate: int, _: np.random.Generator) -> tuple[Float, int]:
    """Pseudo-stereo: each side through its own all-pass filters (Schroeder 1958), so that the sides
    differ in phase everywhere and their mono sum is coloured."""
    mono = sound.mean(axis=0)
    sides = []
    for delays_ms in ((7.1, 11.3, 17.9), (8.3, 13.7, 19.1)):
        side = mono
        for delay_ms in delays_ms:
            delay = round(delay_ms / 1000 * rate)
            numerator, denominator = np.zeros(delay + 1), np.zeros(delay + 1)
            numerator[0], numerator[-1] = -0.4, 1.0
            denominator[0], denominator[-1] = 1.0, -0.4
            side = scipy.signal.lfilter(numerator, denominator, side)
        sides.append(side)
    return np.stack(sides).astype(np.float32), rate


def off_balance(sound: Float, rate: int, _: np.random.Generator) -> tuple[Float, int]:
    """Two sides of which the right one is 10 dB softer."""
    mono = sound.mean(axis=0)
    return np.stack([mono, mono * np.float32(10 ** (-10 / 20))]), rate


MP3 = Damage("mp3_64k", "MP3, 64 kbit/s", unchanged, "MP3")

# What a genre should survive.
FOR_GENRE = (
    MP3,
    Damage("rate_16k", "16 kHz file", at_rate(16_000), "PCM_16"),
    Damage("rate_48k", "48 kHz file", at_rate(48_000), "PCM_16"),
    Damage("stereo_decorrelated", "stereo, sides decorrelated", decorrelated),
    Damage("stereo_off_balance", "stereo, right side -10 dB", off_balance),
    Damage("gain_minus_20", "gain -20 dB, 16 bit file", gain(-20.0), "PCM_16"),
    Damage("gain_plus_20", "gain +20 dB, float file", gain(20.0)),
    Damage("gain_plus_20_clipped", "gain +20 dB, 16 bit file (clipped)", gain(20.0), "PCM_16"),
    Damage("clip_3s", "3 s from the middle", middle(3.0)),
    Damage("tilt_bright", "tilt, +6 dB treble, -6 dB bass", tilt(EQUALISER_DB)),
    Damage("tilt_dark", "tilt, -6 dB treble, +6 dB bass", tilt(-EQUALISER_DB)),
    Damage("pink_noise", "pink noise, 20 dB below", pink_noise(20.0)),
)

# What the same recording should be recognised after.
FOR_RETRIEVAL = (
    MP3,
    Damage("speed_plus_3", "speed +3 %", speed(3.0)),
    Damage("speed_minus_3", "speed -3 %", speed(-3.0)),
    Damage("equaliser", "random equaliser, ±6 dB", random_equaliser(EQUALISER_DB)),
    Damage("crop_10s", "10 s from anywhere", crop(10.0)),
)
