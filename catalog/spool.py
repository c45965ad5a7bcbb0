"""The bytes of an upload while they arrive: one file in ``UPLOAD_DIR``, one writer at a time.

A connection that broke without a word can keep its request waiting on the server for a long time.
So a writer holds a lease, not a lock: it is renewed with every piece that arrives, another request
may take it over once nothing has come for a while, and the old writer then cannot write any more.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

LEASE_SECONDS = 30.0


class UploadBusy(Exception):
    """Another request is writing this upload right now."""


class Spool:
    """Where the bytes of upload ``upload_id`` lie until the upload is complete."""

    def __init__(self, upload_id: uuid.UUID) -> None:
        self.path = Path(settings.UPLOAD_DIR) / f"{upload_id}.part"
        self._lease_path = self.path.with_suffix(".lease")

    @property
    def size_bytes(self) -> int:
        """Bytes on disk; 0 where there is no file."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def writer(self) -> Iterator[SpoolWriter]:
        """The right to write, until the block ends. Raises :class:`UploadBusy`."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        token = uuid.uuid4().hex
        with self.holding_lease() as (holder, lease):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
            # The system frees this lock when its process dies, long before the lease runs out.
            holder_lives = not _try_lock(descriptor)
            age_s = time.time() - os.fstat(lease).st_mtime
            if holder and holder_lives and age_s < LEASE_SECONDS:
                os.close(descriptor)
                raise UploadBusy
            _write_token(lease, token)
        writer = SpoolWriter(self, token, descriptor)
        try:
            yield writer
        finally:
            writer.close()
            with self.holding_lease() as (holder, lease):
                if holder == token:
                    _write_token(lease, "")

    @contextmanager
    def holding_lease(self) -> Iterator[tuple[str, int]]:
        """The lease file's content and descriptor, with every other process kept out meanwhile."""
        descriptor = os.open(self._lease_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield os.pread(descriptor, 64, 0).decode(), descriptor
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """Forget the bytes."""
        self.path.unlink(missing_ok=True)
        self._lease_path.unlink(missing_ok=True)


class SpoolWriter:
    """Appends to a spool for as long as it holds the lease."""

    def __init__(self, spool: Spool, token: str, descriptor: int) -> None:
        self._spool = spool
        self._token = token
        self._descriptor = descriptor
        self.offset = -1

    def start_at(self, offset: int) -> None:
        """Go to byte ``offset``; what a killed request may have left behind it is dropped."""
        os.ftruncate(self._descriptor, offset)
        self.offset = offset

    def write(self, data: bytes) -> None:
        """Append ``data``. Raises :class:`UploadBusy` if somebody else holds the lease, OSError."""
        with self._spool.holding_lease() as (holder, lease):
            if holder != self._token:
                raise UploadBusy
            rest = memoryview(data)
            while rest:
                written = os.pwrite(self._descriptor, rest, self.offset)
                self.offset += written
                rest = rest[written:]
            os.utime(lease)

    def sync(self) -> bool:
        """Make what was written last; False if the lease is lost and the offset no longer ours."""
        with self._spool.holding_lease() as (holder, _):
            if holder != self._token or self.offset < 0:
                return False
            os.fdatasync(self._descriptor)
            return True

    def close(self) -> None:
        os.close(self._descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_token(descriptor: int, token: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, token.encode(), 0)
    os.utime(descriptor)
