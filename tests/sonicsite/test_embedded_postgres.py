"""The embedded server: made whole, adopted, held by several, stopped by the last, in odd places."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest

from sonicsite import embedded_postgres, gunicorn_conf
from sonicsite.embedded_postgres import EmbeddedPostgresError, ensure_running, in_use, stop
from sonicsite.environment import parse_database_url
from sonicsite.postgres_owner import owner_for

BASE_DIR = Path(__file__).resolve().parents[2]
HOLDER = """
import sys
from pathlib import Path
from sonicsite.embedded_postgres import in_use
with in_use(Path(sys.argv[1])) as url:
    sys.stdout.write(url + "\\n")
    sys.stdout.flush()
    sys.stdin.read()
"""


def ask(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
        return row and row[0]


def hold(data_dir: Path) -> subprocess.Popen[str]:
    """Another process that holds the server until its standard input is closed."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data_dir)],
        cwd=BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline().startswith("postgresql://")
    return holder


def let_go(holder: subprocess.Popen[str]) -> None:
    holder.communicate(timeout=60)
    assert holder.returncode == 0


def as_user(uid: int, do: Callable[[], str]) -> str:
    """What ``do`` returns, or the error it raises, in a process of another user.

    Forked, because that user may not be allowed to start this Python.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            answer = do()
        except BaseException as error:  # noqa: BLE001 - told to the parent
            answer = f"{type(error).__name__}: {error}"
        os.write(write, answer.encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as pipe:
        return pipe.read()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    # Letters that mean something to shells, addresses, lists and quotations.
    folder = tmp_path_factory.mktemp("pg") / 'it\'s, a "näive" $PATH; 100% &x=1'
    yield folder
    stop(folder)


def test_works_in_a_folder_of_any_name_and_keeps_data(data_dir):
    with in_use(data_dir) as url:
        assert ask(url, "SHOW server_version_num") >= "180000"
        assert ask(url, "SHOW listen_addresses") == ""
        assert ask(url, "SELECT lower('ÄÖÉ')") == "äöé"
        with psycopg.connect(url) as connection:
            connection.execute("CREATE EXTENSION vector")
            connection.execute("CREATE TABLE kept AS SELECT '[1,2]'::halfvec(2) AS place")
        config = parse_database_url(url)
        assert Path(config["HOST"]).is_dir()
    assert not embedded_postgres.is_alive(data_dir)
    with in_use(data_dir) as url:
        assert ask(url, "SELECT place <-> '[1,4]' FROM kept") == pytest.approx(2.0)


def test_only_its_owner_can_connect(data_dir):
    with in_use(data_dir) as url:
        socket = Path(parse_database_url(url)["HOST"]) / ".s.PGSQL.5432"
        assert socket.stat().st_mode & 0o077 == 0
        assert socket.parent.stat().st_mode & 0o077 == 0


def test_every_thread_and_worker_of_the_default_site_can_have_a_connection(data_dir):
    from django.conf import settings

    threads = gunicorn_conf.workers * gunicorn_conf.threads
    # A worker and the heart of its job; the rest is for the keepers, commands and superusers.
    workers = 2 * (settings.LISTEN_WORKERS + settings.HEAVY_WORKERS)
    with in_use(data_dir) as url:
        room = int(ask(url, "SHOW max_connections"))
        assert room >= threads + workers + 40
        with ExitStack() as stack:
            crowd = [stack.enter_context(psycopg.connect(url)) for _ in range(threads + workers)]
            assert crowd[-1].execute("SELECT 1").fetchone() == (1,)


def test_last_holder_stops_it(data_dir):
    first, second = hold(data_dir), hold(data_dir)
    with in_use(data_dir) as url:
        let_go(first)
        assert ask(url, "SELECT 1") == 1
    assert embedded_postgres.is_alive(data_dir)
    let_go(second)
    assert not embedded_postgres.is_alive(data_dir)


def test_outlives_a_killed_holder_and_is_adopted(data_dir):
    holder = hold(data_dir)
    holder.kill()
    holder.communicate()
    pid = embedded_postgres._postmaster(data_dir.resolve() / "postgres")
    assert pid is not None
    with in_use(data_dir) as url:
        assert ask(url, "SELECT 1") == 1
        assert embedded_postgres._postmaster(data_dir.resolve() / "postgres") == pid
    assert not embedded_postgres.is_alive(data_dir)


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSTOP])
def test_starts_after_its_processes_were_killed(data_dir, sig):
    """All at once, or only the main one while a stopped child still holds the shared memory."""
    ensure_running(data_dir)
    directory = data_dir.resolve() / "postgres"
    main = embedded_postgres._postmaster(directory)
    for pid in embedded_postgres._processes_of(directory):
        if pid != main:
            with suppress(ProcessLookupError):  # the main process ends the others by itself
                os.kill(pid, sig)
    os.kill(main, signal.SIGKILL)
    with in_use(data_dir) as url:
        assert ask(url, "SELECT count(*) FROM kept") == 1
        assert embedded_postgres._postmaster(directory) != main
    assert embedded_postgres._processes_of(directory) == []


def test_lock_file_that_names_an_unrelated_process_is_no_obstacle(data_dir):
    directory = data_dir.resolve() / "postgres"
    (directory / "postmaster.pid").write_text(f"{os.getpid()}\n{directory}\n")
    sockets = Path(embedded_postgres._socket_dir(directory, owner_for(directory)))
    (sockets / ".s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n{directory}\n")
    assert not embedded_postgres.is_alive(data_dir)
    with in_use(data_dir) as url:
        assert ask(url, "SELECT 1") == 1


def test_half_made_database_is_made_again(tmp_path):
    half = tmp_path / "postgres.making"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with in_use(tmp_path) as url:
        assert ask(url, "SELECT 1") == 1
    assert not half.exists()


def test_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "diary.txt").write_text("mine")
    with pytest.raises(EmbeddedPostgresError, match="neither empty nor a database"):
        ensure_running(tmp_path)
    assert (tmp_path / "postgres" / "diary.txt").read_text() == "mine"


def test_database_of_another_version_is_left_alone(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 16"):
        ensure_running(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
class TestUsers:
    @pytest.fixture
    def common(self):
        """A folder that everybody can get at (pytest's own are closed to others)."""
        folder = Path(tempfile.mkdtemp(prefix="svp-users-"))
        folder.chmod(0o755)
        yield folder
        shutil.rmtree(folder)

    def test_ordinary_user_runs_it_below_a_closed_home(self, common):
        home = common / "home"
        home.mkdir(mode=0o700)
        shutil.chown(home, "nobody")
        uid = home.stat().st_uid

        def use() -> str:
            with in_use(home / "data") as url:
                pid = embedded_postgres._postmaster(home / "data" / "postgres")
                return f"{Path(f'/proc/{pid}').stat().st_uid} {ask(url, 'SELECT 42')}"

        assert as_user(uid, use) == f"{uid} 42"
        assert not embedded_postgres.is_alive(home / "data")
        assert home.stat().st_mode & 0o777 == 0o700
        # Root goes on with it as the same user, and leaves it usable for that user.
        with in_use(home / "data") as url:
            assert ask(url, "SELECT 1") == 1
        assert as_user(uid, use) == f"{uid} 42"

    def test_root_runs_it_below_a_closed_home_as_somebody_else(self, common):
        home = common / "home"
        home.mkdir(mode=0o700)
        with in_use(home / "data") as url:
            pid = embedded_postgres._postmaster(home / "data" / "postgres")
            assert Path(f"/proc/{pid}").stat().st_uid == owner_for(home / "data" / "postgres").uid
            assert Path(f"/proc/{pid}").stat().st_uid != 0
            assert ask(url, "SELECT 1") == 1
        # Others than that user can no more enter the home than before.
        shutil.chown(common, "root")
        entered = subprocess.run(["ls", str(home)], user="nobody", capture_output=True)
        assert entered.returncode != 0

    def test_somebody_elses_database_is_refused_in_words(self, common):
        (common / "postgres").mkdir()
        said = as_user(65_534, lambda: str(owner_for(common / "postgres")))
        assert "belongs to root: run as that user or as root" in said


def test_server_that_hangs_is_replaced(data_dir, monkeypatch):
    monkeypatch.setattr(embedded_postgres, "SILENT_SECONDS", 1)
    ensure_running(data_dir)
    assert embedded_postgres.is_well(data_dir)
    directory = data_dir.resolve() / "postgres"
    hung = embedded_postgres._postmaster(directory)
    monkeypatch.setattr(embedded_postgres, "CONNECT_SECONDS", 1)
    os.kill(hung, signal.SIGSTOP)
    assert not embedded_postgres.is_well(data_dir)
    with in_use(data_dir) as url:
        assert ask(url, "SELECT count(*) FROM kept") == 1
        assert embedded_postgres._postmaster(directory) != hung
