"""Checking webhooks that were sent to you (Standard Webhooks).

    message = verify(secret, headers, body)   # raises SignatureWrong
    if message.kind == "analysis.finished": ...

A message may come more than once: remember ``message.id`` and ignore what you have seen.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sonic_vision.errors import SonicVisionError

TOLERANCE_S = 300
_PREFIX = "whsec_"


class SignatureWrong(SonicVisionError):
    """The message is not from the server, was changed, or is too old."""


@dataclass(frozen=True)
class Message:
    """A message that is what it says it is."""

    id: str
    kind: str
    data: Mapping[str, Any]
    document: Mapping[str, Any]


def sign(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """The signature of a message: ``v1,`` and Base64. Raises ValueError for a malformed secret."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a secret is whsec_ and Base64") from error
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def verify(
    secret: str | Iterable[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance_s: float = TOLERANCE_S,
    now: float | None = None,
) -> Message:
    """Check a message. ``secret`` may be several (while you change them); ``body`` is the bytes as
    they came, before anything parsed them. Raises SignatureWrong."""
    named = {name.lower(): value for name, value in headers.items()}
    try:
        message_id = named["webhook-id"]
        timestamp = int(named["webhook-timestamp"])
        given = named["webhook-signature"].split()
    except (KeyError, ValueError) as error:
        raise SignatureWrong("the webhook-… headers are missing or malformed") from error
    if abs((time.time() if now is None else now) - timestamp) > tolerance_s:
        raise SignatureWrong("the message is too old, or a clock is wrong")
    secrets = [secret] if isinstance(secret, str) else list(secret)
    expected = [
        sign(one, message_id=message_id, timestamp=timestamp, body=body).encode() for one in secrets
    ]
    found = [
        hmac.compare_digest(right, one.encode("utf-8", "replace"))
        for right in expected
        for one in given
    ]
    if not any(found):
        raise SignatureWrong("no signature is right")
    document = json.loads(body)
    return Message(message_id, document.get("type", ""), document.get("data", {}), document)
