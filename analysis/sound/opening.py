"""Open a file of unknown kind as sound, and read off what it says about itself.

FFmpeg is handed an open file object and never sees a name, an address or a tag. It may use only the
demuxers and decoders listed here, and it may not open a second file or an address, so that
playlists and concatenation scripts cannot make it read something else.
"""

from __future__ import annotations

import os
import stat
from typing import Any, BinaryIO, NoReturn

import av
import av.error
import av.logging

from analysis.sound import containers, refusals
from analysis.sound.tagless import TaglessFile

_DEMUXERS = "wav,w64,aiff,flac,mp3,ogg,aac,mov,caf"
_DECODERS = frozenset(
    "flac alac mp3 mp3float mp2 mp2float vorbis opus libopus aac adpcm_ms adpcm_ima_wav "
    "adpcm_ima_qt pcm_alaw pcm_mulaw pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_s24le pcm_s24be "
    "pcm_s32le pcm_s32be pcm_f32le pcm_f32be pcm_f64le pcm_f64be pcm_s64le pcm_s64be".split()
)
_PICTURE_CODECS = frozenset("mjpeg png bmp gif webp tiff jpegxl".split())
_ENCRYPTED_TAGS = frozenset({"drms", "enca"})
_LOSSY_PCM = frozenset({"pcm_alaw", "pcm_mulaw"})
_USUAL_LAYOUTS = {
    1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"
}  # fmt: skip
_READ_BUFFER_BYTES = 1 << 18

av.logging.set_level(None)


def _refuse_second_file(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError("a sound file may not open another file")


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def open_regular_file(path: str | os.PathLike[str]) -> BinaryIO:
    """The file, opened for reading; refuses what is missing, empty, or no file at all."""
    try:
        # A pipe to which nobody writes must not keep us waiting.
        file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - the caller closes it
    except IsADirectoryError as error:
        raise refusals.not_audio("This is not a file.") from error
    except (OSError, ValueError) as error:
        raise refusals.not_found() from error
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        file.close()
        raise refusals.not_audio("This is not a file.")
    if status.st_size == 0:
        file.close()
        raise refusals.empty()
    return file


def open_container(file: BinaryIO) -> Any:
    """A PyAV container reading from *file*, under the limits named above."""
    head = file.read(512)
    file.seek(0)
    if containers.looks_like_video(head):
        raise refusals.video()
    sound = TaglessFile(file)
    try:
        container = av.open(
            sound,
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
        if sound.overloaded:
            raise refusals.overloaded() from error
        if containers.looks_like_audio(head):
            raise refusals.broken() from error
        raise refusals.not_audio() from error
    if sound.overloaded:
        container.close()
        raise refusals.overloaded()
    sound.opened(hides_tags=container.format.name == "aac")
    return container


def audio_stream(container: Any) -> Any:
    """The container's best audio stream; refuses videos, but not pictures of covers."""
    for video in container.streams.video:
        attached = video.disposition & av.stream.Disposition.attached_pic
        if not attached and video.codec_context.name not in _PICTURE_CODECS:
            raise refusals.video()
    stream = container.streams.best("audio") if container.streams.audio else None
    if stream is None:
        raise refusals.not_audio("There is no sound in this file.")
    context = stream.codec_context
    if context is not None and context.codec_tag in _ENCRYPTED_TAGS:
        raise refusals.protected()
    if context is None or context.codec.name not in _DECODERS:
        raise refusals.unsupported_codec()
    return stream


def declared_duration_s(file: BinaryIO, container: Any, stream: Any) -> float | None:
    """Length that a header states exactly, or None where it is unknown or only an estimate."""
    name = container.format.name
    seconds = float(stream.duration * stream.time_base) if stream.duration else None
    if name == "wav":
        at = file.tell()
        promised, present = containers.wav_duration_s(file)
        file.seek(at)
        if promised is not None and present is not None and breaks_off(promised, present):
            raise refusals.truncated(promised, present)
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
    if name == "ogg":
        at = file.tell()
        cut = containers.ogg_ends_within_a_page(file)
        file.seek(at)
        if cut:
            raise refusals.end_is_missing()
    if name == "aac":
        return None
    return seconds if seconds and seconds > 0 else None


def bit_depth(codec: str, extradata: bytes | None) -> int | None:
    """Bits per sample of a lossless codec, None for lossy ones."""
    if codec == "flac":
        return containers.flac_stream_info(extradata)[1]
    if codec == "alac":
        return extradata[17] if extradata and len(extradata) > 17 else None
    if codec.startswith("pcm_") and codec not in _LOSSY_PCM:
        return int("".join(c for c in codec if c.isdigit()))
    return None


def layout_name(layout: Any) -> str:
    """FFmpeg's layout name; a file that names no speakers gets the usual ones for its count."""
    if any(channel.name == "NONE" or "channels" in layout.name for channel in layout.channels):
        return _USUAL_LAYOUTS[layout.nb_channels]
    return layout.name


def container_name(format_name: str) -> str:
    """A short name of FFmpeg's demuxer: mp4 for its whole family."""
    return "mp4" if format_name.startswith("mov") else format_name


def breaks_off(declared_s: float, present_s: float) -> bool:
    """Whether so much is missing that the end of the file must have been lost."""
    return present_s < 0.95 * declared_s and declared_s - present_s > 1.0


def is_lossless(codec: str) -> bool:
    """Whether a decoder of that name gives back exactly what was encoded."""
    return codec in ("flac", "alac") or (codec.startswith("pcm_") and codec not in _LOSSY_PCM)
