"""Webhooks through the interface: whose they are, and secrets that are told once."""

from __future__ import annotations

import json

import pytest
from django.core import mail

from analysis.api.webhooks import delivering, services, signing
from analysis.api.webhooks.sending import Answer
from catalog.models import IdempotencyRecord, WebhookDelivery, WebhookEndpoint
from catalog.partner_tokens import create_token
from tests.factories import ArtistFactory, UserFactory

pytestmark = pytest.mark.django_db
BODY = {"url": "https://partner.example/h", "events": ["analysis.finished"]}


class Caller:
    """Somebody with a token."""

    def __init__(self, client, user, scopes=("read", "webhooks")):
        self.client = client
        secret = create_token(user, name="test", scopes=list(scopes)).secret
        self.headers = {"Authorization": f"Bearer {secret}"}

    def __call__(self, method, path, body=None, **headers):
        return self.client.generic(
            method,
            f"/api/v1/{path}",
            "" if body is None else json.dumps(body),
            content_type="application/json",
            headers={**self.headers, **headers},
        )


@pytest.fixture
def caller(client):
    return Caller(client, UserFactory(role="partner"))


def test_the_life_of_a_webhook(caller):
    made = caller("POST", "webhooks/", BODY)
    assert made.status_code == 201, made.content
    document = made.json()
    secret = document.pop("secret")
    assert signing.unseal(WebhookEndpoint.objects.get().sealed_secret) == secret
    address = f"webhooks/{document['id']}/"
    assert made["Location"].endswith(address)
    read = caller("GET", address).json()
    assert read.pop("secret") is None
    assert read == document
    assert caller("GET", "webhooks/").json()["results"] == [{**read, "secret": None}]
    changed = caller("PATCH", address, {"events": ["ping"]})
    assert changed.status_code == 400
    changed = caller("PATCH", address, {"events": ["stems.finished"], "active": False})
    assert changed.status_code == 200
    assert (changed.json()["events"], changed.json()["active"]) == (["stems.finished"], False)
    refused = caller("POST", f"{address}ping/", {})
    assert refused.status_code == 400
    caller("PATCH", address, {"active": True})
    ping = caller("POST", f"{address}ping/", {})
    assert ping.status_code == 202, ping.content
    assert ping.json()["payload"]["type"] == "ping"
    (claimed,) = delivering.claim(5, room_for_troubled=5)
    delivering.attempt(claimed, post=lambda *a, **k: Answer(500, "sorry", "It answered 500.", 3))
    WebhookDelivery.objects.update(state="dead")
    (row,) = caller("GET", f"{address}deliveries/?state=dead").json()["results"]
    assert (row["status_code"], row["response_excerpt"], row["attempts"]) == (500, "sorry", 1)
    one = f"{address}deliveries/{row['id']}/"
    assert caller("GET", one).json() == row
    assert caller("POST", f"{one}replay/", {}).json()["state"] == "pending"
    assert caller("POST", f"{one}replay/", {}).status_code == 409
    WebhookDelivery.objects.update(state="dead")
    assert caller("POST", f"{address}replay/", {}).json() == {"count": 1}
    rotated = caller("POST", f"{address}rotate/", {"overlap_hours": 1}).json()
    assert rotated["secret"] not in (None, secret)
    assert rotated["previous_secret_until"] is not None
    assert caller("DELETE", address).status_code == 204
    assert WebhookDelivery.objects.count() == 0
    assert mail.outbox == []


def test_a_repeated_call_makes_one_and_never_keeps_its_secret(caller):
    first = caller("POST", "webhooks/", BODY, **{"Idempotency-Key": "k1"})
    again = caller("POST", "webhooks/", BODY, **{"Idempotency-Key": "k1"})
    assert first.status_code == again.status_code == 201
    assert first.json()["secret"].startswith("whsec_")
    assert again.json() == {**first.json(), "secret": None}
    assert WebhookEndpoint.objects.count() == 1
    assert first.json()["secret"].encode() not in bytes(IdempotencyRecord.objects.get().body)


def test_nobody_sees_anothers(client, caller):
    endpoint, _ = services.create_endpoint(
        UserFactory(), url="https://a.example/", events=["track.created"], site_url="https://x/"
    )
    delivery = services.ping(endpoint)
    admin = Caller(client, UserFactory(is_staff=True, is_superuser=True))
    one = f"webhooks/{endpoint.pk}/"
    for who in (caller, admin):
        assert who("GET", "webhooks/").json()["results"] == []
        for method, path, body in [
            ("GET", one, None),
            ("PATCH", one, {"active": False}),
            ("DELETE", one, None),
            ("POST", f"{one}ping/", {}),
            ("POST", f"{one}rotate/", {}),
            ("POST", f"{one}replay/", {}),
            ("GET", f"{one}deliveries/", None),
            ("GET", f"{one}deliveries/{delivery.pk}/", None),
            ("POST", f"{one}deliveries/{delivery.pk}/replay/", {}),
        ]:
            assert who(method, path, body).status_code == 404, (method, path)
    # An own webhook's address does not open another's messages either.
    own = caller("POST", "webhooks/", BODY).json()["id"]
    assert caller("GET", f"webhooks/{own}/deliveries/{delivery.pk}/").status_code == 404


def test_scopes_and_wrong_input(client, caller):
    reader = Caller(client, ArtistFactory().user, scopes=["read", "write", "audio"])
    assert reader("GET", "webhooks/").status_code == 403
    assert reader("POST", "webhooks/", BODY).status_code == 403
    for wrong in (
        {},
        {**BODY, "url": "http://127.0.0.1/"},
        {**BODY, "url": "http://[::ffff:10.0.0.1]/"},
        {**BODY, "url": "https://a.example/\u0000"},
        {**BODY, "url": 7},
        {**BODY, "events": []},
        {**BODY, "events": ["everything"]},
        {**BODY, "events": "analysis.finished"},
        {**BODY, "secret": "mine"},
        {**BODY, "description": "x" * 201},
    ):
        answer = caller("POST", "webhooks/", wrong)
        assert answer.status_code == 400, wrong
        assert answer["Content-Type"] == "application/problem+json"
    assert WebhookEndpoint.objects.count() == 0
    for _ in range(10):
        assert caller("POST", "webhooks/", BODY).status_code == 201
    assert caller("POST", "webhooks/", BODY).status_code == 400
