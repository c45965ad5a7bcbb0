"""Calls counted exactly across all web processes, and told in the standard headers.

Fixed windows of a minute, one row per principal and policy, counted by the database in one
statement. Headers: draft-ietf-httpapi-ratelimit-headers (``RateLimit-Policy``, ``RateLimit``).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from catalog.partner_models import RateWindow

WINDOW_SECONDS = 60


@dataclass(frozen=True)
class Policy:
    """At most ``calls`` in a minute; its ``name`` stands in the headers."""

    name: str
    setting: str

    @property
    def calls(self) -> int:
        return int(getattr(settings, self.setting))


ORDINARY = Policy("default", "API_CALLS_PER_MINUTE")
# What keeps a machine or the storage busy: uploads, analyses, renders, searches by file.
COSTLY = Policy("costly", "API_COSTLY_CALLS_PER_MINUTE")


@dataclass(frozen=True)
class Count:
    """Where a caller stands with one policy."""

    policy: Policy
    calls: int
    reset_s: int

    @property
    def left(self) -> int:
        return max(0, self.policy.calls - self.calls)

    @property
    def exceeded(self) -> bool:
        return self.calls > self.policy.calls


# Begins a statement that counts, and takes its values FROM quick. Losing a count to a power cut is
# no loss; waiting for the disk at every call is. One statement is one trip to the database.
WITHOUT_WAITING = "WITH quick AS (SELECT set_config('synchronous_commit', 'off', true))"
_COUNT = f"""
{WITHOUT_WAITING}
INSERT INTO {RateWindow._meta.db_table} AS seen (key, "window", calls)
SELECT %s, %s, 1 FROM quick
ON CONFLICT (key) DO UPDATE SET
    calls = CASE WHEN seen."window" >= excluded."window" THEN seen.calls + 1 ELSE 1 END,
    "window" = greatest(seen."window", excluded."window")
RETURNING calls
"""


def count(key: str, policy: Policy, *, now: float | None = None) -> Count:
    """Count one call of ``key`` under ``policy``."""
    moment = time.time() if now is None else now
    window = int(moment // WINDOW_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [f"{policy.name}:{key}", window])
        (calls,) = cursor.fetchone()
    return Count(policy, int(calls), max(1, int((window + 1) * WINDOW_SECONDS - moment + 0.999)))


def headers(counts: list[Count]) -> dict[str, str]:
    """``RateLimit-Policy`` and ``RateLimit`` of an answer."""
    if not counts:
        return {}
    return {
        "RateLimit-Policy": ", ".join(
            f'"{found.policy.name}";q={found.policy.calls};w={WINDOW_SECONDS}' for found in counts
        ),
        "RateLimit": ", ".join(
            f'"{found.policy.name}";r={found.left};t={found.reset_s}' for found in counts
        ),
    }
