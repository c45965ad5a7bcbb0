"""``make run``: the whole product on one machine, kept alive, and stopped without a trace.

    python -m sonicsite.run [--stop-with-parent]

Takes the port, starts or adopts the embedded PostgreSQL (unless ``DATABASE_URL`` is set), prepares
the database, then keeps the workers and the server running until Ctrl-C, SIGTERM or SIGHUP.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

from sonicsite import embedded_postgres
from sonicsite.environment import data_dir, flag, number
from sonicsite.processes import (
    Child,
    die_with_parent,
    kill_all,
    limit_log,
    running_with_environment,
    stop_all,
)

BASE_DIR = Path(__file__).resolve().parent.parent
STOP_SECONDS = 12.0
CHECK_EVERY_SECONDS = 0.5
DATABASE_CHECK_SECONDS = 10.0
COMPLAIN_AFTER_SECONDS = 60.0
# Every process of a run carries its data folder in this variable, so that none can be overlooked.
MARK = "SONIC_VISION_RUN"


class CannotRunError(Exception):
    """Why the product cannot start, in one line for people."""


def logs_are_collected() -> bool:
    """Whether a machine reads our output as JSON lines (production), rather than a person."""
    production = flag("PRODUCTION", bool(os.environ.get("DATABASE_URL")))
    return os.environ.get("LOG_FORMAT", "json" if production else "text") == "json"


def say(text: str) -> None:
    """Tell the terminal, which may be gone, or the log."""
    if logs_are_collected():
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": moment, "level": "INFO", "logger": "sonicsite.run", "message": text.strip()}
        text = json.dumps(line)
    with suppress(OSError, ValueError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


class StopRequest:
    """Turns Ctrl-C, SIGTERM and SIGHUP into a flag that can be waited for."""

    def __init__(self) -> None:
        self.asked = False
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(sig, self._on_signal)

    def _on_signal(self, number: int, frame: object) -> None:
        self.asked = True

    def wait(self, seconds: float) -> bool:
        """Wait at most ``seconds``; True as soon as a stop is asked for."""
        if not self.asked:
            select.select([self._read], [], [], seconds)
        return self.asked


def listen_on(host: str, port: int) -> socket.socket:
    """Take the port before anything is started; the server inherits it, also when restarted."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise CannotRunError(
            f"Port {port} on {host} cannot be used ({error.strerror}). "
            f"Choose another one: make run PORT={port + 1 if port < 65_535 else 8_001}"
        ) from None
    return listener


def take_folder(directory: Path) -> int:
    """Lock the data folder for this run; returns the descriptor that holds the lock."""
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode().strip()
        os.close(descriptor)
        raise CannotRunError(
            f"Already running from {directory} (process {holder}). Stop that one first, "
            "or set DATA_DIR to another folder."
        ) from None
    os.truncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


class Run:
    """One run of the product: what it keeps alive, from the first start to the last stop."""

    def __init__(self, directory: Path, stop: StopRequest) -> None:
        self.directory = directory
        self.stop = stop
        self.embedded = not os.environ.get("DATABASE_URL")
        self._look_at_database_after = 0.0
        self.env = {
            **os.environ,
            MARK: str(directory),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "ignore"),
            "DJANGO_SETTINGS_MODULE": "sonicsite.settings",
        }
        # Logs go to files where a person watches, to our own streams where a machine collects them.
        self.logs = None if logs_are_collected() else directory / "logs"

    def child(self, name: str, *command: str, **options: object) -> Child:
        """A process of this run, described but not started."""
        log = self.logs / f"{name}.log" if self.logs else None
        return Child(name, command, env=self.env, log=log, show_output=True, **options)  # type: ignore[arg-type]

    def manage(self, name: str, *arguments: str) -> Child:
        """A management command as a process of this run."""
        return self.child(name, sys.executable, str(BASE_DIR / "manage.py"), *arguments)

    def prepare(self) -> None:
        """Bring database and static files up to date; raises CannotRunError if that fails."""
        child = self.manage("prepare", "prepare")
        child.start()
        while child.exit_reason() is None:
            if self.stop.wait(0.1):
                stop_all([child], STOP_SECONDS)
                return
        assert child.process is not None
        if child.process.returncode != 0:
            raise CannotRunError(
                f"Preparing the database {child.exit_reason()}. {self.last_words(child)}"
            )

    def last_words(self, child: Child) -> str:
        """The last line a child logged, and where to read more."""
        if child.log is None or not child.log.exists():
            return "See the log above."
        lines = child.log.read_text(errors="replace").strip().splitlines()
        return f"{lines[-1] if lines else ''} (log: {child.log})"

    def keep_database(self) -> None:
        """Bring the embedded server back if it died."""
        if embedded_postgres.is_alive(self.directory):
            if time.monotonic() < self._look_at_database_after:
                return
            self._look_at_database_after = time.monotonic() + DATABASE_CHECK_SECONDS
            if embedded_postgres.is_well(self.directory):
                return
            # Adopting gives it half a minute to answer, then puts a new one in its place.
        else:
            say("The database stopped unexpectedly; starting it again.")
        try:
            self.env["EMBEDDED_DATABASE_URL"] = embedded_postgres.ensure_running(self.directory)
        except embedded_postgres.EmbeddedPostgresError as error:
            say(f"It does not start: {error}")

    def keep(self, children: list[Child], announcement: Announcement) -> None:
        """Keep all alive until a stop is asked for."""
        while not self.stop.wait(announcement.pause_seconds):
            if self.embedded:
                self.keep_database()
            for child in children:
                reason = child.keep_alive()
                if reason is not None:
                    say(f"The {child.name} {reason}; starting it again. {self.last_words(child)}")
                if child.log is not None:
                    limit_log(child.log)
            announcement.make()

    def end_leftovers(self) -> list[int]:
        """Kill processes that carry this folder's mark: of a killed run, or that would not end."""
        left = running_with_environment(MARK, str(self.directory))
        kill_all(left)
        return left


