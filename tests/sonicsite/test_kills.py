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


def job_is_running(stack: Stack) -> bool:
    """Whether a worker is at work right now: a row that says so may be of one already killed."""
    query = (
        "SELECT count(*) FROM analysis_job "
        "WHERE state = 'running' AND heartbeat_at > now() - interval '1 second'"
    )
    try:
        return bool(stack.ask(query))
    except (psycopg.Error, FileNotFoundError):
        return False


def next_victims(stack: Stack, kind: str) -> list[int]:
    """Processes whose end the next kill brings about; none while nothing is at work."""
    if not job_is_running(stack):
        return []
    if kind == "database":
        return [postmaster(stack)]
    # The first is the cluster itself, the last ones are its workers.
    pids = sorted(stack.find("run_cluster", "listen"))
    return pids[:1] if kind == "cluster" else pids[-2:-1]


@pytest.mark.timeout(600)
def test_ten_kills_in_mid_job_and_every_job_is_done_once(stack):
    generator = random.Random(4)

    def states() -> dict[str, int]:
        try:
            with psycopg.connect((stack.data_dir / "postgres.url").read_text()) as connection:
                query = "SELECT state, count(*) FROM analysis_job GROUP BY state"
                return dict(connection.execute(query).fetchall())
        except (psycopg.Error, FileNotFoundError):
            return {}

    stack.start()
    stack.wait_ready("database", "queue")
    killed = []
    deadline = time.monotonic() + DONE_WITHIN_S
    while len(killed) < KILLS and time.monotonic() < deadline:
        kind = ("worker", "cluster", "database")[len(killed) % 3]
        victims = next_victims(stack, kind)
        time.sleep(generator.uniform(0.05, 0.4))
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed.append(kind)
        if killed and states() == {"done": 28}:
            break
    assert len(killed) == KILLS, f"work was over after {killed}\n{stack.story()}"

    deadline = time.monotonic() + DONE_WITHIN_S
    while time.monotonic() < deadline and states() != {"done": 28}:
        time.sleep(0.5)
    assert states() == {"done": 28}, f"{states()} after {killed}\n{stack.story()}"
    reports = "SELECT count(*) || '/' || count(DISTINCT content_sha256) FROM analysis_report"
    assert stack.ask(reports) == "28/28"
    assert stack.ask("SELECT count(*) FROM analysis_embedding") == 28
    derived = [p for p in Path(stack.data_dir, "media", "derived").rglob("*") if p.is_file()]
    assert len(derived) == 28 * 5
    assert stack.stop() == 0
    assert stack.processes() == []
