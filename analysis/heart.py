"""Signs of life of a running job, from a thread of its own."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from functools import partial
from types import TracebackType

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections

from analysis import background, jobs
from analysis.background import BackgroundWork
from analysis.models import Job

log = logging.getLogger(__name__)


class Heart:
    """Beats while a job runs and carries its progress to the job's row.

    Progress is written by the beating thread, so reporting it costs the work nothing. When a beat
    finds that the job is no longer ours, the next report of progress raises
    :class:`analysis.jobs.Superseded`.
    """

    def __init__(
        self,
        job: Job | BackgroundWork,
        *,
        beat: Callable[..., bool] = jobs.beat,
        lost: type[Exception] = jobs.Superseded,
    ) -> None:
        if job.ticket is None:
            raise ValueError("only a claimed job has a heart")
        self._job_id = job.pk
        self._ticket: uuid.UUID = job.ticket
        self._write = beat
        self._lost_error = lost
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._lost = False
        self._percent = 0
        self._message = "Starting"
        self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)

    @classmethod
    def of_background(cls, work: BackgroundWork) -> Heart:
        """The heart of long work that belongs to no track; it raises background.Lost."""
        return cls(work, beat=partial(background.beat, type(work)), lost=background.Lost)

    def progress(self, fraction: float, message: str) -> None:
        """Report progress: fraction 0..1 and a short message."""
        self.check()
        percent = max(0, min(99, int(fraction * 100)))
        if percent >= self._percent + 5 or message != self._message:
            self._percent, self._message = percent, message[:200]
            self._wake.set()

    def check(self) -> None:
        """Raise Superseded (or Lost) if the job was given to somebody else or is gone."""
        if self._lost:
            raise self._lost_error(str(self._job_id))

    def _beat(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._lost = not self._write(
                        self._job_id, self._ticket, percent=self._percent, message=self._message
                    )
                except (DatabaseError, InterfaceError) as error:
                    log.warning("no heartbeat: %s", str(error).strip().splitlines()[0])
                    connections["default"].close()
                if self._lost:
                    return
                self._wake.wait(settings.JOB_HEARTBEAT_SECONDS)
                self._wake.clear()
                # Many small steps shall not become many writes.
                self._stop.wait(0.3)
        finally:
            connections["default"].close()

    def __enter__(self) -> Heart:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout=10)
