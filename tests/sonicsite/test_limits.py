"""The limit on every address."""

from __future__ import annotations

import pytest
from django.test import Client, RequestFactory

from sonicsite.limits import RequestLimitMiddleware, TokenBuckets, client_address


def test_a_burst_is_allowed_and_then_a_steady_rate():
    buckets = TokenBuckets(rate=2.0, burst=3)
    assert [buckets.wait_s("a", now=0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert buckets.wait_s("a", now=0.0) == pytest.approx(0.5)
    assert buckets.wait_s("a", now=0.5) == 0.0
    assert buckets.wait_s("a", now=0.5) > 0.0


def test_clients_do_not_share_a_bucket():
    buckets = TokenBuckets(rate=1.0, burst=1)
    assert buckets.wait_s("a", now=0.0) == 0.0
    assert buckets.wait_s("b", now=0.0) == 0.0
    assert buckets.wait_s("a", now=0.0) > 0.0


def test_forwarded_addresses_count_only_from_our_own_proxies(settings):
    request = RequestFactory().get("/", headers={"X-Forwarded-For": "6.6.6.6, 9.9.9.9"})
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 0
    assert client_address(request) == "127.0.0.1"
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert client_address(request) == "9.9.9.9"


def test_too_many_requests_are_told_when_to_come_back(settings, db):
    settings.REQUESTS_PER_SECOND, settings.REQUEST_BURST = 0.5, 2
    client = Client()
    statuses = [client.get("/").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    answer = client.get("/")
    assert int(answer["Retry-After"]) in (1, 2)


def test_it_stands_in_the_middleware(settings):
    name = f"{RequestLimitMiddleware.__module__}.{RequestLimitMiddleware.__name__}"
    assert name in settings.MIDDLEWARE
