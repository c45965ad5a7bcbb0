"""Partners ask, artists decide; tokens are shown once; apps act in an artist's name."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken

from catalog.models import Role
from catalog.oauth_apps import register_app
from catalog.partner_models import GrantRequest, PartnerGrant, PartnerToken
from catalog.partner_services import ask_for_grant
from catalog.partner_tokens import create_token
from tests.factories import ArtistFactory, TrackFactory, UserFactory

pytestmark = pytest.mark.django_db
CALLBACK = "https://app.example/back"


def logged_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def artist():
    return ArtistFactory(name="Slow Light")


@pytest.fixture
def partner():
    return UserFactory(role=Role.PARTNER, email="studio@partner.example")


def api(secret: str, path: str):
    return Client().get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {secret}"})


def test_a_partner_asks_by_mail_and_the_artist_allows_a_part(artist, partner):
    track = TrackFactory(artist=artist)
    secret = create_token(partner, name="Server", scopes=["read", "write", "audio"]).secret
    asking = logged_in(partner)
    page = asking.post(
        reverse("partner_home"),
        {
            "email": artist.user.email.upper(),
            "scopes": ["read", "write", "audio"],
            "note": "For the release",
        },
        follow=True,
    )
    assert page.status_code == 200
    (letter,) = mail.outbox
    assert letter.to == [artist.user.email]
    assert "For the release" in letter.body
    link = re.search(r"http://testserver(/partners/requests/\S+)", letter.body)[1]
    assert api(secret, f"tracks/{track.pk}/").status_code == 404
    deciding = logged_in(artist.user)
    assert "studio@partner.example" in deciding.get(reverse("partners")).content.decode()
    assert "For the release" in deciding.get(link).content.decode()
    answer = deciding.post(link, {"answer": "allow", "scopes": ["read", "audio"]}, follow=True)
    assert "can work with your music" in answer.content.decode()
    grant = PartnerGrant.objects.get()
    assert grant.scopes == ["read", "audio"]
    assert api(secret, f"tracks/{track.pk}/").status_code == 200
    assert api(secret, "artists/").json()["results"][0]["scopes"] == ["read", "audio"]
    assert "Slow Light" in asking.get(reverse("partner_home")).content.decode()
    deciding.post(reverse("grant_revoke", args=[grant.pk]))
    assert api(secret, f"tracks/{track.pk}/").status_code == 404
    assert deciding.post(link, {"answer": "allow", "scopes": ["read"]}).status_code == 200
    assert PartnerGrant.objects.filter(revoked_at=None).count() == 0


def test_nobody_else_answers(artist, partner):
    asked = ask_for_grant(partner, email=artist.user.email, scopes=["read"])
    address = reverse("grant_request", args=[asked.pk])
    other = logged_in(ArtistFactory().user)
    assert other.get(address).status_code == 404
    assert other.post(address, {"answer": "allow"}).status_code == 404
    assert Client().get(address).status_code == 302
    owner = logged_in(artist.user)
    more = owner.post(address, {"answer": "allow", "scopes": ["read", "write"]})
    assert more.status_code == 422
    GrantRequest.objects.update(expires_at=now() - timedelta(days=1))
    assert "has run out" in owner.post(address, {"answer": "allow"}).content.decode()
    assert not PartnerGrant.objects.exists()


def test_a_link_without_an_address_is_for_whoever_has_it_once(artist, partner):
    asked = ask_for_grant(partner, email="", scopes=["write"])
    assert asked.scopes == ["read", "write"]
    assert mail.outbox == []
    address = reverse("grant_request", args=[asked.pk])
    logged_in(artist.user).post(address, {"answer": "allow", "scopes": ["read"]})
    logged_in(ArtistFactory().user).post(address, {"answer": "allow", "scopes": ["read"]})
    assert [grant.artist for grant in PartnerGrant.objects.all()] == [artist]


def test_artists_and_partners_begin_at_their_own_pages(artist, partner):
    assert logged_in(partner).get("/")["Location"] == reverse("partner_home")
    assert logged_in(artist.user).get("/")["Location"] == reverse("library")
    for name in ("partner_home", "partner_apps"):
        assert logged_in(artist.user).get(reverse(name)).status_code == 403


def test_a_secret_is_shown_once(artist):
    client = logged_in(artist.user)
    address = reverse("api_tokens")
    form = {"name": "Server", "scopes": ["read"], "lifetime": "90"}
    page = client.post(address, form)
    secret = re.search(r'value="(svp_[^"]+)"', page.content.decode())[1]
    assert "no-store" in page["Cache-Control"]
    assert api(secret, "me/").json()["email"] == artist.user.email
    assert secret not in client.get(address).content.decode()
    token = PartnerToken.objects.get()
    rotated = client.post(reverse("api_token_rotate", args=[token.pk])).content.decode()
    newer = re.search(r'value="(svp_[^"]+)"', rotated)[1]
    assert api(secret, "me/").status_code == api(newer, "me/").status_code == 200
    client.post(reverse("api_token_revoke", args=[token.pk]))
    assert (api(secret, "me/").status_code, api(newer, "me/").status_code) == (401, 200)
    foreign = logged_in(ArtistFactory().user)
    for name in ("api_token_rotate", "api_token_revoke"):
        assert foreign.post(reverse(name, args=[token.pk])).status_code == 404
    assert client.post(address, {**form, "scopes": []}).status_code == 422


def test_an_app_acts_in_an_artists_name(artist, partner):
    track = TrackFactory(artist=artist)
    made = register_app(partner, name="Mixer", redirect_uris=[CALLBACK], confidential=True)
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode()
    query = {
        "response_type": "code",
        "client_id": made.app.client_id,
        "redirect_uri": CALLBACK,
        "scope": "read",
        "state": "s1",
        "code_challenge": challenge.rstrip("="),
        "code_challenge_method": "S256",
    }
    client = logged_in(artist.user)
    page = client.get(reverse("oauth_authorize"), query)
    assert "Let Mixer act in your name?" in page.content.decode()
    assert "form-action 'self' https://app.example" in page["Content-Security-Policy"]
    back = client.post(reverse("oauth_authorize"), {**query, "allow": "Authorize"})
    assert back["Location"].startswith(f"{CALLBACK}?")
    code = parse_qs(urlsplit(back["Location"]).query)["code"][0]
    exchange = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "client_id": made.app.client_id,
        "client_secret": made.secret,
    }
    assert Client().post(reverse("oauth_token"), exchange).status_code == 400  # no verifier
    given = Client().post(reverse("oauth_token"), {**exchange, "code_verifier": verifier})
    if given.status_code != 200:  # the code was spent by the wrong try
        back = client.post(reverse("oauth_authorize"), {**query, "allow": "Authorize"})
        exchange["code"] = parse_qs(urlsplit(back["Location"]).query)["code"][0]
        given = Client().post(reverse("oauth_token"), {**exchange, "code_verifier": verifier})
    tokens = given.json()
    assert tokens["scope"] == "read"
    assert api(tokens["access_token"], "me/").json()["via"] == "app"
    assert api(tokens["access_token"], f"tracks/{track.pk}/").status_code == 200
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    refused = Client().delete(f"/api/v1/tracks/{track.pk}/", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    stored = [row.token for row in (*AccessToken.objects.all(), *RefreshToken.objects.all())]
    assert stored == ["", ""]
    assert made.secret not in Application.objects.get().client_secret
    assert "Mixer" in client.get(reverse("partners")).content.decode()
    client.post(reverse("app_revoke", args=[made.app.pk]))
    assert api(tokens["access_token"], "me/").status_code == 401
    renewal = {**exchange, "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert Client().post(reverse("oauth_token"), renewal).status_code == 400


@pytest.mark.parametrize(
    "change", [{"code_challenge": ""}, {"redirect_uri": "https://evil.example/"}]
)
def test_no_code_without_pkce_nor_to_another_address(artist, partner, change):
    made = register_app(partner, name="Mixer", redirect_uris=[CALLBACK], confidential=False)
    query = {
        "response_type": "code",
        "client_id": made.app.client_id,
        "redirect_uri": CALLBACK,
        "code_challenge": "x" * 43,
        "code_challenge_method": "S256",
        **change,
    }
    client = logged_in(artist.user)
    for answer in (
        client.get(reverse("oauth_authorize"), query),
        client.post(reverse("oauth_authorize"), {**query, "scope": "read", "allow": "Authorize"}),
    ):
        location = answer.get("Location", "")
        assert "code=" not in location
        assert not location.startswith("https://evil.example")
    assert answer.status_code == 400 or "error=invalid_request" in location
    assert not Grant.objects.exists()


@pytest.mark.parametrize("grant", ["client_credentials", "password", "implicit"])
def test_no_other_grant_type(partner, grant):
    made = register_app(partner, name="Mixer", redirect_uris=[CALLBACK], confidential=True)
    form = {
        "grant_type": grant,
        "client_id": made.app.client_id,
        "client_secret": made.secret,
        "username": partner.email,
        "password": "a-long-enough-passphrase",
    }
    answer = Client().post(reverse("oauth_token"), form)
    assert answer.status_code in {400, 401}
    assert "access_token" not in answer.json()


@pytest.mark.parametrize(
    "uri",
    ["http://app.example/", "javascript:alert(1)", "https://a.example/#x", "https://[x", "ftp://a"],
)
def test_redirects_go_to_https_alone(partner, uri):
    with pytest.raises(ValidationError):
        register_app(partner, name="Mixer", redirect_uris=[uri], confidential=True)
