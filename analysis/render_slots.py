"""Who may render just now: one render per account on the whole site, a few per web process.

An account's turn is an advisory lock of PostgreSQL on a connection of its own, so it holds across
web processes and ends with the process that took it, however that ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Self

from django.db import connection

from sonicsite.locks import alone_with

MOST_AT_ONCE = 4
"""Renders and measurements in one web process."""

SLOWEST_DOWNLOAD_S = 20 * 60.0
"""A reader who has not fetched everything after this long is left, so that others have a turn."""

_RETRY_S = 5.0
_at_work: set[str] = set()
# Dropped responses may be tidied up by whoever holds it just now.
_guard = threading.RLock()


class NoSlot(Exception):
    """There is no turn now; the message is for the artist, and ``retry_s`` says when to ask."""

    def __init__(self, message: str, *, retry_s: float = _RETRY_S) -> None:
        super().__init__(message)
        self.message = message
        self.retry_s = retry_s


@contextmanager
def render_slot(account: str) -> Iterator[None]:
    """Hold the turn of an account. Raises NoSlot at once if it, or the process, is at work."""
    with _guard:
        if account in _at_work:
            raise _own_is_running()
        if len(_at_work) >= MOST_AT_ONCE:
            raise NoSlot(
                "Others are having their songs rendered just now. Try again in a few seconds."
            )
        _at_work.add(account)
    try:
        with _site_wide(account):
            yield
    finally:
        with _guard:
            _at_work.discard(account)


@contextmanager
def _site_wide(account: str) -> Iterator[None]:
    session = connection.copy()
    # Whoever drops a download that was never read may be another thread.
    session.inc_thread_sharing()
    try:
        with alone_with(f"render {account}", session) as alone:
            if not alone:
                raise _own_is_running()
            yield
    finally:
        session.close()


def _own_is_running() -> NoSlot:
    return NoSlot("Another render of yours is still running. Try again when it has been saved.")


class HeldStream:
    """Pieces of a response, and what must be let go when they are sent or nobody wants them.

    The server closes a response whether or not it was read to its end. Raises TimeoutError while
    iterating, which breaks the connection, when the reader takes longer than
    :data:`SLOWEST_DOWNLOAD_S`.
    """

    def __init__(self, pieces: Iterator[bytes], held: ExitStack) -> None:
        self._pieces = pieces
        self._held = held
        self._until_s = time.monotonic() + SLOWEST_DOWNLOAD_S

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        try:
            if time.monotonic() > self._until_s:
                raise TimeoutError("a download took too long")
            return next(self._pieces)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go; more than once does no harm."""
        self._held.close()

    def __del__(self) -> None:
        self.close()
