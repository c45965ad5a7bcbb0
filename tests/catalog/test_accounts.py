"""Accounts: sign-up, one account per mailbox, artist pages, the profile."""

from __future__ import annotations

import io

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.urls import reverse
from PIL import Image

from catalog import registry, services
from catalog.models import Artist, User

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def sign_up(client, email: str, **more: str):
    form = {"email": email, "password1": PASSWORD, "password2": PASSWORD, **more}
    return client.post(reverse("account_signup"), form)


@pytest.fixture(autouse=True)
def _let_in(settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "optional"
    settings.ACCOUNT_RATE_LIMITS = False


def test_signing_up_makes_an_artist_and_opens_the_library(client, mailoutbox):
    answer = sign_up(client, "Ann.Lee@Example.COM", artist_name="  The\x07 Anns ")
    assert answer.status_code == 302, answer.content.decode()
    user = User.objects.get()
    assert user.email == "ann.lee@example.com"
    assert user.artist.name == "The Anns"
    assert "No tracks yet" in client.get(answer["Location"], follow=True).content.decode()
    assert len(mailoutbox) == 1


def test_without_a_name_the_address_gives_one(client):
    sign_up(client, "ann.lee@example.com")
    assert Artist.objects.get().name == "Ann Lee"


def test_the_form_asks_for_the_artists_name(client):
    assert 'name="artist_name"' in client.get(reverse("account_signup")).content.decode()


def test_one_mailbox_one_account_whatever_the_case(client):
    sign_up(client, "ann@example.com")
    client.post(reverse("account_logout"))
    sign_up(client, "ANN@example.com")
    assert User.objects.count() == 1
    with pytest.raises(ValidationError):
        services.create_account(email="Ann@Example.com", password=PASSWORD)
    with pytest.raises(IntegrityError), transaction.atomic():
        User(email="ANN@EXAMPLE.COM").save()


def test_log_in_in_any_case(client):
    services.create_account(email="ann@example.com", password=PASSWORD)
    form = {"login": "ANN@Example.com", "password": PASSWORD}
    assert client.post(reverse("account_login"), form).status_code == 302
    assert client.get(reverse("library")).status_code == 200


def test_home_is_for_strangers(client, browser):
    page = client.get("/")
    assert page.status_code == 200
    assert reverse("account_signup") in page.content.decode()
    assert browser.get("/")["Location"] == reverse("library")


def test_an_artist_without_a_page_gets_one(client):
    user = User.objects.create_user("x@example.com", PASSWORD)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(reverse("library")).status_code == 200
    assert Artist.objects.get().user == user


@pytest.fixture
def genres(monkeypatch):
    monkeypatch.setattr(registry, "_genres", [lambda: [("jazz", "Jazz"), ("rock", "Rock")]])


def profile(**values: object) -> dict[str, object]:
    return {"name": "Ann", "bio": "", "default_genre": "", **values}


def test_the_profile_is_changed(browser, artist, genres):
    out = io.BytesIO()
    Image.new("RGB", (50, 50), (1, 2, 3)).save(out, "PNG")
    answer = browser.post(
        reverse("profile"),
        profile(
            name="Ann II",
            bio="Long\nstory ",
            default_genre="jazz",
            auto_separate="on",
            auto_lyrics="on",
            new_picture=SimpleUploadedFile("me.png", out.getvalue()),
        ),
    )
    assert answer.status_code == 302
    artist.refresh_from_db()
    assert (artist.name, artist.bio, artist.default_genre) == ("Ann II", "Long\nstory", "jazz")
    assert (artist.auto_separate, artist.auto_voice, artist.auto_lyrics) == (True, False, True)
    picture = browser.get(reverse("artist_picture", args=[artist.pk]))
    assert picture["Content-Type"] == "image/webp"
    browser.post(reverse("profile"), profile(remove_picture="on"))
    artist.refresh_from_db()
    assert not artist.picture


@pytest.mark.parametrize(
    "bad", [{"default_genre": "polka"}, {"name": ""}, {"name": "x" * 201}, {"bio": "x" * 4001}]
)
def test_what_does_not_fit_is_refused_and_the_page_still_shows_the_old_name(
    browser, artist, genres, bad
):
    answer = browser.post(reverse("profile"), profile(**bad))
    assert answer.status_code == 422
    assert "<h1>ann</h1>" in answer.content.decode()
    artist.refresh_from_db()
    assert (artist.name, artist.default_genre) == ("ann", "")


def test_quota_and_use_are_shown(browser, artist, track):
    artist.user.quota_bytes = 5 * 1024**2
    artist.user.save()
    page = browser.get(reverse("profile")).content.decode().replace("\xa0", " ")
    used = track.revisions.get().size_bytes
    assert f"{used / 1024:.1f} KB of 5.0 MB used by 1 file" in page


def test_the_admin_opens_for_every_model_and_shows_no_hash(login, make_artist, track):
    from django.contrib import admin

    root = make_artist("root", is_staff=True, is_superuser=True)
    browser = login(root)
    services.create_upload(artist=track.artist, filename="a.wav", length_bytes=5)
    link = services.create_share_link(track)
    seen = 0
    for model in admin.site._registry:
        if model._meta.app_label != "catalog":
            continue
        seen += 1
        base = f"admin:catalog_{model._meta.model_name}"
        assert browser.get(reverse(f"{base}_changelist"), {"q": "ann"}).status_code == 200
        instance = model.objects.first()
        if instance is not None:
            page = browser.get(reverse(f"{base}_change", args=[instance.pk]))
            assert page.status_code == 200, model
            assert link.token not in page.content.decode()
            assert root.user.password not in page.content.decode()
    assert seen == 8
    form = {
        "email": "New@Example.com",
        "role": "partner",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    form["usable_password"] = "true"
    answer = browser.post(reverse("admin:catalog_user_add"), form)
    assert answer.status_code == 302, answer.content.decode()[-2000:]
    assert User.objects.filter(email="new@example.com", role="partner").exists()
    twice = browser.post(reverse("admin:catalog_user_add"), {**form, "email": "NEW@example.com"})
    assert twice.status_code == 200


def test_mail_speaks_in_the_products_name(client, mailoutbox):
    sign_up(client, "cleo@example.com")
    (message,) = mailoutbox
    assert "Hello from Sonic Vision Pro!" in message.body
    assert "http://testserver/accounts/confirm-email/" in message.body
    assert "testserver" not in message.subject
