"""The whole product as a process of its own, for tests that need it real."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psycopg

from sonicsite import embedded_postgres
from sonicsite.processes import kill_all, running_with_environment, wait_until
from sonicsite.run import MARK
from tests import prepared

BASE_DIR = Path(__file__).resolve().parent.parent
START_SECONDS = 240.0
# Of the machine's own settings a stack under test inherits none that would change what is tested.
_FOREIGN = ("DATABASE_URL", "EMBEDDED_DATABASE_URL", "REDIS_URL", "DATA_DIR", "PORT", "PRODUCTION")


def free_port() -> int:
    """A TCP port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """``python -m sonicsite.run`` with a data folder and a port of its own.

    Unless ``fresh``, the folder begins as a copy of one in which the database is made already: a
    first start takes its time, and one test of it is enough.
    """

    def __init__(self, data_dir: Path, *, fresh: bool = False, **env: str) -> None:
        self.fresh = fresh
        self.data_dir = data_dir.resolve()
        self.port = free_port()
        self.env = {
            **{name: value for name, value in os.environ.items() if name not in _FOREIGN},
            "DATA_DIR": str(self.data_dir),
            "PORT": str(self.port),
            "DEMO": "0",
            "HOST": "127.0.0.1",
            **env,
        }
        self.process: subprocess.Popen[str] | None = None
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by end()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; returns at once."""
        if not self.fresh and not self.data_dir.exists():
            prepared.copy_to(self.data_dir)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sonicsite.run", "--stop-with-parent"],
            cwd=BASE_DIR,
            env=self.env,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )

    def manage(self, *arguments: str) -> str:
        """Run a management command beside it; returns what that printed."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=BASE_DIR, env=self.env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, query: str) -> Any:
        """The first column of the first row of an answer from its database."""
        with psycopg.connect((self.data_dir / "postgres.url").read_text()) as connection:
            row = connection.execute(query).fetchone()
        return row and row[0]

    def output(self) -> str:
        """What it has written to its terminal."""
        if self._output.closed:
            return "(it has been cleared away)"
        self._output.seek(0)
        return self._output.read()

    def checks(self) -> dict[str, str]:
        """The readiness checks' answers; empty if nothing answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                document: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            document = json.load(error) if error.code == 503 else {}
        except (OSError, ValueError):
            return {}
        return dict(document.get("checks", {}))

    def wait_ready(self, *names: str, seconds: float = START_SECONDS) -> None:
        """Wait until the named checks (default: all) pass; raises AssertionError with the logs."""

        def passes() -> bool:
            assert self.process is None or self.process.poll() is None, self.story()
            checks = self.checks()
            return bool(checks) and all(checks[name] == "ok" for name in names or checks)

        assert wait_until(passes, seconds, every=0.2), f"{self.checks()}\n{self.story()}"

    def processes(self) -> list[int]:
        """Pids of everything that was started in this run, except itself and the database."""
        own = self.process.pid if self.process else None
        return [
            pid
            for pid in running_with_environment(MARK, str(self.data_dir))
            if pid != own and b"postgres" not in Path(f"/proc/{pid}/cmdline").read_bytes()[:200]
        ]

    def find(self, *words: str) -> list[int]:
        """Pids of this run's processes whose command line has all the words."""
        found = []
        for pid in self.processes():
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if all(word in line for word in words):
                found.append(pid)
        return found

    def stop(self, sig: int = signal.SIGTERM, seconds: float = 60.0) -> int:
        """Ask it to stop; returns the exit code once it has."""
        assert self.process is not None
        self.process.send_signal(sig)
        return self.process.wait(timeout=seconds)

    def story(self) -> str:
        """Terminal output and the ends of all logs, to show when a test fails."""
        parts = [f"--- terminal\n{self.output()}"]
        for log in sorted((self.data_dir / "logs").glob("*.log")):
            parts.append(f"--- {log.name}\n{log.read_text(errors='replace')[-4_000:]}")
        return "\n".join(parts)

    def end(self) -> None:
        """Take away whatever is left of it, however a test went."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        kill_all(running_with_environment(MARK, str(self.data_dir)))
        embedded_postgres.stop(self.data_dir)
        self._output.close()


def wait_for_change(before: set[int], now: Any, seconds: float = 30.0) -> set[int]:
    """Wait until ``now()`` gives pids that are all new, as many as before; returns them."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        after = set(now())
        if len(after) >= len(before) and not after & before:
            return after
        time.sleep(0.1)
    raise AssertionError(f"still {set(now())}, before {before}")
