"""Whether this process lives (``/healthz``) and whether the site can do its work (``/readyz``).

Answers name what is wrong in general words only; the details are in the log.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

log = logging.getLogger(__name__)

# Monitors may ask often, and anybody may ask: the checks themselves run at most this often.
REMEMBER_SECONDS = 2.0


class NotReadyError(Exception):
    """A check found something wrong; the message may be shown to anybody."""


def check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_queue() -> None:
    """Some cluster of workers must have given a sign of life for each queue."""
    from sonicsite.cluster import heartbeat_key

    queues = {"listen": settings.LISTEN_WORKERS, "heavy": settings.HEAVY_WORKERS}
    beats = cache.get_many([heartbeat_key(queue) for queue in queues])
    silent = [queue for queue, size in queues.items() if size and heartbeat_key(queue) not in beats]
    if silent:
        raise NotReadyError(f"no workers on {', '.join(sorted(silent))}")


def check_storage() -> None:
    """A file can be written, read back and deleted."""
    wanted = uuid.uuid4().hex.encode()
    name = default_storage.save(f"health/{wanted.decode()}", ContentFile(wanted))
    try:
        with default_storage.open(name) as file:
            if file.read() != wanted:
                raise NotReadyError("a file did not read back as it was written")
    finally:
        default_storage.delete(name)


def check_models() -> None:
    """The weights that the product needs are present and have the right checksum."""
    from analysis.neural import weights

    broken = {name: problem for name, problem in weights.check().items() if problem}
    if broken:
        log.warning("weights are not in order: %s", broken)
        raise NotReadyError(f"weights not in order: {', '.join(sorted(broken))}")


CHECKS: dict[str, Callable[[], None]] = {
    "database": check_database,
    "queue": check_queue,
    "storage": check_storage,
    "models": check_models,
}


@dataclass
class _Answer:
    at: float = -REMEMBER_SECONDS
    checks: dict[str, str] | None = None


_answer = _Answer()
_remarks = _Answer()
_answer_lock = threading.Lock()


def readiness() -> dict[str, str]:
    """Each check's name with ``ok`` or what is wrong."""
    with _answer_lock:
        if _answer.checks is None or time.monotonic() - _answer.at >= REMEMBER_SECONDS:
            _answer.checks = {name: _outcome(name, check) for name, check in CHECKS.items()}
            _answer.at = time.monotonic()
        return _answer.checks


def remarks() -> dict[str, str]:
    """What is out of order although the site can do its work: another version of a model serves on
    this machine than the one that was switched on."""
    from analysis.registry import materialising

    with _answer_lock:
        if time.monotonic() - _remarks.at >= REMEMBER_SECONDS:
            try:
                _remarks.checks = materialising.problems()
            except DatabaseError:
                _remarks.checks = {}  # said by the check of the database
            _remarks.at = time.monotonic()
        return _remarks.checks or {}


def _outcome(name: str, check: Callable[[], None]) -> str:
    try:
        check()
    except NotReadyError as error:
        return str(error)
    except Exception:  # whatever a database or storage raises means: not ready
        log.warning("readiness check %s failed", name, exc_info=True)
        return "unavailable"
    return "ok"


@require_safe
@never_cache
def alive(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """200 if every check passes, else 503; JSON with one word or phrase for each check."""
    checks = readiness()
    is_ready = all(outcome == "ok" for outcome in checks.values())
    document: dict[str, object] = {"ready": is_ready, "checks": checks}
    if notes := remarks():
        document["notes"] = notes
    answer = JsonResponse(document, status=200 if is_ready else 503)
    # Django would log an error for every 503, twice a second while the site starts.
    answer._has_been_logged = True  # type: ignore[attr-defined]
    return answer
