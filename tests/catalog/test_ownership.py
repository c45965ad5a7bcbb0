"""Nobody reaches what belongs to somebody else: every address is tried, also those added later."""

from __future__ import annotations

import pytest
from django.urls import reverse

from catalog import services, urls
from catalog.models import Track

pytestmark = pytest.mark.django_db

# Addresses without an id show each visitor only what is their own.
WITHOUT_IDS = [p.name for p in urls.urlpatterns if not p.pattern.converters]
WITH_IDS = [p.name for p in urls.urlpatterns if p.pattern.converters]
PUBLIC = {"home"}
TUS = {"uploads", "upload_resource"}
TUS_HEADERS = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}


@pytest.fixture
def addresses(artist, track):
    """Every address with an id, filled with things of ``artist``."""
    album = services.create_album(artist=artist, title="Mine")
    link = services.create_share_link(track)
    upload = services.create_upload(artist=artist, filename="a.wav", length_bytes=100)
    ids = {
        "track_id": track.pk,
        "album_id": album.pk,
        "revision_id": track.revisions.get().pk,
        "upload_id": upload.pk,
        "link_id": link.pk,
        "artist_id": artist.pk,
    }
    return {
        pattern.name: reverse(
            pattern.name, kwargs={name: ids[name] for name in pattern.pattern.converters}
        )
        for pattern in urls.urlpatterns
        if pattern.pattern.converters
    }


@pytest.mark.parametrize("name", WITH_IDS)
def test_another_artist_gets_404_by_every_method(addresses, other, login, name, track):
    stranger = login(other)
    headers = TUS_HEADERS if name in TUS else {}
    seen = set()
    for method in ("get", "post", "put", "patch", "delete", "head"):
        answer = getattr(stranger, method)(addresses[name], headers=headers)
        seen.add(answer.status_code)
    assert seen <= {404, 405}, name
    assert 404 in seen, name
    track.refresh_from_db()
    assert track.share_links.get().revoked_at is None


@pytest.mark.parametrize("name", WITH_IDS)
def test_the_owner_gets_further(addresses, browser, name):
    """Guards the test above: the addresses are right, only the visitor was wrong."""
    headers = TUS_HEADERS if name in TUS else {}
    answer = browser.head(addresses[name], headers=headers)
    if name in {"artist_picture", "album_artwork"}:
        assert answer.status_code == 404  # there is no picture yet
    else:
        assert answer.status_code in {200, 405}, name


@pytest.mark.parametrize("name", sorted({*WITHOUT_IDS, *WITH_IDS} - PUBLIC))
def test_strangers_are_asked_to_log_in_or_told_nothing(addresses, client, name):
    address = addresses.get(name) or reverse(name)
    headers = TUS_HEADERS if name in TUS else {}
    for method in ("get", "post"):
        answer = getattr(client, method)(address, headers=headers)
        if answer.status_code == 302:
            assert answer["Location"].startswith("/accounts/login/")
        else:
            assert answer.status_code in {401, 404, 405}, (name, method)


@pytest.mark.parametrize("name", sorted({*WITHOUT_IDS, *WITH_IDS}))
def test_no_post_without_the_token_against_forged_requests(addresses, artist, login, name):
    strict = login(artist, enforce_csrf_checks=True)
    address = addresses.get(name) or reverse(name)
    before = Track.objects.count()
    answer = strict.post(address, {"action": "delete", "confirmed": "1", "tracks": "delete"})
    assert answer.status_code in {403, 405}, name
    if answer.status_code == 405:
        assert strict.get(address).status_code in {200, 302, 404}
    assert Track.objects.count() == before


@pytest.mark.parametrize("name", WITH_IDS)
def test_a_superuser_may_look(addresses, other, login, name):
    other.user.is_superuser = True
    other.user.save()
    headers = TUS_HEADERS if name in TUS else {}
    answer = login(other).head(addresses[name], headers=headers)
    if name not in {"artist_picture", "album_artwork"}:
        assert answer.status_code in {200, 405}, name


def test_ids_in_forms_cannot_reach_over(browser, other, make_revision, track):
    theirs = make_revision(other, hz=600).track
    album = services.create_album(artist=other, title="Theirs")
    for action in ("delete", "move", "reanalyse"):
        browser.post(
            reverse("library_bulk"),
            {"action": action, "track": str(theirs.pk), "confirmed": "1", "album": "none"},
        )
    assert Track.objects.filter(pk=theirs.pk).exists()
    answer = browser.post(
        reverse("library_bulk"), {"action": "move", "track": str(track.pk), "album": str(album.pk)}
    )
    assert answer.status_code == 404
    mine = services.create_album(artist=track.artist, title="Mine")
    answer = browser.post(
        reverse("album_track_order", args=[mine.pk]),
        {"track": str(theirs.pk), "direction": "up"},
    )
    assert answer.status_code == 400
    for name in ("track", "album"):
        pk = theirs.pk if name == "track" else album.pk
        assert browser.get(reverse("upload"), {name: str(pk)}).status_code == 404


def test_labelling_staff_is_offered_an_artist_page(db, login):
    user = services.create_account(email="l@example.com", password="x" * 20, role="labeller")
    browser = login(user)
    page = browser.get(reverse("library"))
    assert page.status_code == 403
    assert "Make an artist page" in page.content.decode()
    assert browser.post(reverse("artist_create")).status_code == 302
    assert browser.get(reverse("library")).status_code == 200


def test_the_admin_cannot_give_a_track_or_album_to_somebody_else(artist, track, make_artist, login):
    album = services.create_album(artist=artist, title="Mine")
    root = make_artist("root", is_staff=True, is_superuser=True)
    browser = login(root)
    for row in (track, album):
        url = reverse(f"admin:catalog_{row._meta.model_name}_change", args=[row.pk])
        answer = browser.post(
            url, {"title": "Renamed", "position": 3, "artist": root.pk, "album": ""}
        )
        assert answer.status_code == 302
        row.refresh_from_db()
        assert (row.title, row.artist) == ("Renamed", artist)
    assert browser.get(reverse("admin:catalog_track_add")).status_code == 403
    made = browser.post(
        reverse("admin:catalog_album_add"), {"title": "New", "position": 0, "artist": artist.pk}
    )
    assert made.status_code == 302
    assert artist.albums.filter(title="New").exists()
