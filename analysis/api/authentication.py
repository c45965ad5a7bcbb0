"""How a caller says who it is: a partner's token, an app's token, or the log-in of a page."""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from oauth2_provider.contrib.rest_framework import OAuth2Authentication
from rest_framework.authentication import (
    BaseAuthentication,
    SessionAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from analysis.api.principals import OWN_SCOPES, Principal
from catalog.partner_models import PartnerToken
from catalog.partner_tokens import TOKEN_START, hash_of

CHALLENGE = 'Bearer realm="api"'
_LAST_USE_EVERY = timedelta(minutes=1)


class PartnerTokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer svp_…``."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        secret = bearer(request)
        if not secret.startswith(TOKEN_START):
            return None
        digest = hash_of(secret)
        token = (
            PartnerToken.objects.select_related("user", "user__artist")
            .filter(secret_sha256=digest)
            .first()
        )
        # The look-up is by hash, so its time tells nothing about the secret; compared once more,
        # in constant time, against whatever the database calls equal.
        if token is None or not hmac.compare_digest(token.secret_sha256, digest):
            raise AuthenticationFailed("There is no such token.")
        if not token.is_live or not token.user.is_active:
            raise AuthenticationFailed("The token has expired or was revoked.")
        _note_use(token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class OAuthAuthentication(OAuth2Authentication):
    """An app that an artist has let act in her name."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        secret = bearer(request)
        if not secret or secret.startswith(TOKEN_START):
            return None
        found = super().authenticate(request)
        if found is None:
            raise AuthenticationFailed("There is no such token, or it has expired.")
        user, token = found
        if user is None or not user.is_active:
            raise AuthenticationFailed("The token belongs to no account.")
        return user, token

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class PageAuthentication(SessionAuthentication):
    """The site's own pages: the log-in's cookie, with CSRF protection."""

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def bearer(request: Request) -> str:
    """The bearer token of a request; empty if there is none. Raises AuthenticationFailed."""
    parts = get_authorization_header(request).split()
    if not parts or parts[0].lower() != b"bearer":
        return ""
    if len(parts) != 2:
        raise AuthenticationFailed("Write: Authorization: Bearer TOKEN.")
    try:
        return parts[1].decode("ascii")
    except UnicodeDecodeError as error:
        raise AuthenticationFailed("A token has only ASCII letters.") from error


def principal_of(request: Request) -> Principal | None:
    """Who calls; None for strangers."""
    user, auth = request.user, request.auth
    if user is None or isinstance(user, AnonymousUser) or not user.is_authenticated:
        return None
    if isinstance(auth, PartnerToken):
        return Principal(user, frozenset(auth.scopes), token=auth)
    if auth is not None:
        client = auth.application.client_id if auth.application is not None else "?"
        return Principal(user, frozenset(auth.scope.split()) & OWN_SCOPES, application=client)
    return Principal(user)


def _note_use(token: PartnerToken) -> None:
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - _LAST_USE_EVERY:
        PartnerToken.objects.filter(pk=token.pk).exclude(
            last_used_at__gte=now - _LAST_USE_EVERY
        ).update(last_used_at=now)


class _TokenScheme(OpenApiAuthenticationExtension):
    target_class = PartnerTokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of your account: API tokens, in the account's menu.",
        }


class _OAuthScheme(OpenApiAuthenticationExtension):
    target_class = OAuthAuthentication
    name = "oauth2"
    priority = 1

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[str]]:
        scope = auto_schema.view.scope_of(auto_schema.method)
        return {self.name: [scope] if scope in OWN_SCOPES else []}

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        from django.conf import settings

        return {
            "type": "oauth2",
            "description": "Acting in an artist's name: authorisation code with PKCE (S256).",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": reverse("oauth_authorize"),
                    "tokenUrl": reverse("oauth_token"),
                    "refreshUrl": reverse("oauth_token"),
                    "scopes": settings.OAUTH2_PROVIDER["SCOPES"],
                }
            },
        }


class _PageScheme(OpenApiAuthenticationExtension):
    target_class = PageAuthentication
    name = "page"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        from django.conf import settings

        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The site's own pages; writing calls also send X-CSRFToken.",
        }
