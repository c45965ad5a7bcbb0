"""Where takes lie in the private storage."""

from __future__ import annotations

import secrets

FOLDER = "takes"


def new_name() -> str:
    """A name that neither comes from the uploader nor can be guessed."""
    token = secrets.token_hex(24)
    return f"{FOLDER}/{token[:2]}/{token}"
