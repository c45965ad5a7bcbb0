"""What lossy encoding does to a master's peaks: really encode it, decode it again, and measure.

A lossy encoder throws parts of the sound away, and what is left adds up differently: the decoded
wave overshoots the one that was encoded, most of all where a limiter left no room. The file is
decoded once; every block goes through all encoders and straight into their decoders, so that an
hour of sound needs no more memory than a second.

Encoders and decoders are those of FFmpeg in PyAV's wheel (aac, libopus, libmp3lame). Decoders give
floats, so what stands above full scale is seen and not cut off. LAME itself turns the sound down by
0.45 dB at 128 kbit/s (its preset scales by 0.95), which makes room for some of the overshoot.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
import soxr
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags

from analysis.sound.decibels import amplitude_db
from analysis.sound.decode import stream
from analysis.sound.fold import Fold
from analysis.sound.levels import LevelsMeter
from analysis.sound.loudness import LoudnessMeter
from analysis.sound.true_peak import TruePeakMeter

Progress = Callable[[float, str], None]
Block = npt.NDArray[np.float32]

_LAYOUT_OF_CHANNELS = {1: "mono", 2: "stereo"}


@dataclass(frozen=True)
class Encoding:
    """A lossy format as services use it: FFmpeg's encoder and decoder, and the rate in bit/s."""

    codec: str
    label: str
    encoder: str
    decoder: str
    bit_rate: int
    used_by: str

    @property
    def name(self) -> str:
        """Short and stable: ``aac_256``."""
        return f"{self.codec}_{self.bit_rate // 1000}"


ENCODINGS = (
    Encoding("aac", "AAC", "aac", "aac", 256_000, "Apple Music, YouTube Music"),
    Encoding("aac", "AAC", "aac", "aac", 128_000, "YouTube, Spotify in the browser"),
    Encoding("opus", "Opus", "libopus", "opus", 128_000, "YouTube, SoundCloud"),
    Encoding("mp3", "MP3", "libmp3lame", "mp3float", 320_000, "Deezer, download shops"),
    Encoding("mp3", "MP3", "libmp3lame", "mp3float", 128_000, "free tiers, web radio"),
)
"""Spotify's Ogg Vorbis is missing: the wheel holds no encoder of the kind that services use."""


@dataclass(frozen=True)
class EncodedSound:
    """A sound after encoding and decoding.

    ``true_peak_dbtp`` and ``integrated_lufs`` are None where nothing is left; ``rise_db`` is the
    true peak against the original's; ``clipped_runs`` counts places where three or more samples
    in a row reach full scale, which a player's converter cuts off; ``encoded_bytes`` is the size
    of the encoded sound without any container; ``sample_rate`` is the codec's, in Hz.
    """

    name: str
    codec: str
    label: str
    bit_rate: int
    used_by: str
    sample_rate: int
    encoded_bytes: int
    true_peak_dbtp: float | None
    rise_db: float | None
    clipped_runs: int
    clipped_at_s: list[float]
    integrated_lufs: float | None

    def over_db(self, ceiling_dbtp: float) -> float:
        """By how many dB the true peak stands above a ceiling; 0 where it does not."""
        if self.true_peak_dbtp is None:
            return 0.0
        return max(0.0, round(self.true_peak_dbtp - ceiling_dbtp, 3))


@dataclass(frozen=True)
class LossyCheck:
    """The original (as it is handed to the encoders: mono or stereo) and all its encodings."""

    duration_s: float
    sample_rate: int
    channels: int
    true_peak_dbtp: float | None
    integrated_lufs: float | None
    encodings: list[EncodedSound]


def check_lossy(
    path: str | os.PathLike[str],
    *,
    encodings: Sequence[Encoding] = ENCODINGS,
    max_duration_s: float = 3600.0,
    progress: Progress | None = None,
) -> LossyCheck:
    """Encode a file into every format, decode it again, and measure what comes out.

    More than two channels are folded to stereo first, as the services' stereo streams are.

    Parameters
    ----------
    path : a file of any accepted format
    progress : called with a fraction 0..1 and a message, about once per percent

    Raises
    ------
    UndecodableAudio
        If the file cannot be used; its message is for the person whose file it is.
    """
    tell = progress or _ignore
    labels = sorted({encoding.label for encoding in encodings})
    message = f"Encoding to {', '.join(labels)}"
    tell(0.0, message)
    with stream(path, max_duration_s=max_duration_s) as blocks:
        rate = blocks.info.sample_rate
        fold = Fold(blocks.info.channel_layout)
        channels = min(2, blocks.info.channels)
        original = _Meters(rate, channels)
        passes = [_Pass(encoding, rate=rate, channels=channels) for encoding in encodings]
        reported = 0.0
        for block in blocks:
            sound = block if channels == 1 else fold.stereo(block)
            original.add(sound)
            for running in passes:
                running.add(sound)
            done = min(1.0, blocks.decoded_s / max(blocks.info.duration_s, blocks.decoded_s))
            if done - reported >= 0.01:
                reported = done
                tell(done, message)
        duration_s = blocks.info.duration_s
    peak_dbtp = original.true_peak_dbtp()
    return LossyCheck(
        duration_s=round(duration_s, 3),
        sample_rate=rate,
        channels=channels,
        true_peak_dbtp=peak_dbtp,
        integrated_lufs=original.integrated_lufs(),
        encodings=[_against(running.finish(), peak_dbtp) for running in passes],
    )


def library_versions() -> dict[str, str]:
    """Versions of PyAV and of FFmpeg's codecs in it, which decide what comes out."""
    major, minor, micro = av.library_versions["libavcodec"]
    return {"pyav": av.__version__, "libavcodec": f"{major}.{minor}.{micro}"}


