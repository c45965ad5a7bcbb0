"""Folders in which long jobs keep what they have done, so that the next attempt goes on from there.

A folder is keyed by what is made in it, not by the job: another attempt, another artist's job of
the same content, or the same job on the next day finds it again. One process at a time works in
it; the kernel lets go of it when that process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

log = logging.getLogger(__name__)

KEPT_S = 48 * 3_600
"""A folder in which nothing was written for this long is dropped: nobody comes back for it."""

_ASK_AGAIN_S = 0.5
_SCRATCH = "scratch"


@contextmanager
def work_folder(kind: str, key: str, *, waiting: Callable[[], object]) -> Iterator[Path]:
    """The folder of ``key``, for this process alone until the block ends; it stays afterwards.

    ``waiting`` is called twice a second while another process is in it; what it raises is raised.
    """
    folder = _base(kind) / key
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    while (lock := _try_lock(folder)) is None:
        waiting()
        time.sleep(_ASK_AGAIN_S)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield folder
    finally:
        os.close(lock)


def drop(folder: Path) -> None:
    """Remove a folder that this process holds, with all in it."""
    shutil.rmtree(folder, ignore_errors=True)
    _lock_file(folder).unlink(missing_ok=True)


def tidy(kind: str, *, is_wanted: Callable[[str], bool]) -> int:
    """Drop folders that nobody works in and that are old, or not wanted; returns how many."""
    dropped = 0
    for folder in _base(kind).iterdir():
        if not folder.is_dir():
            continue
        if is_wanted(folder.name) and time.time() - folder.stat().st_mtime < KEPT_S:
            continue
        lock = _try_lock(folder)
        if lock is None:
            continue
        try:
            log.info("dropping unfinished work in %s", folder.name)
            drop(folder)
            dropped += 1
        finally:
            os.close(lock)
    return dropped


def free_bytes() -> int:
    """Room on the disk of the work folders."""
    return shutil.disk_usage(_base("")).free


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder that is gone after the block; :func:`tidy_scratch` drops a crash's."""
    with tempfile.TemporaryDirectory(dir=_base(_SCRATCH)) as folder:
        yield Path(folder)


def tidy_scratch() -> None:
    """Drop scratch folders that outlived the process that made them."""
    for folder in _base(_SCRATCH).iterdir():
        if time.time() - folder.stat().st_mtime > KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)


def _base(kind: str) -> Path:
    base = Path(settings.WORK_DIR) / kind
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    return base


def _lock_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _try_lock(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock, or None if somebody else has it."""
    path = _lock_file(folder)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Who dropped the folder removed this file too: a lock on it keeps nobody out any more.
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None
