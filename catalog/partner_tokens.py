"""API tokens: making, rotating and revoking them. A secret is shown once and kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from catalog.models import User
from catalog.names import clean_text
from catalog.partner_models import PartnerToken, Scope

# Known to secret scanners by its beginning.
TOKEN_START = "svp_"
SECRET_BYTES = 32
SHOWN_LETTERS = 10
MOST_LIVE_TOKENS = 50
OVERLAP = timedelta(days=7)


@dataclass(frozen=True)
class NewToken:
    """A token just made, with the secret that nobody can read again."""

    token: PartnerToken
    secret: str

    def __repr__(self) -> str:  # so that no log ever holds it
        return f"NewToken({self.token})"


def hash_of(secret: str) -> str:
    """What is stored instead of a secret. It is random and long, so one round of SHA-256 does."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create_token(
    user: User,
    *,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    rotated_from: PartnerToken | None = None,
) -> NewToken:
    """A new token of an account. Raises ValidationError."""
    chosen = [scope for scope in Scope.values if scope in set(scopes)]
    if not chosen:
        raise ValidationError({"scopes": "Choose at least one."})
    live = [token for token in user.api_tokens.filter(revoked_at=None) if token.is_live]
    if len(live) >= MOST_LIVE_TOKENS:
        raise ValidationError(f"At most {MOST_LIVE_TOKENS} tokens. Revoke some first.")
    secret = TOKEN_START + secrets.token_urlsafe(SECRET_BYTES)
    token = PartnerToken(
        user=user,
        name=clean_text(name, 80),
        prefix=secret[:SHOWN_LETTERS],
        secret_sha256=hash_of(secret),
        scopes=chosen,
        expires_at=expires_at,
        rotated_from=rotated_from,
    )
    token.full_clean()
    token.save()
    return NewToken(token, secret)


def rotate_token(token: PartnerToken, *, overlap: timedelta = OVERLAP) -> NewToken:
    """A successor that may do the same; the old one works for ``overlap`` more, so that nothing
    stands still while the new one is put in place. Raises ValidationError."""
    with transaction.atomic():
        old = PartnerToken.objects.select_for_update().get(pk=token.pk)
        if not old.is_live:
            raise ValidationError("This token has ended. Make a new one.")
        lifetime = old.expires_at - old.created_at if old.expires_at else None
        now = timezone.now()
        made = create_token(
            old.user,
            name=old.name,
            scopes=old.scopes,
            expires_at=now + lifetime if lifetime else None,
            rotated_from=old,
        )
        ends = now + overlap
        old.expires_at = min(old.expires_at, ends) if old.expires_at else ends
        old.save(update_fields=["expires_at"])
    return made


def revoke_token(token: PartnerToken) -> None:
    """End a token now; a revoked token stays revoked."""
    PartnerToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
