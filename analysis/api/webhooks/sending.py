"""One signed message to one address, and no more than that: no redirects, no proxies, no cookies.

Time is bounded as a whole, not per read: whoever answers one byte a second is cut off as well.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from analysis.api.webhooks import addresses
from analysis.api.webhooks.addresses import Address, AddressRefused, Target

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
READ_BYTES = 8 * 1024
EXCERPT_LETTERS = 1_000
USER_AGENT = "SonicVisionPro-Webhooks/1"


@dataclass(frozen=True)
class Answer:
    """What came of an attempt. ``status`` is None if there was no answer; ``error`` is empty if
    the message was taken."""

    status: int | None
    excerpt: str
    error: str
    duration_ms: int
    retry_after_s: float | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver answered with success."""
        return not self.error


def post(
    url: str, *, headers: Mapping[str, str], body: bytes, total_s: float = TOTAL_SECONDS
) -> Answer:
    """Send a body; never raises for what the other side is or does."""
    started = time.monotonic()
    status: int | None = None
    excerpt, error, retry_after_s = "", "", None
    try:
        target = addresses.parse(url)
        numbers = addresses.resolve(target)
        left_s = total_s - (time.monotonic() - started)
        if left_s <= 0.0:
            raise TimeoutError
        with _Deadline(left_s) as deadline:
            connection = _connect(target, numbers, deadline)
            try:
                connection.request("POST", target.path, body=body, headers=dict(headers))
                response = connection.getresponse()
                status = response.status
                retry_after_s = _seconds(response.headers.get("Retry-After"))
                excerpt = _readable(response.read(READ_BYTES))
                deadline.check()
            finally:
                connection.close()
        error = _complaint(status)
    except AddressRefused as refusal:
        error = str(refusal)
    except TimeoutError:
        error = f"No complete answer within {total_s:.0f} seconds."
    except ssl.SSLCertVerificationError as problem:
        error = f"The certificate was not accepted: {problem.verify_message}."
    except ssl.SSLError as problem:
        error = f"No secure connection: {problem.reason or 'the other side ended it'}."
    except (OSError, http.client.HTTPException) as problem:
        error = _trouble(problem)
    return Answer(
        status=status,
        excerpt=excerpt,
        error=error[:300],
        duration_ms=round((time.monotonic() - started) * 1_000),
        retry_after_s=retry_after_s,
    )


def _complaint(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"It answered {status}; redirects are not followed. Enter the final address."
    return f"It answered {status}."


def _trouble(problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.strerror:
        return f"No connection: {problem.strerror}."
    if isinstance(problem, http.client.RemoteDisconnected | http.client.IncompleteRead):
        return "The connection ended before an answer was complete."
    return "What came back is not an HTTP answer."


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and re.fullmatch(r"\d{1,6}", header) else None


def _readable(content: bytes) -> str:
    text = content.decode(errors="replace")
    return "".join(
        letter if letter.isprintable() or letter == "\n" else " " for letter in text
    ).strip()[:EXCERPT_LETTERS]


class _Deadline:
    """Ends the sockets it was given when time is up; what reads from them then gets an error."""

    def __init__(self, seconds: float) -> None:
        self.ends_at = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._sockets: list[socket.socket] = []
        self._over = False

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self._timer.cancel()
        if self._over and kind is not None and not issubclass(kind, AddressRefused):
            raise TimeoutError

    def watch(self, sock: socket.socket) -> None:
        self._sockets.append(sock)
        if self._over:
            self._end()

    def left_s(self) -> float:
        """Seconds left; raises TimeoutError when there are none."""
        left = self.ends_at - time.monotonic()
        if left <= 0.0:
            raise TimeoutError
        return left

    def check(self) -> None:
        """Raise TimeoutError if time was up, whatever was read before."""
        if self._over:
            raise TimeoutError

    def _end(self) -> None:
        self._over = True
        for sock in self._sockets:
            with suppress(OSError):
                # The plain one, also of a TLS socket, whose own would first take its layer away.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket that is already there."""

    def __init__(self, target: Target, sock: socket.socket) -> None:
        super().__init__(target.host, target.port)
        self._target = target
        self.sock = sock
        self.auto_open = 0

    def putrequest(
        self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False
    ) -> None:
        super().putrequest(method, url, skip_host=True, skip_accept_encoding=True)
        self.putheader("Host", self._target.host_header)
        self.putheader("User-Agent", USER_AGENT)
        self.putheader("Connection", "close")


def _connect(target: Target, numbers: list[Address], deadline: _Deadline) -> _Connection:
    """Connect to the first of the checked addresses that answers."""
    failure: OSError | None = None
    for number in numbers:
        family = socket.AF_INET if number.version == 4 else socket.AF_INET6
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(CONNECT_SECONDS, deadline.left_s()))
            sock.connect((str(number), target.port))
            addresses.check_peer(sock)
            sock.settimeout(deadline.left_s())
            deadline.watch(sock)
            if target.scheme == "https":
                context = ssl.create_default_context()
                sock = context.wrap_socket(
                    sock, server_hostname=target.host, do_handshake_on_connect=False
                )
                deadline.watch(sock)
                sock.do_handshake()
            return _Connection(target, sock)
        except (TimeoutError, ssl.SSLError, AddressRefused):
            sock.close()
            raise
        except OSError as error:
            sock.close()
            failure = error
    raise failure or OSError("no address")