class Announcement:
    """Tells the address once, as soon as the server answers there."""

    def __init__(self, host: str, port: int, logs: Path | None) -> None:
        self.host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        self.port = port
        self.logs = logs
        self.started = time.monotonic()
        self.pause_seconds = 0.1
        self._made = self._complained = False

    def make(self) -> None:
        """Announce, if that has not been done and the server answers."""
        if self._made:
            return
        seconds = time.monotonic() - self.started
        if self._server_answers():
            self._made = True
            self.pause_seconds = CHECK_EVERY_SECONDS
            address = f"[{self.host}]" if ":" in self.host else self.host
            say(
                f"\n  Sonic Vision Pro is ready ({seconds:.1f} s):  http://{address}:{self.port}/\n"
            )
            say("  Ctrl-C stops it." + (f"  Logs: {self.logs}" if self.logs else ""))
        elif seconds > COMPLAIN_AFTER_SECONDS and not self._complained:
            self._complained = True
            self.pause_seconds = CHECK_EVERY_SECONDS
            where = f": see {self.logs}/server.log" if self.logs else ""
            say(f"The server does not answer after {seconds:.0f} s{where}")

    def _server_answers(self) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=1)
        try:
            connection.request("GET", "/healthz", headers={"Host": "localhost"})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def run(stop: StopRequest) -> None:
    """Everything from taking the port to the last stop."""
    host, port = os.environ.get("HOST") or "127.0.0.1", number("PORT", 8_000)
    directory = data_dir(BASE_DIR)
    with ExitStack() as held:
        listener = held.enter_context(listen_on(host, port))
        held.callback(os.close, take_folder(directory))
        this = Run(directory, stop)
        announcement = Announcement(host, port, this.logs)
        this.end_leftovers()
        if this.embedded:
            if not (directory / "postgres").exists():
                say("Making the database ...")
            url = held.enter_context(embedded_postgres.in_use(directory))
            this.env["EMBEDDED_DATABASE_URL"] = url
        this.prepare()
        workers = this.manage("workers", "run_workers", "--show-progress")
        server = this.child(
            "server",
            *(sys.executable, "-m", "gunicorn", "sonicsite.wsgi"),
            *("--config", "python:sonicsite.gunicorn_conf"),
            *("--bind", f"fd://{listener.fileno()}"),
            pass_fds=(listener.fileno(),),
        )
        children = [server, workers]
        held.callback(say, "Stopped.")
        held.callback(end, this, children)
        if not stop.asked:
            for child in children:
                child.start()
        this.keep(children, announcement)


def end(this: Run, children: list[Child]) -> None:
    """Stop the children and make sure that nothing of this run is left."""
    say("\nStopping ...")
    killed = stop_all(children, STOP_SECONDS)
    if killed:
        say(f"Had to be ended by force: {', '.join(killed)}.")
    left = this.end_leftovers()
    if left:
        say(f"Ended {len(left)} processes that were left over.")


def main() -> int:
    """Exit code: 0 after an asked-for stop, 1 if the product cannot start."""
    if "--stop-with-parent" in sys.argv[1:]:
        die_with_parent(signal.SIGTERM)
    os.chdir(BASE_DIR)
    stop = StopRequest()
    try:
        run(stop)
    except (CannotRunError, embedded_postgres.EmbeddedPostgresError, ValueError, OSError) as error:
        with suppress(OSError):
            sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
