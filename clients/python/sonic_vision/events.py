"""Waiting for jobs: by server-sent events where they come through, else by asking now and then."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sonic_vision.errors import ApiError, TookTooLong
from sonic_vision.models import Job
from sonic_vision.transport import Transport

# The server sends something every five seconds; silence for this long means that a proxy swallows
# it.
SILENCE_S = 20.0
FIRST_POLL_S = 1.0
LONGEST_POLL_S = 10.0
_GIVE_UP_STREAMS_AFTER = 3


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    kind: str
    data: Any
    id: str


def parse(lines: Iterable[bytes]) -> Iterator[Event]:
    """Events from the lines of a stream (https://html.spec.whatwg.org, 9.2.6); comments and
    incomplete events are left out."""
    kind, last_id = "", ""
    data: list[str] = []
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            if data:
                yield Event(kind or "message", json.loads("\n".join(data)), last_id)
            kind, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            last_id = value


class Follower:
    """Follows one job until it is over."""

    def __init__(
        self, transport: Transport, job_id: str, *, on_progress: Callable[[Job], None] | None
    ) -> None:
        self._transport = transport
        self._job_id = job_id
        self._tell = on_progress or (lambda job: None)
        self._last_id = ""
        self._seen: Job | None = None

    def wait(self, timeout_s: float) -> Job:
        """The job when it is over. Raises TookTooLong, ApiError."""
        deadline = time.monotonic() + timeout_s
        broken = 0
        while broken < _GIVE_UP_STREAMS_AFTER:
            try:
                if self._listen(deadline):
                    return self._over()
                broken = 0
            except ApiError as error:
                if error.status in (401, 403) or error.code == "not_found":
                    # An older server has no streams; one more look tells which of the two it is.
                    break
                broken = _GIVE_UP_STREAMS_AFTER
            except (OSError, http.client.HTTPException):
                broken += 1
                time.sleep(min(0.5, max(0.0, deadline - time.monotonic())))
            if time.monotonic() >= deadline:
                raise self._late(timeout_s)
        return self._poll(deadline, timeout_s)

    def _listen(self, deadline: float) -> bool:
        """Read one stream to its end; whether the job is over."""
        headers = {"Accept": "text/event-stream"}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        address = f"jobs/{self._job_id}/events/"
        with self._transport.stream(address, headers=headers, timeout_s=SILENCE_S) as response:
            if response.status == 204:
                return True
            for event in parse(response):
                if event.id:
                    self._last_id = event.id
                if event.kind == "job" and self._note(Job.read(event.data)):
                    return True
                if event.kind == "end" or time.monotonic() >= deadline:
                    return False
        return False

    def _poll(self, deadline: float, timeout_s: float) -> Job:
        pause_s = FIRST_POLL_S
        while True:
            answer = self._transport.call("GET", f"jobs/{self._job_id}/")
            if self._note(Job.read(answer.json())):
                return self._over()
            if time.monotonic() + pause_s >= deadline:
                raise self._late(timeout_s)
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LONGEST_POLL_S)

    def _note(self, job: Job) -> bool:
        if job != self._seen:
            self._seen = job
            self._tell(job)
        return job.is_over

    def _over(self) -> Job:
        if self._seen is None or not self._seen.is_over:
            answer = self._transport.call("GET", f"jobs/{self._job_id}/")
            self._note(Job.read(answer.json()))
        assert self._seen is not None
        return self._seen

    def _late(self, timeout_s: float) -> TookTooLong:
        return TookTooLong(f"job {self._job_id} is not over after {timeout_s:.0f} s")
