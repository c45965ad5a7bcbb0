"""Workers, clusters and the database are killed in mid-job, and every job is done once."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import psycopg
import pytest

from tests.stack import Stack

KILLS = 10
DONE_WITHIN_S = 300.0


@pytest.fixture
def stack(tmp_path):
    stack = Stack(tmp_path / "data", DEMO="1")
    yield stack
    stack.end()


def postmaster(stack: Stack) -> int:
    return int((stack.data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def running_jobs(stack: Stack) -> int:
    try:
        return int(stack.ask("SELECT count(*) FROM analysis_job WHERE state = 'running'"))
    except psycopg.Error:
        return 0


def wait_for_running_job(stack: Stack) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if running_jobs(stack):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.timeout(600)
def test_ten_kills_in_mid_job_and_every_job_is_done_once(stack):
    generator = random.Random(4)
    stack.start()
    stack.wait_ready("database", "queue")
    killed = []
    for turn in range(KILLS):
        if not wait_for_running_job(stack):
            break
        time.sleep(generator.uniform(0.0, 0.8))
        kind = ("worker", "cluster", "database")[turn % 3]
        if kind == "database":
            os.kill(postmaster(stack), signal.SIGKILL)
        else:
            pids = sorted(stack.find("run_cluster", "listen"))
            if not pids:
                continue
            # The first is the cluster itself, the last ones are its workers.
            os.kill(pids[0] if kind == "cluster" else pids[-1], signal.SIGKILL)
        killed.append(kind)
    assert len(killed) >= KILLS - 2, f"work was over after {killed}\n{stack.story()}"

    def states() -> dict[str, int]:
        try:
            with psycopg.connect((stack.data_dir / "postgres.url").read_text()) as connection:
                query = "SELECT state, count(*) FROM analysis_job GROUP BY state"
                return dict(connection.execute(query).fetchall())
        except (psycopg.Error, FileNotFoundError):
            return {}

    deadline = time.monotonic() + DONE_WITHIN_S
    while time.monotonic() < deadline and states() != {"done": 28}:
        time.sleep(0.5)
    assert states() == {"done": 28}, f"{states()} after {killed}\n{stack.story()}"
    reports = "SELECT count(*) || '/' || count(DISTINCT content_sha256) FROM analysis_report"
    assert stack.ask(reports) == "28/28"
    assert stack.ask("SELECT count(*) FROM analysis_embedding") == 28
    derived = [path for path in Path(stack.data_dir, "media", "derived").rglob("*.*")]
    assert len(derived) == 28 * 3
    assert stack.stop() == 0
    assert stack.processes() == []
