"""``make run`` for real: what starts, what comes back when it is killed, and that nothing is left.

The tests of this file share one data folder and build on each other's stops, in order: that is
what a person does who starts the product again and again.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sonicsite import embedded_postgres
from sonicsite.health import REMEMBER_SECONDS
from sonicsite.processes import is_running, wait_until
from tests.stack import Stack, wait_for_change

PLATFORM = ("database", "queue", "storage")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    # A folder with a space, far too long for a Unix socket, below one that only we may enter.
    private = tmp_path_factory.mktemp("home")
    private.chmod(0o700)
    stack = Stack(private / ("a long path " * 12).strip() / "data", fresh=True)
    yield stack
    stack.end()


def ppid(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_starts_and_says_where_it_is(stack):
    stack.start()
    stack.wait_ready(*PLATFORM)
    assert wait_until(lambda: f"http://127.0.0.1:{stack.port}/" in stack.output(), 10)
    assert len(stack.find("run_workers")) == 1
    assert len(stack.find("gunicorn")) == 3


def test_second_start_in_the_same_folder_says_so(stack):
    other = Stack(stack.data_dir)
    try:
        other.start()
        assert other.process.wait(timeout=20) == 1
        assert other.output().startswith("Already running from ")
        assert f"process {stack.process.pid}" in other.output()
        assert other.output().count("\n") == 1
    finally:
        other._output.close()  # not end(): the folder is the first one's


def test_busy_port_is_one_clear_line_and_starts_nothing(tmp_path):
    other = Stack(tmp_path / "data", fresh=True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", other.port))
        taken.listen()
        other.start()
        assert other.process.wait(timeout=20) == 1
    assert other.output().startswith(f"Port {other.port} on 127.0.0.1 cannot be used")
    assert other.output().count("\n") == 1
    assert not (tmp_path / "data").exists()
    other.end()


def test_killed_database_comes_back(stack):
    pid = embedded_postgres._postmaster(stack.data_dir / "postgres")
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: "The database stopped unexpectedly" in stack.output(), 10)
    assert wait_until(lambda: embedded_postgres.is_alive(stack.data_dir), 20)
    assert embedded_postgres._postmaster(stack.data_dir / "postgres") != pid
    time.sleep(REMEMBER_SECONDS)  # an answer from before counts for nothing
    stack.wait_ready(*PLATFORM, seconds=40)


def test_killed_server_comes_back(stack):
    servers = stack.find("gunicorn")
    master = next(pid for pid in servers if ppid(pid) == stack.process.pid)
    os.kill(master, signal.SIGKILL)
    assert wait_until(lambda: not any(is_running(pid) for pid in servers), 5)
    stack.wait_ready("database")


def test_killed_queue_processes_come_back_without_orphans(stack):
    def listen() -> list[int]:
        return stack.find("run_cluster", "/listen.")

    def heavy_main() -> list[int]:
        return [pid for pid in stack.find("run_cluster", "/heavy.") if ppid(pid) == keeper]

    keeper = stack.find("run_workers")[0]
    # Main process, sentinel, two workers, monitor, pusher.
    assert wait_until(lambda: len(listen()) == 6, 20), stack.story()
    family, other = set(listen()), heavy_main()
    main = next(pid for pid in family if ppid(pid) == keeper)
    sentinel = next(pid for pid in family if ppid(pid) == main)

    os.kill(sentinel, signal.SIGKILL)
    # The main process notices, ends, and a whole new family stands in its place.
    new = wait_for_change(family, listen)
    assert not any(is_running(pid) for pid in family)

    os.kill(next(pid for pid in new if ppid(pid) == keeper), signal.SIGKILL)
    newer = wait_for_change(new, listen)
    assert not any(is_running(pid) for pid in new)

    # A worker killed while it waits may hold the queue's lock: again a whole new family.
    time.sleep(1.0)
    main = next(pid for pid in newer if ppid(pid) == keeper)
    sentinel = next(pid for pid in newer if ppid(pid) == main)
    os.kill(min(pid for pid in newer if ppid(pid) == sentinel), signal.SIGKILL)
    wait_for_change(newer, listen)
    assert heavy_main() == other
    stack.wait_ready(*PLATFORM)


def test_workers_of_both_queues_still_work(stack):
    script = (
        "from django_q.tasks import async_task\n"
        "for number in range(4):\n"
        "    async_task('math.hypot', 3, 4, group='proof', cluster=('listen', 'heavy')[number % 2])"
    )
    stack.manage("shell", "--no-imports", "-c", script)
    proof = "SELECT count(*) FROM django_q_task WHERE \"group\" = 'proof' AND success"
    assert wait_until(lambda: stack.ask(proof) == 4, 30), stack.story()
    assert wait_until(lambda: stack.ask("SELECT count(*) FROM django_q_ormq") == 0, 5)


def test_stop_leaves_nothing(stack):
    family = stack.processes()
    started = time.monotonic()
    assert stack.stop(signal.SIGINT) == 0, stack.story()
    assert time.monotonic() - started < 60
    assert not any(is_running(pid) for pid in family)
    assert stack.processes() == []
    assert not embedded_postgres._processes_of(stack.data_dir / "postgres")
    assert "by force" not in stack.output()


def test_killed_run_takes_all_along_but_the_database_and_starts_again(stack):
    stack.start()
    stack.wait_ready(*PLATFORM)
    stack.process.kill()
    stack.process.wait()
    # All that there is then: a worker may be forked in the moment of the kill.
    assert wait_until(lambda: stack.processes() == [], 5), stack.story()
    postgres = embedded_postgres._postmaster(stack.data_dir / "postgres")
    assert postgres is not None

    stack.env["LOG_FORMAT"] = "json"
    before = len(stack.output())
    stack.start()
    stack.wait_ready(*PLATFORM)
    assert embedded_postgres._postmaster(stack.data_dir / "postgres") == postgres  # adopted
    assert stack.stop() == 0
    assert not is_running(postgres)
    assert stack.processes() == []
    assert_json_lines(stack.output()[before:])


def assert_json_lines(output: str) -> None:
    """Everything that a production run writes can be read by a machine."""
    lines = [json.loads(line) for line in output.splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    asked = [line for line in lines if line["message"].startswith("GET /readyz ")]
    assert asked
    assert len({line["request_id"] for line in asked}) == len(asked)
    assert asked[-1]["seconds"] >= 0
    loggers = {line["logger"] for line in lines}
    assert {"sonicsite.run", "gunicorn.access", "gunicorn.error"} <= loggers


def test_stop_with_parent(stack):
    """Killing ``make`` stops the product cleanly."""
    command = 'exec 3>&1; "$0" -m sonicsite.run --stop-with-parent & echo $!; wait'
    shell = subprocess.Popen(
        ["/bin/sh", "-c", command, sys.executable],
        env=stack.env,
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    run = int(shell.stdout.readline())
    assert wait_until(lambda: "database" in stack.checks(), 40)
    shell.kill()
    shell.wait()
    assert wait_until(lambda: not is_running(run), 30)
    shell.stdout.close()
    assert stack.processes() == []
    assert not embedded_postgres.is_alive(stack.data_dir)