def codec_rate(encoding: Encoding, rate: int) -> int:
    """Sample rate in Hz at which a sound of *rate* is encoded: 48 kHz for Opus, else 44.1 or 48.

    Services stream their lossy formats at the rate of the CD or of video, whatever is delivered.
    """
    if encoding.codec == "opus" or rate % 11_025:
        return 48_000
    return 44_100


def _against(encoded: EncodedSound, original_dbtp: float | None) -> EncodedSound:
    if encoded.true_peak_dbtp is None or original_dbtp is None:
        return encoded
    return replace(encoded, rise_db=round(encoded.true_peak_dbtp - original_dbtp, 3))


class _Meters:
    """True peak, loudness and clipping of one sound."""

    def __init__(self, rate: int, channels: int) -> None:
        self._true_peak = TruePeakMeter(sample_rate=rate, channels=channels)
        self._levels = LevelsMeter(sample_rate=rate, channels=channels)
        self._loudness = LoudnessMeter(
            sample_rate=rate, channel_layout=_LAYOUT_OF_CHANNELS[channels]
        )
        self.levels = self._levels.result

    def add(self, block: Block) -> None:
        self._true_peak.add(block)
        self._levels.add(block)
        self._loudness.add(block)

    def true_peak_dbtp(self) -> float | None:
        return amplitude_db(self._true_peak.finish())

    def integrated_lufs(self) -> float | None:
        return self._loudness.result().integrated_lufs


class _Pass:
    """One encoder with its decoder and meters, fed with blocks of shape (channels, n)."""

    def __init__(self, encoding: Encoding, *, rate: int, channels: int) -> None:
        self._encoding = encoding
        self._rate = codec_rate(encoding, rate)
        self._layout = _LAYOUT_OF_CHANNELS[channels]
        self._resampler = (
            None
            if self._rate == rate
            else soxr.ResampleStream(rate, self._rate, channels, dtype="float32", quality="VHQ")
        )
        self._encoder = cast(AudioCodecContext, av.CodecContext.create(encoding.encoder, "w"))
        self._format = "flt" if encoding.codec == "opus" else "fltp"
        self._encoder.sample_rate = self._rate
        self._encoder.layout = self._layout
        self._encoder.format = self._format
        self._encoder.bit_rate = encoding.bit_rate
        self._encoder.time_base = Fraction(1, self._rate)
        # The decoder is told by the encoder's own header how to read it.
        self._encoder.flags |= Flags.global_header
        self._encoder.open()
        self._decoder = cast(AudioCodecContext, av.CodecContext.create(encoding.decoder, "r"))
        if self._encoder.extradata:
            self._decoder.extradata = self._encoder.extradata
        self._decoder.sample_rate = self._rate
        self._decoder.layout = self._layout
        self._meters = _Meters(self._rate, channels)
        self._waiting: Block = np.empty((channels, 0), dtype=np.float32)
        self._decoded: list[Block] = []
        self._decoded_samples = 0
        self._sent = 0
        self._bytes = 0

    def add(self, block: Block) -> None:
        """Take the next samples at the original's rate."""
        if self._resampler is not None:
            block = self._resampler.resample_chunk(np.ascontiguousarray(block.T)).T
        self._encode(block)

    def finish(self) -> EncodedSound:
        """Let resampler, encoder and decoder run out; ``rise_db`` is left to the caller."""
        if self._resampler is not None:
            channels = self._waiting.shape[0]
            rest = self._resampler.resample_chunk(np.empty((0, channels), np.float32), last=True)
            self._encode(rest.T)
        if self._waiting.shape[1]:
            self._send(self._waiting)
        self._decode(self._encoder.encode(None))
        self._collect(self._decoder.decode(None))
        self._measure()
        levels = self._meters.levels()
        return EncodedSound(
            name=self._encoding.name,
            codec=self._encoding.codec,
            label=self._encoding.label,
            bit_rate=self._encoding.bit_rate,
            used_by=self._encoding.used_by,
            sample_rate=self._rate,
            encoded_bytes=self._bytes,
            true_peak_dbtp=self._meters.true_peak_dbtp(),
            rise_db=None,
            clipped_runs=levels.clipped_runs,
            clipped_at_s=levels.clipped_at_s,
            integrated_lufs=self._meters.integrated_lufs(),
        )

    def _encode(self, block: Block) -> None:
        """Cut the sound into the frames that the encoder wants."""
        sound = np.concatenate([self._waiting, block], axis=1)
        size = self._encoder.frame_size
        whole = sound.shape[1] - sound.shape[1] % size
        for start in range(0, whole, size):
            self._send(sound[:, start : start + size])
        self._waiting = sound[:, whole:].copy()

    def _send(self, sound: Block) -> None:
        samples = sound if self._format == "fltp" else sound.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format=self._format, layout=self._layout
        )
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self._sent
        self._sent += sound.shape[1]
        self._decode(self._encoder.encode(frame))

    def _decode(self, packets: Sequence[Any]) -> None:
        for packet in packets:
            self._bytes += packet.size
            self._collect(self._decoder.decode(packet))

    def _collect(self, frames: Sequence[Any]) -> None:
        """Gather frames to blocks of a second: meters cost as much per call as per sample."""
        for frame in frames:
            self._decoded.append(frame.to_ndarray().astype(np.float32, copy=False))
            self._decoded_samples += frame.samples
            if self._decoded_samples >= self._rate:
                self._measure()

    def _measure(self) -> None:
        if self._decoded:
            self._meters.add(np.concatenate(self._decoded, axis=1))
            self._decoded, self._decoded_samples = [], 0


def _ignore(fraction: float, message: str) -> None:
    """Take no notice of progress."""
