"""Child processes that cannot outlive their keeper: starting, restarting and stopping them.

Linux only. A child is the leader of its own session, so that Ctrl-C in a terminal reaches the
keeper alone, and so that one ``killpg`` reaches everything the child has started.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0
# A child that lived this long was healthy: its next failure starts the back-off anew.
HEALTHY_SECONDS = 60.0
LOG_MAX_BYTES = 20 * 1024 * 1024


def die_with_parent(sig: int = signal.SIGKILL) -> None:
    """Ask the kernel to send ``sig`` to this process when its parent (thread) ends.

    The wish survives ``execve``, but not ``fork``: see :func:`die_with_parent_after_fork`.
    """
    if _LIBC.prctl(_PR_SET_PDEATHSIG, sig, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")


def die_with_parent_after_fork() -> None:
    """Let every process that this one forks from now on, and theirs, end with its own parent."""

    parent = os.getpid()

    def remember() -> None:
        nonlocal parent
        parent = os.getpid()

    def in_child() -> None:
        die_with_parent()
        if os.getppid() != parent:  # it was gone before the wish was made
            os.kill(os.getpid(), signal.SIGKILL)

    os.register_at_fork(before=remember, after_in_child=in_child)


def is_running(pid: int) -> bool:
    """Whether ``pid`` is a process that still executes (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def running_in_session(session: int) -> list[int]:
    """Pids of the processes that still execute in a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session and fields[0] not in {"Z", "X"}:
            found.append(int(entry.name))
    return found


def running_with_environment(name: str, value: str) -> list[int]:
    """Pids of the processes, other than this one, that were started with a variable set so."""
    wanted = os.fsencode(f"{name}={value}")
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if wanted in environment and is_running(int(entry.name)):
            found.append(int(entry.name))
    return found


def kill_all(pids: Sequence[int]) -> None:
    """Kill processes, some of which may be gone already, and wait until they are."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(is_running(pid) for pid in pids), 5.0)


def wait_until(condition: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Ask until ``condition`` holds; False if it did not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every)
    return True


def open_log(path: Path) -> IO[bytes]:
    """Open a log to append to; one that has grown past 20 MB becomes ``NAME.1`` first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_MAX_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return path.open("ab")


def limit_log(path: Path) -> None:
    """Keep a log that a child holds open within 20 MB: its text so far is copied to ``NAME.1``."""
    if path.exists() and path.stat().st_size > LOG_MAX_BYTES:
        path.with_name(path.name + ".1").write_bytes(path.read_bytes())
        os.truncate(path, 0)


@dataclass
class Child:
    """A process to be kept alive.

    ``log`` takes its standard error (both streams unless ``show_output``); without one it writes
    to the keeper's own streams.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] | None = None
    log: Path | None = None
    show_output: bool = False
    pass_fds: Sequence[int] = ()
    stop_signal: int = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    started_at: float = 0.0
    starts: int = 0
    _backoff: float = FIRST_BACKOFF_SECONDS
    _start_after: float = 0.0

    def start(self) -> None:
        """Start it as the leader of a new session, to be killed should the keeper die."""
        keeper = os.getpid()

        def prepare() -> None:
            die_with_parent()
            if os.getppid() != keeper:
                os._exit(1)

        log = open_log(self.log) if self.log else None
        try:
            self.process = subprocess.Popen(
                self.command,
                env=dict(self.env) if self.env is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=None if log is None or self.show_output else log,
                stderr=log,
                pass_fds=self.pass_fds,
                start_new_session=True,
                preexec_fn=prepare,  # keepers have one thread
            )
        finally:
            if log is not None:
                log.close()
        self.started_at = time.monotonic()
        self.starts += 1

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def age_seconds(self) -> float:
        """Seconds since the last start."""
        return time.monotonic() - self.started_at

    def exit_reason(self) -> str | None:
        """How it ended, in words, or None while it runs."""
        if self.process is None:
            return "not started"
        code = self.process.poll()
        if code is None:
            return None
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with code {code}"

    def keep_alive(self) -> str | None:
        """Restart it if it died, with growing pauses; tells how it died, once, when it did."""
        if self.process is not None:
            reason = self.exit_reason()
            if reason is None:
                return None
            self.kill_rest()
            if self.age_seconds() > HEALTHY_SECONDS:
                self._backoff = FIRST_BACKOFF_SECONDS
            self._start_after = time.monotonic() + self._backoff
            self._backoff = min(self._backoff * 2, LONGEST_BACKOFF_SECONDS)
            self.process = None
            return reason
        if time.monotonic() >= self._start_after:
            self.start()
        return None

    def kill_rest(self) -> None:
        """Kill whatever is left of its session, and reap the leader."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.kill()
        kill_all(running_in_session(self.process.pid))
        self.process.wait()


def stop_all(children: Sequence[Child], seconds: float) -> list[str]:
    """Ask all children to end, wait at most ``seconds`` for all together, then kill the rest.

    Returns the names of those that had to be killed. Afterwards nothing of their sessions runs.
    """
    running = [child for child in children if child.process is not None]
    for child in running:
        assert child.process is not None
        if child.process.poll() is None:
            child.process.send_signal(child.stop_signal)
    wait_until(lambda: all(child.exit_reason() for child in running), seconds)
    killed = [child.name for child in running if child.exit_reason() is None]
    for child in running:
        child.kill_rest()
        child.process = None
    return killed
