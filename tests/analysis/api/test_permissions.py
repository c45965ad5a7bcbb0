"""Every address × method × caller, from the table of addresses itself."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.urls import URLPattern, URLResolver
from rest_framework.test import APIClient

from analysis.api.urls import v1
from catalog.models import Role
from catalog.partner_models import PartnerGrant, Scope
from tests.analysis.api.conftest import V1, World, client_of
from tests.analysis.api.expectations import CALLS, OK, ROLES, Call
from tests.factories import UserFactory

ROWS = (
    *("artist", "album", "track", "revision", "job", "upload", "webhook", "delivery"),
    *("target", "snippet", "playlist"),
)
NAMED = {"stage": "listen", "stem": "vocals", "kind": "lrc", "extension": "m3u8"}
METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


def addresses() -> list[URLPattern]:
    found: list[URLPattern] = []
    for each in v1:
        assert not isinstance(each, URLResolver), "the table of addresses is flat"
        found.append(each)
    return found


def methods_of(pattern: URLPattern) -> set[str]:
    view = getattr(pattern.callback, "cls", None)
    if view is None:
        return {"GET"}
    held = {name for name in METHODS if hasattr(view, name) and name in view.http_method_names}
    if "get" in held:
        held.discard("head")  # it is GET without its body
    return {name.upper() for name in held}


def test_every_address_and_method_has_an_expectation():
    table = {(pattern.name, method) for pattern in addresses() for method in methods_of(pattern)}
    assert table - CALLS.keys() == set(), "say in expectations.py who may do this"
    assert CALLS.keys() - table == set(), "this is gone"


def path_of(pattern: URLPattern, world: World) -> str:
    kwargs: dict[str, Any] = {"filename": "song.wav", **NAMED}
    for name in ROWS:
        kwargs[f"{name}_id"] = getattr(world, name).pk
    text = str(pattern.pattern)
    for name, converter in pattern.pattern.converters.items():
        text = text.replace(f"<{_kind(converter)}:{name}>", str(kwargs[name]))
    assert "<" not in text, text
    return V1 + text


def _kind(converter: Any) -> str:
    return type(converter).__name__.removesuffix("Converter").replace("String", "str").lower()


def send(client: APIClient, method: str, path: str, call: Call, world: World) -> Any:
    body = call.body(world)
    path += call.query(world)
    options: dict[str, Any] = {"headers": call.headers(world)}
    if call.format == "octets":
        options |= {"content_type": "application/octet-stream", "data": body or b""}
    elif call.format == "tus":
        options |= {"content_type": "application/offset+octet-stream", "data": body}
    elif body is not None:
        options |= {"data": body, "format": call.format}
    if options.get("content_type"):
        data = options.pop("data")
        content_type = options.pop("content_type")
        return client.generic(method, path, data, content_type, **options)
    return getattr(client, method.lower())(path, **options)


@pytest.fixture
def everybody(world) -> dict[str, APIClient]:
    found = {
        "anonymous": world.clients["anonymous"],
        "other artist": world.clients["other artist"],
        "partner without grant": world.clients["stranger"],
        "owner": world.clients["owner"],
        "staff": world.clients["staff"],
    }
    for extra in ("", "write", "audio"):
        partner = UserFactory(role=Role.PARTNER)
        scopes = [Scope.READ, *([extra] if extra else [])]
        PartnerGrant.objects.create(artist=world.artist, partner=partner, scopes=scopes)
        found[f"partner: read{', ' + extra if extra else ''}"] = client_of(partner)
    return found


def test_the_matrix(world, everybody, settings):
    settings.API_CALLS_PER_MINUTE = settings.API_COSTLY_CALLS_PER_MINUTE = 10_000
    wrong = []
    for pattern in addresses():
        for method in sorted(methods_of(pattern)):
            call = CALLS[pattern.name, method]
            path = path_of(pattern, world)
            for role, expected in zip(ROLES, call.answers, strict=True):
                with transaction.atomic():
                    answer = send(everybody[role], method, path, call, world)
                    transaction.set_rollback(True)
                got = OK if 200 <= answer.status_code < 300 else answer.status_code
                if got != expected:
                    wrong.append(f"{method} {path} as {role}: {answer.status_code}, not {expected}")
                if answer.status_code >= 400:
                    assert answer["Content-Type"] == "application/problem+json", path
    assert wrong == []


def test_a_token_without_the_scope_is_told_so(world):
    """Whoever may do something cannot do it with a token that lacks the scope for it."""
    clients = {
        scope: client_of(world.artist.user, *(set(Scope.values) - {scope}))
        for scope in Scope.values
    }
    tried = 0
    for pattern in addresses():
        view = getattr(pattern.callback, "cls", None)
        for method in methods_of(pattern):
            scope = view().scope_of(method) if view else ""
            if not scope:
                continue
            call = CALLS[pattern.name, method]
            answer = send(clients[scope], method, path_of(pattern, world), call, world)
            assert answer.status_code == 403, (method, pattern.name)
            if method != "HEAD":
                assert answer.json()["code"] == "missing_scope"
            tried += 1
    assert tried >= 40


def test_a_revoked_grant_ends_at_once(world):
    partner = world.clients["partner"]
    address = f"{V1}tracks/{world.track.pk}/"
    assert partner.get(address).status_code == 200
    world.grant.revoked_at = world.grant.given_at
    world.grant.save()
    assert partner.get(address).status_code == 404
    assert partner.get(f"{V1}artists/").json()["results"] == []


def test_an_account_that_is_no_longer_a_partners_reaches_nothing(world):
    world.partner.role = Role.ARTIST
    world.partner.save()
    assert world.clients["partner"].get(f"{V1}tracks/{world.track.pk}/").status_code == 404
