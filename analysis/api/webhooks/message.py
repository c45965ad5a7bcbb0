"""The body of a message, and its headers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from analysis.api.webhooks import signing
from analysis.api.webhooks.kinds import VERSION
from catalog.models import WebhookEndpoint, WebhookEvent

Address = Callable[[str], str]


def message_id(event: WebhookEvent) -> str:
    """The message's id: the same at every attempt and every replay, for receivers to know it by."""
    return f"msg_{event.pk.hex}"


def document(endpoint: WebhookEndpoint, event: WebhookEvent) -> dict[str, Any]:
    """What is said: ids and the API's addresses, and nothing that would have to be kept secret."""
    return {
        "type": event.kind,
        "version": VERSION,
        "id": message_id(event),
        "timestamp": event.created_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "data": {
            **({"artist": event.artist_id} if event.artist_id is not None else {}),
            **event.data,
            "links": _links(endpoint, event),
        },
    }


def body(endpoint: WebhookEndpoint, event: WebhookEvent) -> bytes:
    """The body as it is sent: the same bytes at every attempt."""
    return json.dumps(document(endpoint, event), ensure_ascii=False, sort_keys=True).encode()


def headers(endpoint: WebhookEndpoint, event: WebhookEvent, content: bytes) -> dict[str, str]:
    """The headers of an attempt that is made now; raises signing.SecretUnreadable."""
    timestamp = int(timezone.now().timestamp())
    identity = message_id(event)
    return {
        "Content-Type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signing.signatures(
            secrets_in_force(endpoint), message_id=identity, timestamp=timestamp, body=content
        ),
    }


def secrets_in_force(endpoint: WebhookEndpoint) -> list[str]:
    """The endpoint's secret, and the one before it while both count."""
    secrets = [signing.unseal(endpoint.sealed_secret)]
    if endpoint.sealed_previous and (endpoint.previous_until or timezone.now()) > timezone.now():
        secrets.append(signing.unseal(endpoint.sealed_previous))
    return secrets


_ADDRESSES: Mapping[str, str] = {
    "artist": "api:artist",
    "track": "api:track",
    "revision": "api:revision",
    "job": "api:job",
}


def _links(endpoint: WebhookEndpoint, event: WebhookEvent) -> dict[str, str]:
    named = {**event.data}
    if event.artist_id is not None:
        named["artist"] = event.artist_id
    links = {}
    for what, name in _ADDRESSES.items():
        if what not in named:
            continue
        try:
            links[what] = endpoint.site_url.rstrip("/") + reverse(name, args=[named[what]])
        except NoReverseMatch:
            continue
    return links
