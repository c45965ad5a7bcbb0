"""One queue's cluster of workers (django-q2), made to end rather than to hang.

    Q_CLUSTER_NAME=heavy python manage.py run_cluster --beat FILE

What is added to django-q2's cluster, and why:

* Every process ends with its parent, so that a killed cluster leaves no orphans.
* A worker that is killed while it waits for a task takes the queue's read lock with it, after
  which no other worker ever gets one. Then the cluster lets running jobs finish and ends, and its
  keeper starts a new one.
* Its heartbeat is a file's time of change, which needs no database, and an entry in the cache for
  the readiness check; django-q2's own statistics would be four commits a second.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.db import DatabaseError, InterfaceError

from sonicsite.processes import die_with_parent_after_fork

log = logging.getLogger(__name__)

CACHE_EVERY_SECONDS = 5.0
HEARTBEAT_GOOD_SECONDS = 30
# Leave time for jobs in progress, but no more than a job may take.
DRAIN_SECONDS = 7_200
EXIT_WOUNDED = 75


def heartbeat_key(queue: str) -> str:
    """Cache key that exists while some cluster of a queue is alive."""
    return f"sonicsite.cluster.{queue}"


class Heartbeat:
    """Stands in for django-q2's ``Stat``: ``Heartbeat(sentinel).save()`` in every guard cycle."""

    beat_file: Path | None = None
    queue = ""
    _cached_at = 0.0

    def __init__(self, sentinel: Any) -> None:
        self.sentinel = sentinel

    def save(self) -> None:
        if self.beat_file is not None:
            self.beat_file.touch()
        now = time.monotonic()
        if now - Heartbeat._cached_at < CACHE_EVERY_SECONDS:
            return
        Heartbeat._cached_at = now
        try:
            cache.set(heartbeat_key(self.queue), time.time(), HEARTBEAT_GOOD_SECONDS)
        except (DatabaseError, InterfaceError, OSError) as error:
            log.warning("no heartbeat in the cache: %s", str(error).strip().split("\n")[0])


def make_sentinel() -> type:
    """django-q2's sentinel with the additions described above (a class made late, because
    importing django-q2's cluster needs the app registry)."""
    from django_q.cluster import Sentinel

    class GuardedSentinel(Sentinel):
        def reincarnate(self, process: Any) -> None:
            worker_died_waiting = (
                process in self.pool
                and process.exitcode is not None
                and process.exitcode < 0
                and process.timer.value == -1
            )
            if worker_died_waiting:
                log.error(
                    "a waiting worker was killed (signal %d) and may hold the queue's lock: "
                    "letting running jobs finish, then starting the cluster anew",
                    -process.exitcode,
                )
                self.pool.remove(process)
                self.drain()
            super().reincarnate(process)

        def drain(self) -> None:
            """Take no new tasks, let workers finish what they do, and end the cluster."""
            self.pusher.terminate()
            deadline = time.monotonic() + DRAIN_SECONDS
            while time.monotonic() < deadline and not self.stop_event.is_set():
                Heartbeat(self).save()
                working = [p for p in self.pool if p.is_alive() and p.timer.value > 0]
                if not working:
                    break
                time.sleep(0.5)
            self.result_queue.put("STOP")
            self.monitor.join(timeout=10)
            logging.shutdown()
            # Not sys.exit: its clean-up would wait for the lock that nobody gives back. The
            # workers end with this process.
            os._exit(EXIT_WOUNDED)

    return GuardedSentinel


def serve(beat_file: Path) -> int:
    """Run the cluster named by ``Q_CLUSTER_NAME`` until SIGTERM; returns the exit code."""
    die_with_parent_after_fork()
    from django_q import cluster
    from django_q.conf import Conf

    Heartbeat.beat_file = beat_file
    Heartbeat.queue = Conf.CLUSTER_NAME
    cluster.Stat = Heartbeat
    cluster.Sentinel = make_sentinel()
    running = cluster.Cluster()
    stopping = False

    def ask_to_stop(number: int, frame: object) -> None:
        nonlocal stopping
        stopping = True
        if running.stop_event is not None:
            running.stop_event.set()

    # django-q2's own handler waits inside the signal, where a dead sentinel is never noticed.
    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    running.start()
    while running.sentinel.is_alive():
        running.sentinel.join(timeout=0.5)
    if stopping:
        return 0
    log.error("the cluster's sentinel ended with code %s", running.sentinel.exitcode)
    return EXIT_WOUNDED
