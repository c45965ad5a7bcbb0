"""A sound file as FFmpeg shall see it: without its name, ID3 tags and covers in MP4.

FFmpeg inflates compressed frames of ID3v2 tags and keeps what comes out: a megabyte of file can
become gigabytes of memory, one frame after another. Nothing that is measured stands in these tags,
so they are hidden: those at the beginning by starting behind them, all others (chunks of WAV and
AIFF, tags between the frames of AAC) by an altered magic number. ID3v2.4.0 structure, section 3.
Covers in MP4, of which FFmpeg would make three copies in memory, are renamed to free space.
"""

from __future__ import annotations

import math
import os
import re
from typing import BinaryIO

_HEADER_BYTES = 10
_FOOTER_FLAG = 0x10
_TAG = re.compile(rb"ID3(?=[\x02-\x04][^\xff].[\x00-\x7f]{4})", re.DOTALL)
_COVER = re.compile(rb"covr(?=.{4}data)", re.DOTALL)
_MAX_LEADING_TAGS = 100
MAX_OPENING_SEEKS = 20_000
MAX_OPENING_BYTES = 64 << 20


class TaglessFile:
    """A read-only view of a file behind its leading ID3v2 tags.

    Until ``opened`` is called it can be moved about ``MAX_OPENING_SEEKS`` times and gives out
    ``MAX_OPENING_BYTES``: FFmpeg steps through millions of empty chunks one by one, and holds
    pictures of any size in memory. After that the file seems to be over, and ``overloaded`` is set.

    While ``hides_tags`` is set, tags and covers further inside are hidden too. It costs a search of
    every byte, and random sound of 500 MB holds such a magic number once in some forty files, so it
    is switched off where the container is known not to carry any among its sound.
    """

    name = ""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = leading_tags_bytes(file)
        self.hides_tags = True
        self._seeks_left = float(MAX_OPENING_SEEKS)
        self._bytes_left = float(MAX_OPENING_BYTES)
        file.seek(self._start)

    def opened(self, *, hides_tags: bool) -> None:
        """The container is open: from here on its sound is read, as much as there is."""
        self.hides_tags = hides_tags
        self._seeks_left = self._bytes_left = math.inf

    @property
    def overloaded(self) -> bool:
        """Whether finding the sound takes more reading than any honest file needs."""
        return min(self._seeks_left, self._bytes_left) < 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell() - self._start

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._seeks_left -= 1
        if whence == os.SEEK_SET:
            offset += self._start
        return self._file.seek(offset, whence) - self._start

    def read(self, size: int = -1) -> bytes:
        if not self.hides_tags:
            return self._file.read(size)
        self._bytes_left -= max(size, 0)
        if self.overloaded:
            return b""
        # A tag's header may begin before this piece or end behind it.
        at = self._file.tell()
        before = min(_HEADER_BYTES, at - self._start)
        self._file.seek(at - before)
        around = self._file.read(before + size + _HEADER_BYTES if size >= 0 else -1)
        wanted = _COVER.sub(b"free", _TAG.sub(b"id-", around))[before:]
        if size >= 0:
            wanted = wanted[:size]
        self._file.seek(at + len(wanted))
        return wanted


def leading_tags_bytes(file: BinaryIO) -> int:
    """Length in bytes of the ID3v2 tags with which a file begins; the position is left at 0."""
    end = 0
    for _ in range(_MAX_LEADING_TAGS):
        file.seek(end)
        header = file.read(_HEADER_BYTES)
        if not _TAG.match(header):
            break
        size = 0
        for byte in header[6:]:
            size = (size << 7) | byte
        end += _HEADER_BYTES + size + (_HEADER_BYTES if header[5] & _FOOTER_FLAG else 0)
    file.seek(0)
    return end
