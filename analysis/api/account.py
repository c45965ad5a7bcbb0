"""The caller itself: who it is, what it may, what it has used; and the way to everything else."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analysis.api import conditions, rates
from analysis.api.filters import Filter, a_day
from analysis.api.permissions import Public
from analysis.api.resources import ApiView, Listing
from analysis.api.serializing import Output
from catalog.partner_models import Scope, UsageDay


class IndexOut(serializers.Serializer):
    """Where things are."""

    example: ClassVar[dict[str, Any]] = {
        "version": "1",
        "openapi": "https://music.example.org/api/v1/openapi.json",
        "documentation": "https://music.example.org/developers/",
        "resources": {"tracks": "https://music.example.org/api/v1/tracks/"},
    }

    version = serializers.CharField()
    openapi = serializers.URLField()
    documentation = serializers.URLField()
    resources = serializers.DictField(child=serializers.URLField())


_RESOURCES = (
    *("artists", "albums", "tracks", "revisions", "uploads", "jobs", "targets", "snippets"),
    *("playlists", "webhooks", "usage"),
)


class IndexView(ApiView):
    """The way to everything else. Everybody may read it."""

    tag = "account"
    summaries = {"GET": "Where things are"}
    scopes = {"GET": ""}
    permission_classes = (Public,)
    authentication_classes = ()
    answers: ClassVar[dict[str, Any]] = {"GET": {200: IndexOut}}

    def get(self, request: Request) -> Response:
        def address(name: str) -> str:
            return request.build_absolute_uri(reverse(name))

        return Response(
            {
                "version": "1",
                "openapi": address("api:openapi"),
                "documentation": address("developers"),
                "resources": {name: address(f"api:{name}") for name in _RESOURCES},
            }
        )


class MeOut(Output):
    """Who calls."""

    example: ClassVar[dict[str, Any]] = {
        "email": "studio@partner.example",
        "role": "partner",
        "via": "token",
        "scopes": ["read", "write"],
        "artist": None,
        "token": {"name": "Upload server", "prefix": "svp_Zk3fQ1", "expires_at": None},
        "calls_per_minute": 600,
    }

    email = serializers.EmailField()
    role = serializers.CharField()
    via = serializers.ChoiceField(choices=["token", "app", "session"])
    scopes = serializers.ListField(child=serializers.CharField())
    artist = serializers.IntegerField(allow_null=True, help_text="The account's own artist page.")
    token = serializers.DictField(allow_null=True, help_text="The token that was sent.")
    calls_per_minute = serializers.IntegerField()


class MeView(ApiView):
    """Who calls, and what that token may: a good first call."""

    tag = "account"
    summaries = {"GET": "Who am I?"}
    scopes = {"GET": ""}
    answers: ClassVar[dict[str, Any]] = {"GET": {200: MeOut}}

    def get(self, request: Request) -> Response:
        caller = self.caller
        token = caller.token
        data = {
            "email": caller.user.email,
            "role": caller.user.role,
            "via": caller.kind,
            "scopes": [scope for scope in Scope.values if scope in caller.scopes],
            "artist": caller.own_artist.pk if caller.own_artist else None,
            "token": {
                "name": token.name,
                "prefix": token.prefix,
                "expires_at": token.expires_at.isoformat() if token.expires_at else None,
            }
            if token
            else None,
            "calls_per_minute": rates.ORDINARY.calls,
        }
        return self.conditional(data, conditions.tag_of(data))


class UsageOut(Output):
    """What one token, or one app, used on one day (UTC)."""

    example: ClassVar[dict[str, Any]] = {
        "day": "2026-03-31",
        "token": "2b6f0cc9-04d1-4b7e-9a6b-3f1b6f3c8a11",
        "application": "",
        "calls": 1840,
        "errors": 3,
        "bytes_out": 5_120_331,
    }

    day = serializers.DateField()
    token = serializers.UUIDField(source="token_id", allow_null=True)
    application = serializers.CharField()
    calls = serializers.IntegerField()
    errors = serializers.IntegerField()
    bytes_out = serializers.IntegerField()


class UsageView(Listing):
    """Calls, errors and bytes of your account's tokens, by day, newest first."""

    tag = "account"
    summaries = {"GET": "What was used"}
    output = UsageOut
    newest_by = "day"
    filters = (
        Filter("from", "day__gte", a_day, "The first day."),
        Filter("to", "day__lte", a_day, "The last day."),
    )

    def visible(self) -> Any:
        rows = UsageDay.objects.filter(user=self.caller.user)
        if self.caller.application:
            rows = rows.filter(application=self.caller.application)
        return rows
