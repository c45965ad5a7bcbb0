"""OAuth apps: what partners register, and what artists have let act in their name.

Only the authorisation code with PKCE is offered; app secrets and tokens are stored hashed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404
from django.utils import timezone
from oauth2_provider.generators import generate_client_secret
from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken

from catalog.models import User
from catalog.names import clean_text
from catalog.partner_services import may_be_partner

MOST_APPS = 20
_LOOPBACK = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True)
class NewApp:
    """An app just registered, with the secret that nobody can read again; public ones have none."""

    app: Application
    secret: str

    def __repr__(self) -> str:  # so that no log ever holds it
        return f"NewApp({self.app})"


@dataclass(frozen=True)
class AuthorisedApp:
    """An app that may act in an artist's name."""

    app: Application
    scopes: list[str]
    since: datetime


def register_app(
    user: User, *, name: str, redirect_uris: Sequence[str], confidential: bool
) -> NewApp:
    """Register an app of a partner. Raises ValidationError, PermissionDenied."""
    if not may_be_partner(user):
        raise PermissionDenied
    if Application.objects.filter(user=user).count() >= MOST_APPS:
        raise ValidationError(f"At most {MOST_APPS} apps. Delete some first.")
    uris = [uri.strip() for uri in redirect_uris if uri.strip()]
    if not uris:
        raise ValidationError({"redirect_uris": "Give at least one address."})
    for uri in uris:
        _check_redirect(uri)
    secret = generate_client_secret() if confidential else ""
    app = Application(
        user=user,
        name=clean_text(name, 120),
        redirect_uris=" ".join(uris),
        client_type=Application.CLIENT_CONFIDENTIAL if confidential else Application.CLIENT_PUBLIC,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        client_secret=secret,
    )
    app.full_clean(exclude=["client_secret"])
    app.save()
    return NewApp(app, secret)


def _check_redirect(uri: str) -> None:
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise ValidationError({"redirect_uris": f"{uri[:80]} is no address."}) from error
    here = parts.scheme == "http" and parts.hostname in _LOOPBACK and not settings.PRODUCTION
    if not ((parts.scheme == "https" and parts.hostname) or here) or parts.fragment or port == 0:
        raise ValidationError(
            {"redirect_uris": f"{uri[:80]}: an https address without a # is needed."}
        )


def apps_of(user: User) -> list[Application]:
    """The apps that a partner has registered."""
    return list(Application.objects.filter(user=user).order_by("-created"))


def delete_app(user: User, app_id: int) -> None:
    """Delete a partner's app; all that was given to it ends. Raises Http404."""
    app = Application.objects.filter(user=user, pk=app_id).first()
    if app is None:
        raise Http404
    app.delete()


def authorised_apps(user: User) -> list[AuthorisedApp]:
    """The apps that may act in an account's name now."""
    now = timezone.now()
    found: dict[int, AuthorisedApp] = {}
    rows = list(
        AccessToken.objects.filter(user=user, application__isnull=False).select_related(
            "application", "refresh_token"
        )
    )
    for token in rows:
        refresh = getattr(token, "refresh_token", None)
        renewable = refresh is not None and refresh.revoked is None
        if token.expires < now and not renewable:
            continue
        _add(found, token.application, token.scope.split(), token.created)
    # A refresh token outlives the access token that came with it.
    for refresh in RefreshToken.objects.filter(
        user=user, revoked=None, access_token=None
    ).select_related("application"):
        _add(found, refresh.application, [], refresh.created)
    return sorted(found.values(), key=lambda each: each.app.name.lower())


def _add(
    found: dict[int, AuthorisedApp], app: Application, scopes: list[str], since: datetime
) -> None:
    known = found.get(app.pk)
    if known is not None:
        scopes = sorted({*known.scopes, *scopes})
        since = min(known.since, since)
    found[app.pk] = AuthorisedApp(app, scopes, since)


def revoke_app(user: User, app_id: int) -> None:
    """End all that an account has let an app do: codes, access and refresh tokens."""
    with transaction.atomic():
        Grant.objects.filter(user=user, application_id=app_id).delete()
        RefreshToken.objects.filter(user=user, application_id=app_id).delete()
        AccessToken.objects.filter(user=user, application_id=app_id).delete()
