"""A limit on every address: so many requests per client, whatever they ask for.

Each web process counts for itself in memory, so the limit costs nothing and needs no shared cache;
what must be counted exactly (log-ins, uploads) has limits of its own.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

_MOST_CLIENTS = 20_000


class TokenBuckets:
    """One bucket per client: it holds ``burst`` tokens and fills at ``rate`` a second."""

    def __init__(self, *, rate: float, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, client: str, *, now: float | None = None) -> float:
        """Take a token: 0 if there was one, else the seconds until there will be one."""
        moment = time.monotonic() if now is None else now
        with self._lock:
            tokens, since = self._buckets.pop(client, (float(self.burst), moment))
            tokens = min(float(self.burst), tokens + (moment - since) * self.rate)
            allowed = tokens >= 1.0
            self._buckets[client] = (tokens - 1.0 if allowed else tokens, moment)
            # Whoever was seen longest ago has a full bucket again, or there are too many clients.
            if len(self._buckets) > _MOST_CLIENTS:
                self._buckets.popitem(last=False)
        return 0.0 if allowed else (1.0 - tokens) / self.rate


def asked_too_often(wait_s: float) -> str:
    """What somebody is told who has no token for the next ``wait_s`` seconds."""
    return f"That was a lot at once. Try again in {math.ceil(wait_s)} s."


def client_address(request: HttpRequest) -> str:
    """The client's address: the one that our own proxies saw, never one it wrote itself."""
    proxies = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    if proxies:
        chain = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
        if len(chain) >= proxies and chain[-proxies]:
            return chain[-proxies]
    return str(request.META.get("REMOTE_ADDR", ""))


class RequestLimitMiddleware:
    """Answers 429 with ``Retry-After`` to a client that asks too much.

    The partners' interface counts by token, exactly; here it only has a wider limit of its own, so
    that a partner's server behind one address is not taken for a flood of pages.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.buckets = TokenBuckets(rate=settings.REQUESTS_PER_SECOND, burst=settings.REQUEST_BURST)
        self.api_buckets = TokenBuckets(
            rate=settings.API_REQUESTS_PER_SECOND, burst=settings.API_REQUEST_BURST
        )

    def __call__(self, request: HttpRequest) -> HttpResponse:
        in_api = request.path_info.startswith("/api/")
        buckets = self.api_buckets if in_api else self.buckets
        wait_s = buckets.wait_s(client_address(request))
        if wait_s <= 0.0:
            return self.get_response(request)
        response = render(request, "429.html", status=429)
        response["Retry-After"] = str(math.ceil(wait_s))
        return response
