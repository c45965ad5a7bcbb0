"""A ZIP of stored files, sent as it is made: no compression, nothing held but a piece of a file.

Sound that is packed already does not get smaller, so files are stored. Python's own zipfile writes
to something that cannot be sought; what it wrote is taken out after every piece.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

# From here on zipfile needs its 64-bit records, whose sizes are not worth predicting.
_LARGEST_PLAIN_BYTES = 0x7FFF_0000
_LOCAL_HEADER, _DESCRIPTOR, _CENTRAL_HEADER, _END = 30, 16, 46, 22


@dataclass(frozen=True)
class ZipMember:
    """A file in the archive: its name there, its size, and its content when it is wanted."""

    name: str
    size: int
    pieces: Callable[[], Iterator[bytes]]


class _Sink:
    """A file that only takes, and gives away what it took."""

    def __init__(self) -> None:
        self._taken: list[bytes] = []

    def write(self, content: bytes) -> int:
        self._taken.append(bytes(content))
        return len(content)

    def flush(self) -> None:
        """Nothing is kept back."""

    def take(self) -> bytes:
        taken = b"".join(self._taken)
        self._taken.clear()
        return taken


def stream_zip(members: Sequence[ZipMember], *, modified: datetime) -> Iterator[bytes]:
    """The archive in pieces. Raises OSError in the middle if a file is lost or has another size."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for member in members:
            entry = zipfile.ZipInfo(member.name, modified.timetuple()[:6])
            entry.external_attr = 0o644 << 16
            entry.file_size = member.size
            left = member.size
            with archive.open(entry, "w") as target:
                for piece in member.pieces():
                    left -= len(piece)
                    target.write(piece)
                    yield sink.take()
            if left:
                raise OSError(f"{member.name} is not of the size that was promised")
    yield sink.take()


def zip_bytes(members: Sequence[ZipMember]) -> int | None:
    """How long the archive will be; None where it is too big to tell beforehand."""
    total = _END
    for member in members:
        name_bytes = len(member.name.encode())
        total += _LOCAL_HEADER + name_bytes + member.size + _DESCRIPTOR
        total += _CENTRAL_HEADER + name_bytes
    return total if total < _LARGEST_PLAIN_BYTES else None
