"""Server-sent events that end by themselves, and places for them.

A stream keeps a thread of its web process, so it lasts half a minute at most; the client comes back
with ``Last-Event-ID`` and goes on where it was. Half of a process's threads are the most that
streams may take, and each caller has a limit; beyond that the answer is 503 with ``Retry-After``.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from django.conf import settings
from django.http import StreamingHttpResponse

from analysis.api.problems import Problem

LASTS_S = 25.0
LOOK_EVERY_S = 1.0
HEARTBEAT_EVERY_S = 5.0
COME_BACK_AFTER_MS = 2_000
TRY_AGAIN_AFTER_S = 5
CONTENT_TYPE = "text/event-stream"


class Places:
    """How many streams of whom run in this process."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()
        # Taken again by the same thread when a forgotten stream is cleared away meanwhile.
        self._lock = threading.RLock()

    def take(self, whose: str) -> None:
        """Take a place, to be given back with :meth:`free`. Raises Problem if there is none."""
        with self._lock:
            if self._taken[whose] >= settings.API_STREAMS_PER_TOKEN:
                detail = f"At most {settings.API_STREAMS_PER_TOKEN} streams at once. Close one."
            elif self._taken.total() >= settings.API_STREAMS_PER_PROCESS:
                detail = "There are many streams at the moment. Ask for the job's state instead."
            else:
                self._taken[whose] += 1
                return
        raise Problem("unavailable", detail, headers={"Retry-After": str(TRY_AGAIN_AFTER_S)})

    def free(self, whose: str) -> None:
        with self._lock:
            self._taken[whose] -= 1
            if self._taken[whose] <= 0:
                del self._taken[whose]

    def total(self) -> int:
        """Streams that run now."""
        with self._lock:
            return self._taken.total()


PLACES = Places()

Look = Callable[[], Sequence[dict[str, Any]]]
"""What there is to tell now, as documents; raises Problem when it may no longer be told."""


def mark_of(documents: Sequence[dict[str, Any]]) -> str:
    """Stands for a state of things: the ``id`` of the event that told it."""
    text = json.dumps(documents, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Stream:
    """The bytes of one stream: changed documents as events, comments in between as heartbeats.

    ``look`` is asked every second; ``checked`` at every heartbeat whether the caller may still
    look. Closing it, also before it began, gives its place back.
    """

    def __init__(
        self,
        whose: str,
        look: Look,
        *,
        checked: Callable[[], None],
        is_over: Callable[[Sequence[dict[str, Any]]], bool],
        last_mark: str = "",
        places: Places | None = None,
    ) -> None:
        places = places or PLACES
        places.take(whose)
        self._whose, self._places, self._freed = whose, places, False
        self._look, self._checked, self._is_over = look, checked, is_over
        self._mark = last_mark
        self._told: dict[str, str] = {}
        self._parts = self._run()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._parts)

    def close(self) -> None:
        """End it and give its place back."""
        self._parts.close()
        if not self._freed:
            self._freed = True
            self._places.free(self._whose)

    def __del__(self) -> None:
        """A stream that nobody closed, because nobody ever read from it, gives its place back."""
        if hasattr(self, "_parts"):
            self.close()

    def _run(self) -> Generator[bytes, None, None]:
        ends_at = time.monotonic() + LASTS_S
        heartbeat_at = time.monotonic() + HEARTBEAT_EVERY_S
        yield f"retry: {COME_BACK_AFTER_MS}\n\n".encode()
        while True:
            try:
                if time.monotonic() >= heartbeat_at:
                    self._checked()
                    heartbeat_at = time.monotonic() + HEARTBEAT_EVERY_S
                    yield b": still here\n\n"
                documents = self._look()
                if self._told and mark_of(documents) != self._mark:
                    self._checked()  # nothing new is told to who was turned away meanwhile
            except Problem as problem:
                yield event("end", {"code": problem.code})
                return
            yield from self._news(documents)
            if self._is_over(documents) or time.monotonic() + LOOK_EVERY_S > ends_at:
                return
            time.sleep(LOOK_EVERY_S)

    def _news(self, documents: Sequence[dict[str, Any]]) -> Iterator[bytes]:
        mark = mark_of(documents)
        changed = [one for one in documents if self._told.get(str(one["id"])) != mark_of([one])]
        self._told = {str(one["id"]): mark_of([one]) for one in documents}
        if mark == self._mark:
            return
        self._mark = mark
        # Only the last one carries the id: cut off before it, all of them come again.
        for place, one in enumerate(changed, start=1):
            yield event("job", one, mark=mark if place == len(changed) else "")


def event(kind: str, document: dict[str, Any], *, mark: str = "") -> bytes:
    """One event; JSON has no line breaks of its own, so one data line is enough."""
    head = f"id: {mark}\n" if mark else ""
    text = json.dumps(document, ensure_ascii=False, default=str)
    return f"{head}event: {kind}\ndata: {text}\n\n".encode()


def respond(stream: Stream) -> StreamingHttpResponse:
    """The stream as an answer that no proxy or middleware collects before passing it on."""
    response = StreamingHttpResponse(stream, content_type=f"{CONTENT_TYPE}; charset=utf-8")
    response["Cache-Control"] = "no-cache, no-transform"
    response["X-Accel-Buffering"] = "no"
    response["Content-Encoding"] = "identity"
    return response
