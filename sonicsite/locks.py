"""Locks that hold across all processes of the site, by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper


@contextmanager
def alone_with(name: str, session: BaseDatabaseWrapper | None = None) -> Iterator[bool]:
    """Whether nobody else holds the lock of this name now; if so, it is held until the end.

    The lock is the database's (an advisory lock of ``session``, by default of this thread's
    connection): a process that dies does not keep it. Whoever holds it already on the same
    connection gets it again.
    """
    session = session or connection
    with session.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        alone = bool(cursor.fetchone()[0])
    try:
        yield alone
    finally:
        if alone:
            # A connection that has broken meanwhile has lost its locks, and says why elsewhere.
            with suppress(DatabaseError), session.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


def turn(name: str) -> None:
    """Wait until nobody else has the turn of this name; it is ours until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
