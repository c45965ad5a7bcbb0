"""The same searches through the web server, with sessions and all that a page's request passes."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import connection
from django.test import Client

from analysis.discovery.bench import catalogue, synthetic
from analysis.discovery.bench.measures import K, Truth, summary_of
from analysis.discovery.bench.server import running
from catalog.models import User

_FILTERS = {
    "no filter": "",
    "filter 50%": "&energy_high=0.5",
    "filter 10%": "&energy_high=0.1",
    "filter 1%": "&energy_high=0.01",
}


def measure(truth: Truth, seconds: float) -> dict[str, Any]:
    """``similar.json`` of tracks of the catalogue: recall and times of one client with each filter,
    and eight clients at once."""
    cookies = [_cookie(number) for number in range(catalogue.LISTENERS)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT n, track_id FROM bench_row ORDER BY md5(n::text) LIMIT 200")
        chosen = cursor.fetchall()
    connection.close()
    with running() as port:
        found: dict[str, Any] = {}
        for name, query in _FILTERS.items():
            found[f"HTTP, {name}"] = _one_client(port, cookies[0], truth, chosen, query)
        found["HTTP, 8 clients"] = _many(port, cookies, chosen, seconds)
    return found


def _one_client(
    port: int, cookie: str, truth: Truth, chosen: list[tuple[int, Any]], query: str
) -> dict[str, float]:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    times, recalls = [], []
    high = float(query.rpartition("=")[2]) if query else 2.0
    keep = truth.energies <= np.float32(high)
    vectors = truth.vectors[[n for n, _ in chosen]]
    right = synthetic.nearest(truth.vectors, vectors, K + 1, keep=keep)
    for number, (n, track_id) in enumerate(chosen):
        started = time.perf_counter()
        answer = _ask(link, cookie, track_id, query)
        times.append(1_000 * (time.perf_counter() - started))
        rows = {truth.row_of_track[UUID(hit["track"]["id"])] for hit in answer["hits"]}
        wanted = [int(row) for row in right[number] if row != n][:K]
        recalls.append(len(rows & set(wanted)) / K)
    return {"recall_at_10": round(sum(recalls) / len(recalls), 4), **summary_of(times)}


def _many(
    port: int, cookies: list[str], chosen: list[tuple[int, Any]], seconds: float
) -> dict[str, float]:
    times: list[float] = []
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        at = number
        while time.monotonic() < end:
            started = time.perf_counter()
            _ask(link, cookies[number], chosen[at % len(chosen)][1], "")
            times.append(1_000 * (time.perf_counter() - started))
            at += 7

    threads = [threading.Thread(target=client, args=(n,)) for n in range(len(cookies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"requests_per_s": round(len(times) / seconds, 1), **summary_of(times)}


def _ask(link: http.client.HTTPConnection, cookie: str, track_id: Any, query: str) -> Any:
    path = f"/tracks/{track_id}/similar.json?limit={K}{query}"
    link.request("GET", path, headers={"Cookie": f"sessionid={cookie}"})
    response = link.getresponse()
    body = response.read()
    if response.status != 200:
        raise RuntimeError(f"{path} answered {response.status}: {body[:200]!r}")
    return json.loads(body)


def _cookie(number: int) -> str:
    client = Client()
    client.force_login(User.objects.get(email=f"listener{number}@bench.local"))
    return client.cookies[settings.SESSION_COOKIE_NAME].value
