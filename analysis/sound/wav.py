"""WAV of 24 bit, written as it is made: the header first, without ever going back to it.

A server can so send a file of known length that was never whole in memory or on disk. Layout after
Microsoft's "Multiple Channel Audio Data and WAVE Files"; from 4 GB on it is RF64 (EBU Tech 3306).
"""

from __future__ import annotations

import struct

import av
import numpy as np
import numpy.typing as npt

BYTES_PER_SAMPLE = 3
_FULL_SCALE = 2**23
_PCM, _EXTENSIBLE = 0x0001, 0xFFFE
_PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")
_LARGEST_32_BIT = 0xFFFF_FFFF
_SPEAKERS = ("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR")
"""Speakers by the bit that stands for them in a WAV's channel mask, lowest first."""


def header(
    *,
    sample_rate: int,
    channel_layout: str,
    n_samples: int,
    title: str = "",
    artist: str = "",
    comment: str = "",
) -> bytes:
    """Everything before the first sample.

    Parameters
    ----------
    channel_layout : FFmpeg's name of it; channels stand in FFmpeg's order, which is WAV's
    n_samples : per channel; exactly as many must follow
    title, artist, comment : kept in an INFO list as UTF-8
    """
    names = [channel.name for channel in av.AudioLayout(channel_layout).channels]
    frame_bytes = BYTES_PER_SAMPLE * len(names)
    data_bytes = n_samples * frame_bytes
    form = struct.pack(
        "<HHIIHH",
        _PCM if len(names) <= 2 else _EXTENSIBLE,
        len(names),
        sample_rate,
        sample_rate * frame_bytes,
        frame_bytes,
        8 * BYTES_PER_SAMPLE,
    )
    if len(names) > 2:
        form += struct.pack("<HHI", 22, 8 * BYTES_PER_SAMPLE, _channel_mask(names)) + _PCM_GUID
    texts = b"".join(
        _chunk(tag, text.encode() + b"\0")
        for tag, text in ((b"INAM", title), (b"IART", artist), (b"ICMT", comment))
        if text
    )
    chunks = _chunk(b"fmt ", form) + (_chunk(b"LIST", b"INFO" + texts) if texts else b"")
    # "WAVE", the data chunk's own head, and the byte that makes its length even.
    riff_bytes = 4 + len(chunks) + 8 + data_bytes + data_bytes % 2
    if riff_bytes <= _LARGEST_32_BIT:
        head = b"RIFF" + struct.pack("<I", riff_bytes) + b"WAVE"
        return head + chunks + b"data" + struct.pack("<I", data_bytes)
    long = _chunk(b"ds64", struct.pack("<QQQI", riff_bytes + 36, data_bytes, n_samples, 0))
    head = b"RF64" + struct.pack("<I", _LARGEST_32_BIT) + b"WAVE"
    return head + long + chunks + b"data" + struct.pack("<I", _LARGEST_32_BIT)


def samples(block: npt.NDArray[np.float32] | npt.NDArray[np.float64]) -> bytes:
    """A block of shape (channels, n) as interleaved 24-bit little-endian integers.

    1.0 is full scale; what lies beyond is clipped.
    """
    scaled = np.rint(block.T.astype(np.float64) * _FULL_SCALE)
    whole = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype("<i4")
    return np.ascontiguousarray(whole).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def padding(*, channels: int, n_samples: int) -> bytes:
    """What follows the last sample: a zero where the data's length is odd."""
    return b"\0" * (n_samples * channels * BYTES_PER_SAMPLE % 2)


def _channel_mask(names: list[str]) -> int:
    """0, "no particular speakers", where one of them has no bit of its own."""
    if not set(names) <= set(_SPEAKERS):
        return 0
    return sum(1 << _SPEAKERS.index(name) for name in names)


def _chunk(tag: bytes, content: bytes) -> bytes:
    return tag + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
