"""The workers of this machine: one cluster for each queue, and the watchdog over all jobs."""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import time
from argparse import ArgumentParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, connections
from django.db.models import Count
from django.utils import timezone
from django_q.models import OrmQ

from analysis import jobs
from analysis.models import Job, JobState
from analysis.registry.following import look_after_models
from catalog.models import WebhookEndpoint
from sonicsite.processes import Child, stop_all

log = logging.getLogger(__name__)

WATCH_EVERY_SECONDS = 5.0
LONGEST_WAIT_FOR_DATABASE = 30.0
STOP_SECONDS = 8.0
# A cluster beats twice a second; a machine that is short of everything may need longer.
BEAT_LOST_AFTER_SECONDS = 45.0
STARTING_SECONDS = 60.0
WORKERS_OF_QUEUE = {"listen": settings.LISTEN_WORKERS, "heavy": settings.HEAVY_WORKERS}
NICENESS = 5


@dataclass
class Cluster:
    """A queue's cluster of workers on this machine."""

    queue: str
    beat_file: Path
    child: Child = field(init=False)

    def __post_init__(self) -> None:
        threads = str(max(1, (os.cpu_count() or 1) // max(1, WORKERS_OF_QUEUE[self.queue])))
        limits = {
            name: os.environ.get(name, threads)
            for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        }
        self.child = Child(
            f"{self.queue} cluster",
            [
                *(sys.executable, str(settings.BASE_DIR / "manage.py"), "run_cluster"),
                *("--beat", str(self.beat_file)),
            ],
            env={**os.environ, **limits, "Q_CLUSTER_NAME": self.queue},
        )

    def is_hung(self) -> str | None:
        """Why this cluster counts as hung, or None."""
        if self.child.process is None or self.child.age_seconds() < STARTING_SECONDS:
            return None
        try:
            silent = time.time() - self.beat_file.stat().st_mtime
        except FileNotFoundError:
            return "never gave a sign of life"
        if silent > BEAT_LOST_AFTER_SECONDS:
            return f"gave no sign of life for {silent:.0f} s"
        if jobs.stalled(self.queue):
            return "does not take the jobs that wait for it"
        return None

    def restart(self) -> None:
        """Kill the cluster; the next round starts it again."""
        self.child.kill_rest()


def release_tickets(queue: str) -> None:
    """Let the queue hand out at once what a dead cluster had taken and not acknowledged.

    A ticket of a job that still runs elsewhere may be handed out twice so, and is then refused by
    the job's row.
    """
    now = timezone.now()
    OrmQ.objects.filter(key=queue, lock__gt=now).update(lock=now)


class Command(BaseCommand):
    help = (
        "Work on all queues until SIGTERM. Any number of machines can run this beside each other."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--queues", nargs="+", choices=sorted(WORKERS_OF_QUEUE), default=list(WORKERS_OF_QUEUE)
        )
        parser.add_argument(
            "--show-progress", action="store_true", help="say how many reports are done"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._wake, alarm = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
        self.stopping = False
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, self._ask_to_stop)
        write = log.info if settings.LOG_FORMAT == "json" else self.stdout.write
        self.progress = Progress(write) if options["show_progress"] else None
        self.database_wait = 0.0
        self.release = set(options["queues"])
        folder = Path(settings.DATA_DIR) / "run"
        folder.mkdir(parents=True, exist_ok=True)
        os.nice(NICENESS)
        self.webhooks = Child(
            "webhook sender",
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "send_webhooks"],
            env={**os.environ},
        )
        clusters = [
            Cluster(queue, folder / f"{queue}.{os.getpid()}.beat")
            for queue in options["queues"]
            if WORKERS_OF_QUEUE[queue] > 0
        ]
        try:
            for cluster in clusters:
                cluster.child.start()
            self.keep(clusters)
        finally:
            children = [self.webhooks, *(cluster.child for cluster in clusters)]
            killed = stop_all(children, STOP_SECONDS)
            if killed:
                log.warning("jobs were cut off and will start again: %s", ", ".join(killed))
            for cluster in clusters:
                cluster.beat_file.unlink(missing_ok=True)

    def _ask_to_stop(self, number: int, frame: object) -> None:
        self.stopping = True

    def keep(self, clusters: list[Cluster]) -> None:
        """Keep the clusters alive and watch over the jobs until a stop is asked for."""
        watch_at = 0.0
        while not self.stopping:
            for cluster in clusters:
                reason = cluster.child.keep_alive()
                if reason is not None:
                    log.error("the %s %s; starting it again", cluster.child.name, reason)
                    self.release.add(cluster.queue)
            if self.webhooks.process is not None:
                reason = self.webhooks.keep_alive()
                if reason is not None:
                    log.error("the %s %s; starting it again", self.webhooks.name, reason)
            if time.monotonic() >= watch_at:
                watch_at = time.monotonic() + self.watch(clusters)
            if not self.stopping:
                select.select([self._wake], [], [], 0.5)

    def watch(self, clusters: list[Cluster]) -> float:
        """One round of the watchdog; returns the seconds until the next one."""
        try:
            for queue in sorted(self.release):
                release_tickets(queue)
                self.release.discard(queue)
            look_after_models()
            done = jobs.tick()
            # The process costs memory, so it waits for somebody to want something sent.
            if self.webhooks.process is None and WebhookEndpoint.objects.exists():
                self.webhooks.start()
            for cluster in clusters:
                reason = cluster.is_hung()
                if reason is not None:
                    log.error("the %s %s; starting it again", cluster.child.name, reason)
                    cluster.restart()
            if self.progress is not None:
                self.progress.tell()
        except (DatabaseError, InterfaceError) as error:
            self.database_wait = min(max(1.0, self.database_wait * 2), LONGEST_WAIT_FOR_DATABASE)
            log.warning(
                "the database is away (%s); looking again in %.0f s",
                str(error).strip().split("\n")[0],
                self.database_wait,
            )
            connections["default"].close()
            return self.database_wait
        self.database_wait = 0.0
        # Hand out the next jobs soon while there are any.
        return 1.0 if done.dispatched else WATCH_EVERY_SECONDS


class Progress:
    """Says in the terminal how far the reports are, whenever that changed."""

    def __init__(self, write: Any) -> None:
        self._write = write
        self._last: tuple[int, ...] | None = None

    def tell(self) -> None:
        counts = dict(Job.objects.order_by().values_list("state").annotate(Count("pk")))
        total, failed = sum(counts.values()), counts.get(JobState.FAILED, 0)
        done = counts.get(JobState.DONE, 0)
        now = (done, failed, total)
        if now == self._last or not total:
            return
        # A start that finds all as it was has nothing to tell.
        news = self._last is not None or done + failed < total
        self._last = now
        if news:
            trouble = f", {failed} failed" if failed else ""
            self._write(f"  {done} of {total} reports done{trouble}")
