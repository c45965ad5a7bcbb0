"""Secrets and signatures of webhooks, as the Standard Webhooks specification has them.

The signature is HMAC-SHA256, keyed with the secret's bytes, of ``<id>.<timestamp>.<body>`` in
Base64, prefixed ``v1,``; a receiver accepts a message if any of the signatures, separated by
spaces, is right. Source: https://github.com/standard-webhooks/standard-webhooks (spec, 1.0).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes

PREFIX = "whsec_"
SECRET_BYTES = 32


class SecretUnreadable(Exception):
    """A stored secret was sealed with a ``SECRET_KEY`` that is no longer known."""


def new_secret() -> str:
    """A fresh secret in the form that receivers' libraries expect: ``whsec_`` and Base64."""
    return PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def sign(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """The signature of one message (``v1,`` and Base64); ``timestamp`` is in Unix seconds."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signatures(secrets: Iterable[str], *, message_id: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` header: one signature for each secret that is in force."""
    return " ".join(
        sign(secret, message_id=message_id, timestamp=timestamp, body=body) for secret in secrets
    )


def seal(secret: str) -> str:
    """A secret encrypted and authenticated with a key derived from ``SECRET_KEY``."""
    return _box().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """The secret again; raises SecretUnreadable if the site's key has changed since."""
    try:
        return _box().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise SecretUnreadable(
            "The signing secret cannot be read, because the site's key has changed. Rotate it."
        ) from error


def _box() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str | bytes) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"sonic-vision webhook secrets")
    return base64.urlsafe_b64encode(kdf.derive(force_bytes(key)))
