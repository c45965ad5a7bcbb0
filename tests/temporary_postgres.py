"""Starts the PostgreSQL that the tests run on: a plugin, loaded before Django reads its settings.

``DATABASE_URL`` names another one to use. The temporary server keeps nothing safe from a power cut
(no fsync), is gone with the test run, also after Ctrl-C, and what a killed run left is cleared away
by the next one.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from sonicsite import embedded_postgres
from tests import prepared

PREFIX = "svp-test-"
_directory: Path | None = None
_NEW_SECONDS = 60.0


def clear_leftovers() -> None:
    """Stop and delete the servers of test runs that were killed."""
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        users = directory / "postgres.users"
        if not users.exists() or time.time() - directory.stat().st_mtime < _NEW_SECONDS:
            continue
        try:
            with users.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                embedded_postgres.stop(directory)
                shutil.rmtree(directory, ignore_errors=True)
        except (BlockingIOError, PermissionError):
            continue  # in use, or somebody else's


def start() -> None:
    """Start a server, point the settings at it, and take it away at exit."""
    global _directory
    clear_leftovers()
    held = ExitStack()
    owner = os.getpid()

    def close() -> None:
        if os.getpid() == owner:  # not in a process forked by a test
            held.close()

    atexit.register(close)
    directory = _directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    held.callback(shutil.rmtree, directory, ignore_errors=True)
    url = held.enter_context(embedded_postgres.in_use(directory, durable=False))
    os.environ["EMBEDDED_DATABASE_URL"] = url
    os.environ["DATA_DIR"] = str(directory / "data")
    (directory / "data" / "static").mkdir(parents=True)
    os.environ.setdefault(prepared.FOLDER, str(directory / "prepared"))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests' folders beside the server's: pytest's usual place is closed to all other
    users again whenever another test run starts, also to the one that a database runs as."""
    if _directory is not None and config.option.basetemp is None:
        config.option.basetemp = str(_directory / "tmp")


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if "DATABASE_URL" not in os.environ:
    for _signal in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(_signal, _interrupt)
    start()
