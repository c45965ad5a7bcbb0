"""HTTP with patience: one connection, tried again with growing pauses, never a call done twice.

What may be sent again after a lost connection: reading, whole replacements (PUT), deleting, and
calls with an Idempotency-Key, which the server does once however often it hears them.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sonic_vision.errors import ApiError, ConnectionLost, Refused

USER_AGENT = "sonic-vision-client/1.0 (Python)"
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_LOST = (OSError, http.client.HTTPException)
LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True)
class Answer:
    """A complete answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None if it is empty."""
        return json.loads(self.body) if self.body else None


@dataclass
class Patience:
    """How often to try, and how long to wait in between."""

    attempts: int = 8
    first_pause_s: float = 0.5
    sleep: Callable[[float], None] = time.sleep

    def pause(self, attempt: int, asked_for: str | None = None) -> None:
        """Wait before the next attempt: as long as the server asks for, else longer every time."""
        growing = min(self.first_pause_s * 2**attempt, LONGEST_PAUSE_S)
        wait_s = growing * random.uniform(0.5, 1.0)
        if asked_for is not None and re.fullmatch(r"\d{1,5}", asked_for):
            wait_s = max(float(asked_for), 0.05) + random.uniform(0.0, 0.25)
        self.sleep(wait_s)


class Transport:
    """Calls to one server with one token. Not for several threads at once: give each its own."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        timeout_s: float = 60.0,
        patience: Patience | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("base_url begins with https:// or http://")
        self.base_path = parts.path.rstrip("/")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._context = context or (ssl.create_default_context() if self._secure else None)
        self._token = token
        self.timeout_s = timeout_s
        self.patience = patience or Patience()
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def path_of(self, address: str) -> str:
        """The path of an address that the server gave, or of a path below ``/api/v1/``.

        Raises ValueError for an address of another server: the token is not for it.
        """
        parts = urlsplit(address)
        if parts.netloc:
            default = 443 if self._secure else 80
            port = parts.port or (443 if parts.scheme == "https" else 80)
            if (parts.hostname, port) != (self._host, self._port or default):
                raise ValueError(f"{address} is not on {self._host}")
        path = parts.path if parts.path.startswith("/") else f"{self.base_path}/api/v1/{parts.path}"
        return f"{path}?{parts.query}" if parts.query else path

    def call(
        self,
        method: str,
        address: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make a call, again where that is safe. Raises ApiError, ConnectionLost."""
        named = self._headers(headers)
        repeatable = method in _SAFE_TO_REPEAT or "Idempotency-Key" in named
        attempts = max(1, self.patience.attempts)
        for attempt in range(attempts):
            is_last = attempt == attempts - 1
            try:
                answer = self._once(method, self.path_of(address), body, named)
            except _LOST as error:
                self.close()
                if is_last or not repeatable:
                    raise ConnectionLost(f"{method} {address}: {error}") from error
                self.patience.pause(attempt)
                continue
            if answer.status < 400:
                return answer
            under_way = _problem(answer).get("code") == "idempotency_in_progress"
            # A call that was turned away before it began may be made again, whatever it is.
            turned_away = answer.status in (429, 503) and "Retry-After" in answer.headers
            again = turned_away or under_way or (repeatable and answer.status in _AGAIN)
            if again and not is_last:
                self.patience.pause(attempt, answer.headers.get("Retry-After"))
                continue
            raise error_of(answer)
        raise AssertionError("unreachable")

    @contextmanager
    def stream(
        self, address: str, *, headers: Mapping[str, str], timeout_s: float
    ) -> Iterator[http.client.HTTPResponse]:
        """An answer that is read as it comes, over a connection of its own. Raises ApiError, and
        OSError or HTTPException when it breaks."""
        connection = self._connect(timeout_s)
        try:
            connection.request("GET", self.path_of(address), headers=self._headers(headers))
            response = connection.getresponse()
            if response.status >= 400:
                raise error_of(Answer(response.status, _named(response), response.read()))
            yield response
        finally:
            connection.close()

    def _headers(self, more: Mapping[str, str] | None) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
            **(more or {}),
        }

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        if self._secure:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=timeout_s, context=self._context
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)

    def _once(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> Answer:
        if self._connection is None:
            self._connection = self._connect(self.timeout_s)
        connection = self._connection
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            response = connection.getresponse()
        except (BrokenPipeError, ConnectionResetError):
            # Refused before all was sent: the answer may be there to be read.
            response = connection.response_class(_socket(connection), method=method)
            response.begin()
        answer = Answer(response.status, _named(response), response.read())
        if response.will_close or response.status >= 400:
            self.close()
        return answer


def _socket(connection: http.client.HTTPConnection) -> socket.socket:
    if connection.sock is None:
        raise http.client.RemoteDisconnected("the connection ended")
    return connection.sock


def _named(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.title(): value for name, value in response.getheaders()}


def _problem(answer: Answer) -> dict[str, Any]:
    try:
        document = json.loads(answer.body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def error_of(answer: Answer) -> ApiError:
    """The error that an answer means."""
    document = _problem(answer)
    kind = Refused if document.get("code") == "refused" else ApiError
    return kind(answer.status, document)
