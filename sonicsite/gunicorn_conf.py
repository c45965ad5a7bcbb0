"""The server's settings (gunicorn, threads): see https://docs.gunicorn.org/en/stable/settings.html.

A thread is busy for as long as a slow upload or a player's download lasts, and a paused player may
hold one for minutes, so there are many of them, each with a database connection; the time-out
watches the worker process, not a single request.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from sonicsite.environment import flag, number
from sonicsite.processes import die_with_parent

_json = os.environ.get(
    "LOG_FORMAT", "json" if flag("PRODUCTION", "DATABASE_URL" in os.environ) else "text"
)

worker_class = "gthread"
workers = number("WEB_PROCESSES", 2)
threads = number("WEB_THREADS", 48)
timeout = 60
graceful_timeout = 8
keepalive = 15
backlog = 512
# One import for all processes: half the start, and memory that they share.
preload_app = True
# The heartbeat file must not wait for a busy disk.
worker_tmp_dir = (
    "/dev/shm" if os.access("/dev/shm", os.W_OK) and Path("/dev/shm").is_dir() else None
)
# Fresh processes now and then, staggered, in case a library leaks.
max_requests = 20_000
max_requests_jitter = 4_000
control_socket_disable = True
limit_request_line = 8_190
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")
errorlog = "-"
accesslog = "-" if flag("ACCESS_LOG", _json == "json") else None
logger_class = "sonicsite.server_log.GunicornLogger"


def post_fork(server: Any, worker: Any) -> None:
    """A worker ends with the server, even if that is killed."""
    die_with_parent()
    if os.getppid() != server.pid:  # it was gone before the wish was made
        os.kill(os.getpid(), signal.SIGKILL)
