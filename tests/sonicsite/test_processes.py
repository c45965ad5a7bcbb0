"""Children that cannot outlive their keeper."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sonicsite import processes
from sonicsite.processes import Child, is_running, running_in_session, stop_all, wait_until

BASE_DIR = Path(__file__).resolve().parents[2]
STUBBORN = "trap '' TERM INT; sh -c 'trap \"\" TERM; while :; do sleep 1; done' & echo $!; wait"


def shell(script: str, log: Path) -> Child:
    return Child("shell", ["/bin/sh", "-c", script], log=log)


def first_number(log: Path) -> int:
    assert wait_until(lambda: log.exists() and log.read_text().strip() != "", 5)
    return int(log.read_text().split()[0])


def test_stop_gives_time_to_finish(tmp_path):
    log = tmp_path / "log"
    child = shell(
        "trap 'sleep 0.3; echo bye; exit 0' TERM; echo 1; while :; do sleep 0.05; done", log
    )
    child.start()
    first_number(log)
    assert stop_all([child], 5) == []
    assert log.read_text().split() == ["1", "bye"]


def test_stop_ends_what_will_not_end_and_all_that_it_started(tmp_path):
    child = shell(STUBBORN, tmp_path / "log")
    child.start()
    pid, grandchild = child.pid, first_number(tmp_path / "log")
    assert is_running(grandchild)
    assert stop_all([child], 0.5) == ["shell"]
    assert not is_running(pid)
    assert not is_running(grandchild)
    assert running_in_session(pid) == []


def test_restarts_come_at_growing_intervals(tmp_path):
    child = shell("exit 3", tmp_path / "log")
    began = time.monotonic()
    child.start()
    reasons, starts = [], []
    deadline = time.monotonic() + 60
    while len(starts) < 3 and time.monotonic() < deadline:
        before = child.starts
        reason = child.keep_alive()
        if reason:
            reasons.append(reason)
        if child.starts > before:
            starts.append(time.monotonic())
        time.sleep(0.02)
    stop_all([child], 1)
    # After 0.5, 1 and 2 seconds at the least; on a busy machine a look may come late.
    assert len(starts) == 3
    assert starts[0] - began > 0.45
    assert starts[1] - starts[0] > 0.95
    assert starts[2] - starts[1] > 1.95
    assert set(reasons) == {"ended with code 3"}


def test_how_a_child_was_killed_is_told(tmp_path):
    child = shell("echo 1; sleep 60", tmp_path / "log")
    child.start()
    first_number(tmp_path / "log")
    os.kill(child.pid, signal.SIGKILL)
    assert wait_until(lambda: child.exit_reason() is not None, 5)
    assert child.keep_alive() == "was ended by SIGKILL"
    stop_all([child], 1)


KEEPER = """
import os, sys, time
from pathlib import Path
from sonicsite.processes import Child, die_with_parent_after_fork
child = Child("sleeper", ["sleep", "60"])
child.start()
die_with_parent_after_fork()
forked = os.fork()
if forked == 0:
    if os.fork() == 0:
        Path(sys.argv[1]).write_text(str(os.getpid()))
    time.sleep(60)
while not Path(sys.argv[1]).exists() or not Path(sys.argv[1]).read_text():
    time.sleep(0.01)
sys.stdout.write(f"{child.pid} {forked} {Path(sys.argv[1]).read_text()}\\n")
sys.stdout.flush()
time.sleep(60)
"""


def test_children_and_grandchildren_die_with_a_killed_keeper(tmp_path):
    keeper = subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(tmp_path / "pid")],
        cwd=BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
    )
    family = [int(word) for word in keeper.stdout.readline().split()]
    assert len(family) == 3
    assert all(is_running(pid) for pid in family)
    keeper.kill()
    keeper.communicate()
    assert wait_until(lambda: not any(is_running(pid) for pid in family), 3)


def test_zombie_does_not_count_as_running():
    child = subprocess.Popen(["true"])
    assert wait_until(lambda: not is_running(child.pid), 5)
    assert Path(f"/proc/{child.pid}").exists()
    child.wait()


@pytest.mark.parametrize("held_open", [True, False])
def test_logs_are_kept_within_limits(tmp_path, monkeypatch, held_open):
    monkeypatch.setattr(processes, "LOG_MAX_BYTES", 100)
    log = tmp_path / "some.log"
    with processes.open_log(log) as file:
        file.write(b"x" * 150)
        file.flush()
        if held_open:
            processes.limit_log(log)
            file.write(b"after")
    if not held_open:
        processes.open_log(log).close()
    assert (tmp_path / "some.log.1").read_bytes() == b"x" * 150
    assert log.read_bytes() == (b"after" if held_open else b"")


def test_web_worker_forked_as_its_server_died_ends_at_once():
    """It would hold the port, and answer, until it noticed."""
    script = (
        "from types import SimpleNamespace; from sonicsite import gunicorn_conf;"
        "gunicorn_conf.post_fork(SimpleNamespace(pid={}), None); print('serving')"
    )

    def forked_by(server: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script.format(server)]
        return subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True)

    assert forked_by(os.getpid()).stdout == "serving\n"
    orphan = forked_by(os.getpid() + 1)
    assert orphan.returncode == -signal.SIGKILL
    assert orphan.stdout == ""
