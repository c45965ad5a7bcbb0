"""How the processes of a machine come to follow a switch that was made on another one.

``run_workers`` calls :func:`look_after_models` in every round of its watchdog. A machine that only
runs web processes has no watchdog: there each process keeps a thread that looks every few seconds
whether anybody has, and does it if not.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

from django.core.signals import request_started
from django.db import DatabaseError, InterfaceError, connections

from analysis.registry import materialising, retagging

log = logging.getLogger(__name__)

_advanced_at = -materialising.EVERY_SECONDS
_starting = threading.Lock()
_following: int | None = None


def look_after_models() -> None:
    """One round: this machine serves what shall serve, and re-tagging goes on.

    A disk that is full, say, is logged and tried again. Raises what a database that is away raises.
    """
    global _advanced_at
    try:
        if not materialising.was_looked_at():
            materialising.materialise()
    except OSError:
        log.exception("the promoted models are not in line yet")
    now = time.monotonic()
    if now - _advanced_at >= materialising.EVERY_SECONDS:
        _advanced_at = now
        retagging.advance()


def follow_in_web_processes() -> None:
    """Start the thread at the first request of each process, after the server has forked; called by
    the entry points of the web servers."""
    request_started.connect(_start_once, dispatch_uid="analysis.registry.following")


def _start_once(**_kwargs: Any) -> None:
    global _following
    if _following == os.getpid():
        return
    with _starting:
        if _following != os.getpid():
            _following = os.getpid()
            threading.Thread(target=_follow, name="models", daemon=True).start()


def _follow() -> None:
    while True:
        try:
            if not materialising.was_looked_at():
                materialising.materialise()
        except (DatabaseError, InterfaceError, OSError) as error:
            log.warning("the promoted models are not in line yet: %s", str(error).strip())
        finally:
            connections["default"].close()
        time.sleep(materialising.EVERY_SECONDS)
