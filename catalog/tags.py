"""What a sound file says about itself in its tags.

Tags are ornament: a file with broken tags is still a good file, so every failure here ends in empty
tags and a line in the log, never in a refusal.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import mutagen
import mutagen.id3._frames
from mutagen.flac import FLAC, Picture
from mutagen.id3 import ID3
from mutagen.mp4 import MP4Tags

from catalog.names import clean_text

logger = logging.getLogger(__name__)

MAX_TAG_BYTES = 32 * 1024 * 1024
# A file can consist of millions of empty chunks, atoms or frames: each costs mutagen an object, and
# each frame of ID3 a copy of all that follow it.
MAX_TAG_READS = 50_000
MAX_ID3_FRAMES = 2_000
_LARGE_READ_BYTES = 256 * 1024
_SMALL_ID3_FRAME = re.compile(rb"[A-Z][A-Z0-9]{2,3}\0")

_ISRC = re.compile(r"^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$")
_ID3_NAMES = {
    "title": ("TIT2",),
    "version": ("TIT3",),
    "artist": ("TPE1",),
    "album": ("TALB",),
    "number": ("TRCK",),
    "date": ("TDRL", "TDRC", "TYER"),
    "composer": ("TCOM",),
    "isrc": ("TSRC",),
}
_MP4_NAMES = {
    "title": ("\xa9nam",),
    "version": (),
    "artist": ("\xa9ART",),
    "album": ("\xa9alb",),
    "number": ("trkn",),
    "date": ("\xa9day",),
    "composer": ("\xa9wrt",),
    "isrc": ("----:com.apple.iTunes:ISRC",),
}
_VORBIS_NAMES = {
    "title": ("title",),
    "version": ("version",),
    "artist": ("artist",),
    "album": ("album",),
    "number": ("tracknumber",),
    "date": ("releasedate", "date", "year"),
    "composer": ("composer",),
    "isrc": ("isrc",),
}


@dataclass(frozen=True)
class Tags:
    """Cleaned tags; empty where the file says nothing. ``cover`` holds a picture's raw bytes."""

    title: str = ""
    version: str = ""
    artist: str = ""
    album: str = ""
    number: int | None = None
    release_date: date | None = None
    composer: str = ""
    isrc: str = ""
    cover: bytes = b""

    def as_json(self) -> dict[str, str | int]:
        """What is kept with the revision: everything but the picture, without empty values."""
        found: dict[str, str | int | None] = {
            "title": self.title,
            "version": self.version,
            "artist": self.artist,
            "album": self.album,
            "number": self.number,
            "release_date": self.release_date.isoformat() if self.release_date else "",
            "composer": self.composer,
            "isrc": self.isrc,
        }
        return {name: value for name, value in found.items() if value}


class _NoInflation:
    """Stands in for ``zlib`` where mutagen reads ID3 frames. Compressed ones, which hardly anybody
    writes, count as broken: mutagen would inflate a megabyte of them into gigabytes."""

    error = zlib.error

    @staticmethod
    def decompress(data: bytes) -> NoReturn:
        raise zlib.error("compressed frames are not read")


mutagen.id3._frames.zlib = _NoInflation  # type: ignore[assignment]


class _TagSource:
    """A file of which mutagen may read ``MAX_TAG_BYTES`` altogether, whatever sizes it is told, in
    ``MAX_TAG_READS`` pieces, none of which may hold more than ``MAX_ID3_FRAMES``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = MAX_TAG_BYTES
        self._reads_left = MAX_TAG_READS
        self.name = ""
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        at = self._file.tell()
        rest = self._file.seek(0, 2) - at
        self._file.seek(at)
        size = max(0, rest if size < 0 else min(size, rest))
        if size > self._left:
            raise OSError(f"more than {MAX_TAG_BYTES} bytes of tags")
        if self._reads_left == 0:
            raise OSError(f"more than {MAX_TAG_READS} parts")
        self._left -= size
        self._reads_left -= 1
        data = self._file.read(size)
        if size > _LARGE_READ_BYTES:
            frames = _SMALL_ID3_FRAME.finditer(data)
            if next(islice(frames, MAX_ID3_FRAMES, None), None) is not None:
                raise OSError(f"more than {MAX_ID3_FRAMES} frames")
        return data


def read_tags(path: Path) -> Tags:
    """Tags of the sound file at ``path``: ID3 (also in WAV and AIFF), Vorbis comments, MP4."""
    try:
        with path.open("rb") as file:
            audio = mutagen.File(_TagSource(file))
            return _from(audio) if audio is not None and audio.tags is not None else Tags()
    # mutagen leaves its own exceptions behind on some broken files.
    except (
        mutagen.MutagenError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        NotImplementedError,
        OSError,
        RecursionError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        logger.info("tags could not be read: %r", error)
        return Tags()


def normal_isrc(value: str) -> str:
    """``US-S1Z-99-00001`` as ``USS1Z9900001``; empty if it is not an ISRC (ISO 3901)."""
    code = re.sub(r"[\s-]", "", value).upper()
    return code if _ISRC.match(code) else ""


def _from(audio: Any) -> Tags:
    tags = audio.tags
    if isinstance(tags, ID3):
        names, cover = _ID3_NAMES, _id3_cover(tags)
    elif isinstance(tags, MP4Tags):
        names, cover = _MP4_NAMES, _mp4_cover(tags)
    else:
        names, cover = _VORBIS_NAMES, _vorbis_cover(audio)
    return Tags(
        title=clean_text(_first(tags, names["title"])),
        version=clean_text(_first(tags, names["version"]), 120),
        artist=clean_text(_first(tags, names["artist"])),
        album=clean_text(_first(tags, names["album"])),
        number=_number(_first(tags, names["number"])),
        release_date=_date(_first(tags, names["date"])),
        composer=clean_text(_first(tags, names["composer"])),
        isrc=normal_isrc(_first(tags, names["isrc"])[:40]),
        cover=cover,
    )


def _first(tags: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The first value under the first name that has one, as text."""
    for name in names:
        value = tags.get(name)
        if value is None:
            continue
        value = getattr(value, "text", value)
        if isinstance(value, list):
            value = value[0] if value else ""
        if isinstance(value, tuple):
            value = value[0]
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        text = str(value).strip("\0 ").partition("\0")[0]
        if text:
            return text[:4_000]
    return ""


def _number(text: str) -> int | None:
    match = re.match(r"\s*(\d{1,4})", text)
    number = int(match[1]) if match else 0
    return number or None


def _date(text: str) -> date | None:
    """A whole date; a year alone says too little to be a release date."""
    match = re.match(r"\s*(\d{4})-(\d{2})-(\d{2})", text)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def _id3_cover(tags: ID3) -> bytes:
    frames = sorted(tags.getall("APIC"), key=lambda frame: frame.type != 3)
    return bytes(frames[0].data) if frames else b""


def _mp4_cover(tags: MP4Tags) -> bytes:
    covers = tags.get("covr") or []
    return bytes(covers[0]) if covers else b""


def _vorbis_cover(audio: Any) -> bytes:
    if isinstance(audio, FLAC):
        pictures = list(audio.pictures)
    else:
        pictures = []
        for block in audio.tags.get("metadata_block_picture") or []:
            try:
                pictures.append(Picture(base64.b64decode(block)))
            except (binascii.Error, mutagen.MutagenError, struct.error) as error:
                logger.info("a cover in the tags could not be read: %r", error)
    pictures.sort(key=lambda picture: picture.type != 3)
    return bytes(pictures[0].data) if pictures else b""
