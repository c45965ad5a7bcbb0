"""What a sound file says about itself, read from its first bytes.

FFmpeg's own durations mix promises with guesses: it extrapolates from the bit rate where a header
is silent, and it hides that a WAV file is shorter than its ``data`` chunk claims. These readers
tell the two apart, so that a broken-off file is refused and a merely terse header is not.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

_STREAMED_SIZES = range(0x7FFF0000, 0x80000000)
"""Sizes that writers leave in a WAV header when they cannot seek back (SoX and others)."""

_OGG_PAGE_MAX_BYTES = 27 + 255 + 255 * 255

_VIDEO_MAGIC: tuple[tuple[int, bytes], ...] = (
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (8, b"AVI "),
    (0, b"FLV\x01"),
    (0, b"\x00\x00\x01\xba"),  # MPEG program stream
    (0, b"\x00\x00\x01\xb3"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # ASF: WMV, WMA
)

_AUDIO_MAGIC: tuple[tuple[int, bytes], ...] = (
    (0, b"RIFF"),
    (0, b"RF64"),
    (0, b"BW64"),
    (0, b"FORM"),
    (0, b"fLaC"),
    (0, b"OggS"),
    (0, b"ID3"),
    (0, b"\xff\xfb"),
    (0, b"\xff\xf3"),
    (0, b"\xff\xf1"),
    (0, b"\xff\xf9"),
    (4, b"ftyp"),
    (0, b"caff"),
    (0, b"riff\x2e\x91\xcf\x11"),
)


def looks_like_video(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a container used for video."""
    mpeg_ts = len(head) > 376 and head[0] == head[188] == head[376] == 0x47
    return mpeg_ts or any(head[at : at + len(magic)] == magic for at, magic in _VIDEO_MAGIC)


def looks_like_audio(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a sound format that is accepted."""
    return any(head[at : at + len(magic)] == magic for at, magic in _AUDIO_MAGIC)


def wav_duration_s(file: BinaryIO) -> tuple[float | None, float | None]:
    """(promised, present) seconds of a RIFF, RF64 or BW64 WAVE file; None where unknown.

    *promised* is what the ``data`` chunk's size says, None for streaming-style sizes (0,
    0xFFFFFFFF and SoX's 0x7FFFxxxx). *present* is what the bytes of the file can hold.
    """
    file.seek(0, 2)
    file_size = file.tell()
    file.seek(0)
    riff = file.read(12)
    if riff[:4] not in (b"RIFF", b"RF64", b"BW64") or riff[8:12] != b"WAVE":
        return None, None
    byte_rate = 0
    long_data_size: int | None = None
    for _ in range(1000):
        header = file.read(8)
        if len(header) < 8:
            return None, None
        name, size = header[:4], struct.unpack("<I", header[4:])[0]
        start = file.tell()
        if name == b"data":
            break
        if name == b"fmt ":
            fmt = file.read(16)
            if len(fmt) == 16:
                tag, _channels, rate, byte_rate, block, _bits = struct.unpack("<HHIIHH", fmt)
                if tag in (1, 3, 0xFFFE) and block:
                    byte_rate = rate * block
        elif name == b"ds64":
            sizes = file.read(16)
            if len(sizes) == 16:
                long_data_size = struct.unpack("<QQ", sizes)[1]
        file.seek(start + size + (size & 1))
    else:
        return None, None
    if byte_rate <= 0:
        return None, None
    present = max(0, file_size - start) / byte_rate
    if size == 0xFFFFFFFF and long_data_size:
        size = long_data_size
    if size in (0, 0xFFFFFFFF) or size in _STREAMED_SIZES:
        return None, present
    return size / byte_rate, min(present, size / byte_rate)


def flac_stream_info(extradata: bytes | None) -> tuple[int | None, int | None]:
    """(total samples, bits per sample) of a FLAC STREAMINFO block; None where unknown."""
    if not extradata or len(extradata) < 18:
        return None, None
    packed = int.from_bytes(extradata[10:18], "big")
    total = packed & ((1 << 36) - 1)
    bits = ((packed >> 36) & 0x1F) + 1
    return (total or None), bits


def ogg_ends_within_a_page(file: BinaryIO) -> bool:
    """Whether the last page of an Ogg file says that it is longer than what is there.

    A recorded stream may well end without its "end of stream" flag, but not in the middle of a
    page (RFC 3533, section 6: 27 bytes of header, then as many lengths as byte 26 says).
    """
    size = file.seek(0, 2)
    start = max(0, size - _OGG_PAGE_MAX_BYTES)
    file.seek(start)
    tail = file.read(_OGG_PAGE_MAX_BYTES)
    at = tail.rfind(b"OggS\x00")
    if at < 0:
        return False
    header = tail[at : at + 27]
    lengths = tail[at + 27 : at + 27 + header[26]] if len(header) == 27 else b""
    if len(header) < 27 or len(lengths) < header[26]:
        return True
    return at + 27 + len(lengths) + sum(lengths) > len(tail)


def mp3_has_length_header(file: BinaryIO) -> bool:
    """Whether an MP3's first frame carries a Xing, Info or VBRI header with a frame count."""
    file.seek(0)
    head = file.read(10)
    offset = 0
    if head[:3] == b"ID3" and len(head) == 10:
        size = 0
        for byte in head[6:10]:
            size = (size << 7) | (byte & 0x7F)
        offset = size + 10
    file.seek(offset)
    frame = file.read(2048)
    for tag in (b"Xing", b"Info"):
        at = frame.find(tag)
        if at >= 0 and len(frame) >= at + 8:
            return bool(frame[at + 7] & 1)
    return b"VBRI" in frame
