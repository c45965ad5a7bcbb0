"""The web server's log lines in the site's own format."""

from __future__ import annotations

import logging
import re
from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger
from pythonjsonlogger.json import JsonFormatter

from sonicsite.logs import IdFilter, request_id

_SECRET = re.compile(r"^(/s/|/accounts/password/reset/key/|/accounts/confirm-email/)[^/]+")


class GunicornLogger(Logger):
    """The server's own messages in the site's format; its access lines carry the request's id."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        formatter, ids = _site_formatter(), IdFilter()
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(formatter)
            handler.addFilter(ids)

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        """One line for each request, without query strings and tokens of share links."""
        if not self.cfg.accesslog:
            return
        given = {name.lower(): value for name, value in resp.headers}
        token = request_id.set(given.get("x-request-id", "-"))
        try:
            self.access_log.info(
                "%s %s %s",
                environ["REQUEST_METHOD"],
                without_secrets(environ["RAW_URI"]),
                resp.status,
                extra={
                    "remote_address": environ.get("REMOTE_ADDR", ""),
                    "response_bytes": getattr(resp, "sent", None),
                    "seconds": round(request_time.total_seconds(), 4),
                },
            )
        finally:
            request_id.reset(token)


def without_secrets(address: str) -> str:
    """An address fit for the log: no query string, and no token that opens a shared page or resets
    a password."""
    return _SECRET.sub(r"\1-", address.partition("?")[0])


def _site_formatter() -> logging.Formatter:
    from django.conf import settings

    formatters: Any = settings.LOGGING["formatters"]
    chosen = dict(formatters[settings.LOG_FORMAT])
    if settings.LOG_FORMAT == "json":
        chosen.pop("()")
        return JsonFormatter(**chosen)
    return logging.Formatter(chosen["format"], chosen["datefmt"])
