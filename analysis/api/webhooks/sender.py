"""The process that sends webhooks: a pool of threads that mostly wait for others to answer."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait

from django.db import DatabaseError, InterfaceError, close_old_connections, connections

from analysis.api.webhooks import delivering
from analysis.api.webhooks.delivering import Claimed

log = logging.getLogger(__name__)

THREADS = 16
IDLE_SECONDS = 1.0
LONGEST_WAIT_FOR_DATABASE = 30.0
STOP_SECONDS = 4.0


class Sender:
    """Takes what is due and sends it, many at a time, until it is told to stop.

    Endpoints that fail or are slow never hold more than half of the threads.
    """

    def __init__(self, threads: int = THREADS) -> None:
        self.threads = threads
        self._in_hand: dict[Future[None], Claimed] = {}
        self._wake = threading.Event()
        self._stop = threading.Event()

    def stop(self) -> None:
        """Take nothing new; :meth:`run` returns when what is in hand is done, or a little later."""
        self._stop.set()
        self._wake.set()

    def run(self, *, until_idle: bool = False) -> int:
        """Send until :meth:`stop`, or until nothing is due any more; returns how many attempts were
        made."""
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="webhook")
        try:
            return self._work(pool, until_idle)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            wait(self._in_hand, timeout=STOP_SECONDS)

    @property
    def is_busy(self) -> bool:
        """Whether something is still in hand: what is cut off now is sent again later."""
        return any(not future.done() for future in self._in_hand)

    def _work(self, pool: ThreadPoolExecutor, until_idle: bool) -> int:
        made = 0
        database_wait = 0.0
        while not self._stop.is_set():
            self._wake.clear()
            try:
                taken = self._round(pool)
                made += taken
                database_wait = 0.0
            except (DatabaseError, InterfaceError) as error:
                database_wait = min(max(1.0, database_wait * 2), LONGEST_WAIT_FOR_DATABASE)
                log.warning("the database is away: %s", str(error).strip().split("\n")[0])
                connections["default"].close()
                taken = 0
            if until_idle and not taken and not self._in_hand and not database_wait:
                break
            if not taken:
                self._wake.wait(database_wait or IDLE_SECONDS)
        return made

    def _round(self, pool: ThreadPoolExecutor) -> int:
        close_old_connections()
        for future in [future for future in self._in_hand if future.done()]:
            del self._in_hand[future]
        delivering.fan_out()
        troubled = sum(claimed.troubled for claimed in self._in_hand.values())
        claimed = delivering.claim(
            self.threads - len(self._in_hand), room_for_troubled=self.threads // 2 - troubled
        )
        for one in claimed:
            future = pool.submit(self._attempt, one)
            self._in_hand[future] = one
        return len(claimed)

    def _attempt(self, claimed: Claimed) -> None:
        try:
            delivering.attempt(claimed)
        # Its lock ends by itself, and then it is tried again; the pool must go on.
        except Exception:
            log.exception("delivery %s: the attempt broke off", claimed.delivery_id)
        finally:
            # Between two attempts a thread needs none, and there are many threads.
            connections["default"].close()
            self._wake.set()
