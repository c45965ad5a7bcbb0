"""Sound into files that artists take away: WAV and FLAC of 24 bit, MP3, Opus.

Blocks go in, a file comes out; a second of sound is in memory at most. Encoders are those of
libsndfile (FLAC) and of FFmpeg in PyAV's wheel (libmp3lame, libopus).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from av.audio.stream import AudioStream

from analysis.sound import wav

Block = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FileFormat:
    """A format on offer. ``ceiling_dbtp`` is the highest true peak that it is given: lossy encoders
    overshoot, so they get a decibel of room; ``bit_rate`` is in bit/s, 0 for lossless."""

    label: str
    ending: str
    content_type: str
    ceiling_dbtp: float
    bit_rate: int = 0

    @property
    def is_lossy(self) -> bool:
        return self.bit_rate > 0


FORMATS = {
    "wav": FileFormat("WAV, 24 bit", "wav", "audio/wav", 0.0),
    "flac": FileFormat("FLAC, 24 bit", "flac", "audio/flac", 0.0),
    "mp3": FileFormat("MP3, 320 kbit/s", "mp3", "audio/mpeg", -1.0, 320_000),
    "opus": FileFormat("Opus, 192 kbit/s", "opus", "audio/ogg", -1.0, 192_000),
}
_OPUS_RATE = 48_000


@dataclass(frozen=True)
class Texts:
    """What is written into the file."""

    title: str = ""
    artist: str = ""
    comment: str = ""


def encode_file(
    path: Path,
    blocks: Iterable[Block],
    *,
    name: str,
    sample_rate: int,
    n_samples: int,
    texts: Texts,
) -> None:
    """Write stereo blocks of shape (2, n), ``n_samples`` in all, as the format ``name``.

    Full scale is 1.0; the caller has seen to it that nothing exceeds it.
    """
    if name == "wav":
        _write_wav(path, blocks, sample_rate, n_samples, texts)
    elif name == "flac":
        _write_flac(path, blocks, sample_rate, texts)
    else:
        _write_lossy(path, blocks, name, sample_rate, texts)


def wav_header(*, sample_rate: int, n_samples: int, texts: Texts) -> bytes:
    """Everything before the first sample of the stereo WAV."""
    return wav.header(
        sample_rate=sample_rate,
        channel_layout="stereo",
        n_samples=n_samples,
        title=texts.title,
        artist=texts.artist,
        comment=texts.comment,
    )


def _write_wav(
    path: Path, blocks: Iterable[Block], sample_rate: int, n_samples: int, texts: Texts
) -> None:
    with path.open("wb") as file:
        file.write(wav_header(sample_rate=sample_rate, n_samples=n_samples, texts=texts))
        for block in blocks:
            file.write(wav.samples(block))
        file.write(wav.padding(channels=2, n_samples=n_samples))


def _write_flac(path: Path, blocks: Iterable[Block], sample_rate: int, texts: Texts) -> None:
    with soundfile.SoundFile(path, "w", sample_rate, 2, subtype="PCM_24", format="FLAC") as file:
        file.title, file.artist, file.comment = texts.title, texts.artist, texts.comment
        for block in blocks:
            file.write(block.T)


def _write_lossy(
    path: Path, blocks: Iterable[Block], name: str, sample_rate: int, texts: Texts
) -> None:
    rate = _OPUS_RATE if name == "opus" else sample_rate
    resampler = (
        None
        if rate == sample_rate
        else soxr.ResampleStream(sample_rate, rate, 2, dtype="float32", quality="VHQ")
    )
    encoder, container, sample_format = {
        "mp3": ("libmp3lame", "mp3", "fltp"),
        "opus": ("libopus", "opus", "flt"),
    }[name]
    with av.open(str(path), "w", format=container) as output:
        output.metadata.update(
            {
                key: text
                for key, text in (
                    ("title", texts.title),
                    ("artist", texts.artist),
                    ("comment", texts.comment),
                )
                if text
            }
        )
        stream = cast(AudioStream, output.add_stream(encoder, rate=rate))
        stream.codec_context.layout = "stereo"
        stream.codec_context.format = sample_format
        stream.codec_context.bit_rate = FORMATS[name].bit_rate
        sent = 0
        for block in blocks:
            samples = block.T.astype(np.float32)
            if resampler is not None:
                samples = resampler.resample_chunk(np.ascontiguousarray(samples))
            sent += _send(output, stream, samples, sent, rate)
        if resampler is not None:
            rest = resampler.resample_chunk(np.zeros((0, 2), np.float32), last=True)
            _send(output, stream, rest, sent, rate)
        output.mux(stream.encode(None))


def _send(
    output: av.container.OutputContainer,
    stream: AudioStream,
    samples: npt.NDArray[np.float32],
    position: int,
    rate: int,
) -> int:
    """Encode samples of shape (n, 2) that begin at ``position``; returns how many."""
    if len(samples) == 0:
        return 0
    is_planar = stream.codec_context.format.is_planar
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples.T if is_planar else samples.reshape(1, -1)),
        format=stream.codec_context.format.name,
        layout="stereo",
    )
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    frame.pts = position
    output.mux(stream.encode(frame))
    return len(samples)
