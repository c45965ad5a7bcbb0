"""The webhooks' pages: whose they are, the secret that is shown once, and every button."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from analysis.api.webhooks import services, signing
from catalog.models import WebhookDelivery, WebhookEndpoint
from tests.factories import ArtistFactory, UserFactory

pytestmark = pytest.mark.django_db
FORM = {"url": "https://partner.example/h", "events": ["analysis.finished"], "description": "Ours"}


@pytest.fixture
def partner(client):
    user = UserFactory(role="partner")
    client.force_login(user)
    return user


def make(client) -> WebhookEndpoint:
    client.post(reverse("webhook_new"), FORM)
    return WebhookEndpoint.objects.latest("created_at")


def press(client, endpoint, action, **data):
    return client.post(reverse("webhook_action", args=[endpoint.pk, action]), data, follow=True)


def shown_secret(page: str) -> str:
    return "".join(re.findall(r'id="secret" value="([^"]*)"', page))


def test_a_secret_is_shown_once(client, partner):
    assert "No webhooks yet" in client.get(reverse("webhooks")).text
    made = client.post(reverse("webhook_new"), FORM, follow=True)
    endpoint = WebhookEndpoint.objects.get()
    secret = shown_secret(made.text)
    assert secret == signing.unseal(endpoint.sealed_secret)
    assert "no-store" in made["Cache-Control"]
    page = reverse("webhook", args=[endpoint.pk])
    assert shown_secret(client.get(page).text) == ""
    rotated = press(client, endpoint, "rotate", overlap="1")
    endpoint.refresh_from_db()
    assert shown_secret(rotated.text) == signing.unseal(endpoint.sealed_secret) != secret
    assert signing.unseal(endpoint.sealed_previous) == secret
    press(client, endpoint, "rotate", overlap="0")
    endpoint.refresh_from_db()
    assert endpoint.sealed_previous == ""
    # Another webhook's page does not give it away.
    press(client, endpoint, "rotate", overlap="1")
    client.post(reverse("webhook_new"), FORM)
    assert shown_secret(client.get(page).text) == ""


def test_a_wrong_address_is_told_at_its_field(client, partner):
    for url in ("http://127.0.0.1/", "http://[::ffff:10.0.0.1]/", "ftp://a.example/", "x" * 600):
        answer = client.post(reverse("webhook_new"), {**FORM, "url": url})
        assert answer.status_code == 422
        assert "id_url" in answer.text
    answer = client.post(reverse("webhook_new"), {"url": FORM["url"]})
    assert "Choose at least one event." in answer.text
    assert WebhookEndpoint.objects.count() == 0


def test_every_button(client, partner):
    endpoint = make(client)
    edit = reverse("webhook_edit", args=[endpoint.pk])
    changed = {**FORM, "url": "https://other.example/x"}
    assert "https://other.example/x" in client.post(edit, changed, follow=True).text
    assert client.post(edit, {**FORM, "url": "http://10.0.0.1/"}).status_code == 422
    endpoint.refresh_from_db()
    assert endpoint.url == "https://other.example/x"
    press(client, endpoint, "ping")
    delivery = WebhookDelivery.objects.get()
    WebhookDelivery.objects.update(
        state="dead", error="It answered 500.", response_excerpt="<script>x</script>"
    )
    page = client.get(reverse("webhook", args=[endpoint.pk]) + "?state=dead").text
    assert "It answered 500." in page
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert f"msg_{delivery.event_id.hex}" in page
    assert "It answered 500." not in client.get(f"{endpoint_page(endpoint)}?state=delivered").text
    client.post(reverse("webhook_replay", args=[endpoint.pk, delivery.pk]))
    delivery.refresh_from_db()
    assert delivery.state == "pending"
    WebhookDelivery.objects.update(state="dead")
    assert "1 message will be sent again" in press(client, endpoint, "replay").text
    assert "The webhook is off" in press(client, endpoint, "off").text
    assert "Switch it on first" in press(client, endpoint, "ping").text
    press(client, endpoint, "on")
    for _ in range(9):
        press(client, endpoint, "ping")
    assert "Wait a minute" in press(client, endpoint, "ping").text
    press(client, endpoint, "delete")
    assert WebhookEndpoint.objects.count() == 0


def endpoint_page(endpoint) -> str:
    return reverse("webhook", args=[endpoint.pk])


def test_nobody_sees_anothers(client, partner):
    endpoint, _ = services.create_endpoint(
        ArtistFactory().user, url=FORM["url"], events=["ping", "track.created"][1:], site_url="x"
    )
    delivery = services.ping(endpoint)
    one = [endpoint.pk]
    for user in (partner, UserFactory(is_staff=True, is_superuser=True), ArtistFactory().user):
        client.force_login(user)
        assert FORM["url"] not in client.get(reverse("webhooks")).text
        assert client.get(reverse("webhook", args=one)).status_code == 404
        assert client.get(reverse("webhook_edit", args=one)).status_code == 404
        for action in ("ping", "rotate", "replay", "on", "off", "delete"):
            address = reverse("webhook_action", args=[endpoint.pk, action])
            assert client.post(address).status_code == 404
        replay = reverse("webhook_replay", args=[endpoint.pk, delivery.pk])
        assert client.post(replay).status_code == 404
    client.logout()
    assert client.get(reverse("webhooks")).status_code == 302
    client.force_login(UserFactory(role="labeller"))
    assert client.get(reverse("webhooks")).status_code == 403
