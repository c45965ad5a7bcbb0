"""Decode any accepted sound file, once, in blocks, with bounded memory.

Everything goes through PyAV (FFmpeg's libraries). What a file is, is found by decoding it: FFmpeg
is handed an open file object and never sees the file's name. It may use only the demuxers and
decoders listed here, and it may not open a second file or an address, so that playlists and
concatenation scripts cannot make it read something else.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, Self

import av
import av.error
import av.logging
import numpy as np
import numpy.typing as npt

from analysis.sound import containers

logger = logging.getLogger(__name__)

MIN_RATE_HZ = 8_000
MAX_RATE_HZ = 192_000
MAX_CHANNELS = 8
SILENCE_PEAK = 10.0 ** (-90.0 / 20.0)

_DEMUXERS = "wav,w64,aiff,flac,mp3,ogg,aac,mov,caf"
_DECODERS = frozenset(
    "flac alac mp3 mp3float mp2 mp2float vorbis opus libopus aac adpcm_ms adpcm_ima_wav "
    "adpcm_ima_qt pcm_alaw pcm_mulaw pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_s24le pcm_s24be "
    "pcm_s32le pcm_s32be pcm_f32le pcm_f32be pcm_f64le pcm_f64be pcm_s64le pcm_s64be".split()
)
_PICTURE_CODECS = frozenset("mjpeg png bmp gif webp tiff jpegxl".split())
_LOSSY_PCM = frozenset({"pcm_alaw", "pcm_mulaw"})
_USUAL_LAYOUTS = {
    1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"
}  # fmt: skip
_READ_BUFFER_BYTES = 1 << 18
_FORMAT_NAMES = "WAV, AIFF, FLAC, MP3, OGG, Opus or M4A"

av.logging.set_level(None)


class UndecodableAudio(Exception):
    """A file that cannot be used as sound.

    Attributes
    ----------
    code : stable slug, for machines: ``empty``, ``not_found``, ``not_audio``, ``broken``,
        ``truncated``, ``too_short``, ``too_long``, ``silent``, ``video``, ``not_finite``,
        ``too_many_channels``, ``unsupported_rate``, ``unsupported_codec``.
    message : what is wrong and what to do, for the person whose file it is. ``str()`` gives it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class AudioInfo:
    """What a sound file is.

    ``duration_s`` is a header's promise or an estimate after :func:`probe`, and the decoded truth
    at the end of :func:`stream`. ``declared_duration_s`` is only set where a header states the
    length exactly. ``bit_depth`` is None for lossy codecs; ``bit_rate`` is in bit/s.
    """

    duration_s: float
    sample_rate: int
    channels: int
    channel_layout: str
    codec: str
    container: str
    bit_depth: int | None
    bit_rate: int | None
    lossless: bool
    declared_duration_s: float | None


class _Nameless:
    """A read-only view of a file that hides its name, so that only the content decides."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.name = ""
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _refuse_second_file(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError("a sound file may not open another file")


def clock(seconds: float) -> str:
    """A duration as people write it: ``3:20`` or ``1:02:03``."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def probe(
    path: str | os.PathLike[str], *, max_duration_s: float = 3600.0, min_duration_s: float = 1.0
) -> AudioInfo:
    """Look at a file and decode its first second: quick, also for a huge file.

    Raises
    ------
    UndecodableAudio
        If the file is certainly not usable. What only the whole decode can show (silence, an
        end that is missing in a format without exact lengths) is left to :func:`stream`.
    """
    with AudioStream(
        path, block_s=0.5, max_duration_s=max_duration_s, min_duration_s=min_duration_s
    ) as blocks:
        needed_s = max(1.0, min_duration_s)
        blocks.judges_silence = False
        for _ in blocks:
            if blocks.decoded_s >= needed_s:
                break
        return blocks.info


