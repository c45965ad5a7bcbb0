"""Lists and details of the partners' interface on the same catalogue, asked by twenty clients at
once: half of them artists, half a partner whom every artist lets."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from typing import Any

from django.db import connection

from analysis.discovery.bench.measures import summary_of
from analysis.discovery.bench.server import running
from catalog.models import Artist, Role, User
from catalog.partner_models import PartnerGrant, PartnerToken, Scope
from catalog.partner_tokens import create_token

CLIENTS = 20
_PARTNER = "partner@bench.local"
_LISTS = ("artists/", "albums/", "tracks/", "revisions/", "jobs/", "playlists/")


def measure(seconds: float, *, every_s: float = 0.0) -> dict[str, Any]:
    """Times in ms by kind of address, over all clients. Lists are gone through by their cursors.

    Each client asks for one address after the other: at once when it has the answer, so that the
    machine is never idle, or every ``every_s`` seconds.
    """
    tokens = _tokens()
    connection.close()
    times: dict[str, list[float]] = {}
    failed: list[str] = []
    guard = threading.Lock()
    with running() as port:
        _warm(port, tokens)
        began = time.monotonic()
        end = began + seconds

        def ask(token: str) -> None:
            client = _Client(port, token, times, guard, every_s=every_s)
            try:
                while time.monotonic() < end:
                    client.round()
            except (OSError, RuntimeError) as error:
                failed.append(str(error))

        threads = [threading.Thread(target=ask, args=(token,)) for token in tokens]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_s = time.monotonic() - began
    if failed:
        raise RuntimeError(failed[0])
    every = [one for some in times.values() for one in some]
    found: dict[str, Any] = {
        name: {"calls": len(some), **summary_of(some)} for name, some in sorted(times.items())
    }
    found["all"] = {"calls_per_s": round(len(every) / took_s, 1), **summary_of(every)}
    return found


def _warm(port: int, tokens: list[str]) -> None:
    """One uncounted round of all at once: the first calls of a process load its code, and clients
    one after the other would wake the same process again and again."""
    guard = threading.Lock()
    threads = [
        threading.Thread(target=_Client(port, token, {}, guard, every_s=0.0).round)
        for token in tokens
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class _Client:
    """One connection that is kept, as a partner's script keeps it."""

    def __init__(
        self,
        port: int,
        token: str,
        times: dict[str, list[float]],
        guard: threading.Lock,
        *,
        every_s: float,
    ) -> None:
        self._link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._token, self._times, self._guard = token, times, guard
        self._next: dict[str, str] = {}
        # Each in an order of its own, so that what is asked for is mixed at any time.
        self._lists = random.sample(_LISTS, len(_LISTS))
        # Clients that keep a pace do not all ask in the same moment.
        self._every_s, self._due = every_s, time.monotonic() + every_s * random.random()

    def round(self) -> None:
        """Each list's next page, and details of a track that it named."""
        for name in self._lists:
            page = self._ask(f"list {name[:-1]}", self._next.get(name) or f"/api/v1/{name}")
            # Pages are gone through to the end, then from the start.
            self._next[name] = page["next"] or ""
            if name == "tracks/" and page["results"]:
                self._details(page["results"][-1])

    def _details(self, track: dict[str, Any]) -> None:
        self._ask("track", f"/api/v1/tracks/{track['id']}/")
        self._ask("artist", f"/api/v1/artists/{track['artist']}/")
        revision = f"/api/v1/revisions/{track['revision']['id']}/"
        self._ask("revision", revision)
        self._ask("report", f"{revision}report/")

    def _ask(self, name: str, address: str) -> Any:
        path = address if address.startswith("/") else "/" + address.split("/", 3)[3]
        if self._every_s:
            time.sleep(max(0.0, self._due - time.monotonic()))
            self._due = max(self._due + self._every_s, time.monotonic())
        started = time.perf_counter()
        self._link.request("GET", path, headers={"Authorization": f"Bearer {self._token}"})
        response = self._link.getresponse()
        body = response.read()
        took_ms = 1_000 * (time.perf_counter() - started)
        if response.status != 200:
            raise RuntimeError(f"{path} answered {response.status}: {body[:200]!r}")
        with self._guard:
            self._times.setdefault(name, []).append(took_ms)
        return json.loads(body)


def _tokens() -> list[str]:
    """Tokens of ten artists, and ten of a partner whom all artists let."""
    partner = User.objects.filter(email=_PARTNER).first()
    if partner is None:
        partner = User.objects.create_user(_PARTNER, role=Role.PARTNER)
    let = PartnerGrant.objects.filter(partner=partner).values("artist")
    PartnerGrant.objects.bulk_create(
        [
            PartnerGrant(artist=artist, partner=partner, scopes=[Scope.READ])
            for artist in Artist.objects.exclude(pk__in=let)
        ],
        batch_size=5_000,
    )
    artists = [one.user for one in Artist.objects.select_related("user")[: CLIENTS // 2]]
    PartnerToken.objects.filter(user__in=[partner, *artists]).delete()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return [
        create_token(user, name="bench", scopes=[Scope.READ]).secret
        for user in [*artists, *[partner] * (CLIENTS // 2)]
    ]