def stream(
    path: str | os.PathLike[str],
    *,
    block_s: float = 1.0,
    max_duration_s: float = 3600.0,
    min_duration_s: float = 1.0,
) -> AudioStream:
    """Iterate over a file's sound as float32 blocks of shape (channels, n) at its own rate.

    Integer PCM is scaled to [-1, 1); float PCM stays as it is and may exceed 1. All blocks but the
    last have the same length. ``.info.duration_s`` is exact once the iteration is over.

    Raises
    ------
    UndecodableAudio
        At once or while iterating: see the class for the codes.
    """
    return AudioStream(
        path, block_s=block_s, max_duration_s=max_duration_s, min_duration_s=min_duration_s
    )


class AudioStream(Iterator[npt.NDArray[np.float32]]):
    """The iterator behind :func:`stream`; also a context manager that closes the file."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        block_s: float,
        max_duration_s: float,
        min_duration_s: float,
    ) -> None:
        self._max_duration_s = max_duration_s
        self._min_duration_s = min_duration_s
        self.judges_silence = True
        self._samples = 0
        self._peak = 0.0
        self._bad_packets = 0
        self._packets = 0
        self._file = _open_regular_file(path)
        self._container: Any = None
        try:
            self._container = _open_container(self._file)
            self._stream = _audio_stream(self._container)
            self._declared_s = _declared_duration_s(self._file, self._container, self._stream)
            self._check_declared()
            self._frames = self._decoded_frames()
            self._first = next(self._frames, None)
            if self._first is None:
                raise _broken()
            self.info = self._describe(self._first)
            self._block = max(1, round(block_s * self.info.sample_rate))
            self._blocks = self._joined()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> npt.NDArray[np.float32]:
        try:
            return next(self._blocks)
        except StopIteration:
            self.close()
            raise
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; further iteration is not possible."""
        if self._container is not None:
            self._container.close()
            self._container = None
        self._file.close()

    @property
    def decoded_s(self) -> float:
        """Seconds decoded so far."""
        return self._samples / self.info.sample_rate

    def _check_declared(self) -> None:
        if self._declared_s is not None and self._declared_s > self._max_duration_s + 0.5:
            raise _too_long(self._max_duration_s, f"It says it lasts {clock(self._declared_s)}.")

    def _describe(self, frame: av.AudioFrame) -> AudioInfo:
        rate, layout = frame.sample_rate, frame.layout
        channels = layout.nb_channels
        if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
            raise UndecodableAudio(
                "unsupported_rate",
                f"The file has a sample rate of {rate:,} Hz; rates from 8,000 to 192,000 Hz are "
                "accepted. Export it at 44,100 or 48,000 Hz.",
            )
        if not 1 <= channels <= MAX_CHANNELS:
            raise UndecodableAudio(
                "too_many_channels",
                f"The file has {channels} channels; up to {MAX_CHANNELS} (7.1) are accepted. "
                "Export a stereo mix.",
            )
        codec = self._stream.codec_context.codec.name
        lossless = codec in ("flac", "alac") or (
            codec.startswith("pcm_") and codec not in _LOSSY_PCM
        )
        guessed_s = self._container.duration / av.time_base if self._container.duration else 0.0
        bit_rate = self._stream.bit_rate or self._container.bit_rate or None
        return AudioInfo(
            duration_s=float(self._declared_s or max(guessed_s, 0.0)),
            sample_rate=rate,
            channels=channels,
            channel_layout=_layout_name(layout),
            codec=codec.removesuffix("float"),
            container=_container_name(self._container.format.name),
            bit_depth=_bit_depth(codec, self._stream.codec_context.extradata),
            bit_rate=int(bit_rate) if bit_rate else None,
            lossless=lossless,
            declared_duration_s=self._declared_s,
        )

    def _decoded_frames(self) -> Iterator[av.AudioFrame]:
        """Frames of the chosen stream; single damaged packets are skipped, many are an error."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                logger.info("demuxing stopped early: %s", error)
                return
            self._packets += 1
            try:
                yield from packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                self._bad_packets += 1
                logger.info("a damaged packet was skipped: %s", error)
                if self._bad_packets > 5 + 0.02 * self._packets:
                    raise _broken() from error

    def _joined(self) -> Iterator[npt.NDArray[np.float32]]:
        """Blocks of equal length, checked; raises at the end what only the end can show."""
        block = np.empty((self.info.channels, self._block), dtype=np.float32)
        filled = 0
        frame = self._first
        self._first = None
        max_samples = round((self._max_duration_s + 0.5) * self.info.sample_rate)
        while frame is not None:
            sound = self._as_float(frame)
            at = 0
            while at < sound.shape[1]:
                n = min(sound.shape[1] - at, self._block - filled)
                block[:, filled : filled + n] = sound[:, at : at + n]
                filled += n
                at += n
                if filled == self._block:
                    yield self._checked(block, max_samples)
                    block = np.empty_like(block)
                    filled = 0
            frame = next(self._frames, None)
        if filled:
            yield self._checked(block[:, :filled], max_samples)
        self._finish()

    def _as_float(self, frame: av.AudioFrame) -> npt.NDArray[np.float32]:
        if frame.sample_rate != self.info.sample_rate:
            raise UndecodableAudio(
                "broken",
                "The sample rate changes in the middle of the file, as if two files were glued "
                "together. Export it again as one file.",
            )
        sound = _to_float32(frame)
        if sound.shape[0] == self.info.channels:
            return sound
        # A broadcast MP3 may switch between mono and stereo: keep the first frame's channels.
        return np.repeat(sound.mean(axis=0, keepdims=True), self.info.channels, axis=0)

    def _checked(self, block: npt.NDArray[np.float32], max_samples: int) -> npt.NDArray[np.float32]:
        peak = max(float(block.max()), -float(block.min()))
        if not np.isfinite(peak):
            raise UndecodableAudio(
                "not_finite",
                "The file holds samples that are not numbers (NaN or infinite), usually from a "
                f"faulty plug-in, near {clock(self.decoded_s)}. Find it and export again.",
            )
        self._peak = max(self._peak, peak)
        self._samples += block.shape[1]
        if self._samples > max_samples:
            raise _too_long(self._max_duration_s, "It goes on for longer than that.")
        return block

    def _finish(self) -> None:
        duration_s = self.decoded_s
        self.info = replace(self.info, duration_s=duration_s)
        declared_s = self.info.declared_duration_s
        if declared_s is not None and _breaks_off(declared_s, duration_s):
            raise _truncated(declared_s, duration_s)
        if duration_s < self._min_duration_s:
            raise UndecodableAudio(
                "too_short",
                f"The file holds {duration_s:.2f} s of sound; at least "
                f"{self._min_duration_s:g} s are needed. Choose the whole track.",
            )
        if self.judges_silence and self._peak < SILENCE_PEAK:
            raise UndecodableAudio(
                "silent",
                "The file is silent from start to end. Check the export: the wrong bus or a "
                "muted track is the usual cause.",
            )


def _open_regular_file(path: str | os.PathLike[str]) -> BinaryIO:
    try:
        file = Path(path).open("rb")
    except (OSError, ValueError) as error:
        raise UndecodableAudio(
            "not_found", "The file cannot be opened. Check that it exists and may be read."
        ) from error
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        file.close()
        raise UndecodableAudio("not_audio", f"This is not a file. Choose a {_FORMAT_NAMES} file.")
    if status.st_size == 0:
        file.close()
        raise UndecodableAudio("empty", "The file is empty (0 bytes). Export or upload it again.")
    return file


def _open_container(file: BinaryIO) -> Any:
    head = file.read(512)
    file.seek(0)
    if containers.looks_like_video(head):
        raise _video()
    try:
        return av.open(
            _Nameless(file),
            mode="r",
            container_options={
                "format_whitelist": _DEMUXERS,
                "codec_whitelist": ",".join(sorted(_DECODERS | _PICTURE_CODECS)),
                "protocol_whitelist": "none",
            },
            metadata_errors="replace",
            buffer_size=_READ_BUFFER_BYTES,
            io_open=_refuse_second_file,
        )
    except (av.error.FFmpegError, ValueError, PermissionError) as error:
        if containers.looks_like_audio(head):
            raise _broken() from error
        raise UndecodableAudio(
            "not_audio", f"This is not a sound file. Choose a {_FORMAT_NAMES} file."
        ) from error


def _audio_stream(container: Any) -> Any:
    for video in container.streams.video:
        attached = video.disposition & av.stream.Disposition.attached_pic
        if not attached and video.codec_context.name not in _PICTURE_CODECS:
            raise _video()
    stream = container.streams.best("audio") if container.streams.audio else None
    if stream is None:
        raise UndecodableAudio(
            "not_audio", f"There is no sound in this file. Choose a {_FORMAT_NAMES} file."
        )
    context = stream.codec_context
    if context is None or context.codec.name not in _DECODERS:
        raise UndecodableAudio(
            "unsupported_codec",
            "The sound in this file is encoded in a way that is not accepted. "
            "Export it as WAV, FLAC or MP3.",
        )
    return stream


def _declared_duration_s(file: BinaryIO, container: Any, stream: Any) -> float | None:
    """Length that a header states exactly, or None where it is unknown or only an estimate."""
    name = container.format.name
    seconds = float(stream.duration * stream.time_base) if stream.duration else None
    if name == "wav":
        at = file.tell()
        promised, present = containers.wav_duration_s(file)
        file.seek(at)
        if promised is not None and present is not None and _breaks_off(promised, present):
            raise _truncated(promised, present)
        return promised
    if name == "flac":
        total, _ = containers.flac_stream_info(stream.codec_context.extradata)
        rate = stream.codec_context.sample_rate
        return total / rate if total and rate else None
    if name == "mp3":
        at = file.tell()
        exact = containers.mp3_has_length_header(file)
        file.seek(at)
        return seconds if exact else None
    if name == "aac":
        return None
    return seconds if seconds and seconds > 0 else None


def _to_float32(frame: av.AudioFrame) -> npt.NDArray[np.float32]:
    sound = frame.to_ndarray()
    if not frame.format.is_planar:
        sound = sound.reshape(-1, frame.layout.nb_channels).T
    if sound.dtype == np.uint8:
        return (sound.astype(np.float32) - 128.0) * np.float32(1 / 128)
    if sound.dtype.kind == "i":
        scale = np.float32(1.0 / -float(np.iinfo(sound.dtype).min))
        return sound.astype(np.float32) * scale
    return sound.astype(np.float32, copy=False)


def _bit_depth(codec: str, extradata: bytes | None) -> int | None:
    if codec == "flac":
        return containers.flac_stream_info(extradata)[1]
    if codec == "alac":
        return extradata[17] if extradata and len(extradata) > 17 else None
    if codec.startswith("pcm_") and codec not in _LOSSY_PCM:
        return int("".join(c for c in codec if c.isdigit()))
    return None


def _layout_name(layout: Any) -> str:
    """FFmpeg's layout name; a file that names no speakers gets the usual ones for its count."""
    if any(channel.name == "NONE" or "channels" in layout.name for channel in layout.channels):
        return _USUAL_LAYOUTS[layout.nb_channels]
    return layout.name


def _container_name(format_name: str) -> str:
    return "mp4" if format_name.startswith("mov") else format_name


def _breaks_off(declared_s: float, present_s: float) -> bool:
    return present_s < 0.95 * declared_s and declared_s - present_s > 1.0


def _truncated(declared_s: float, present_s: float) -> UndecodableAudio:
    return UndecodableAudio(
        "truncated",
        f"The file breaks off: it says it lasts {clock(declared_s)}, but only "
        f"{clock(present_s)} of sound is there. Upload or export it again.",
    )


def _too_long(max_duration_s: float, detail: str) -> UndecodableAudio:
    return UndecodableAudio(
        "too_long",
        f"The file is too long; up to {clock(max_duration_s)} is accepted. {detail} "
        "Upload single tracks.",
    )


def _broken() -> UndecodableAudio:
    return UndecodableAudio(
        "broken",
        "The file is damaged: its sound cannot be decoded. Export it again, or upload another "
        "copy.",
    )


def _video() -> UndecodableAudio:
    return UndecodableAudio("video", "This is a video; export its sound as WAV, FLAC or MP3.")
