"""Share links: unguessable, limited to what was chosen, ended by time or by hand."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from catalog import selectors, services
from catalog.models import ShareLink

pytestmark = pytest.mark.django_db


@pytest.fixture
def audio(track):
    return reverse("revision_audio", args=[track.revisions.get().pk])


def test_making_a_link_by_the_page(browser, track):
    url = reverse("track_share", args=[track.pk])
    form = {"show_genre": "on", "expiry": "week", "label": "The label"}
    assert browser.post(url, form).status_code == 302
    link = ShareLink.objects.get()
    assert (link.show_audio, link.show_genre, link.show_mix) == (False, True, False)
    assert len(link.token) >= 43  # 32 random bytes
    assert timedelta(days=6) < link.expires_at - timezone.now() <= timedelta(days=7)
    page = browser.get(url).content.decode()
    assert f"http://testserver/s/{link.token}/" in page
    assert "The label" in page


def test_a_link_must_show_something(browser, track):
    answer = browser.post(reverse("track_share", args=[track.pk]), {"expiry": "never"})
    assert answer.status_code == 422
    assert ShareLink.objects.count() == 0
    with pytest.raises(ValidationError):
        services.create_share_link(
            track, show_audio=False, show_genre=False, show_features=False, show_mix=False
        )


def test_tokens_differ(track):
    assert len({services.create_share_link(track).token for _ in range(20)}) == 20


def test_a_link_with_sound_lets_a_stranger_hear(client, track, audio):
    link = services.create_share_link(track)
    assert client.get(audio).status_code == 404
    answer = client.get(audio, {"share": link.token}, headers={"Range": "bytes=0-9"})
    assert answer.status_code == 206
    for token in ("", "x", "\x00", link.token[:-1], "a" * 5000):
        assert client.get(audio, {"share": token}).status_code == 404


def test_a_link_without_sound_does_not(client, track, audio):
    link = services.create_share_link(track, show_audio=False)
    assert client.get(audio, {"share": link.token}).status_code == 404
    assert selectors.shared_track(link.token) == link


def test_a_link_opens_one_track_only(client, track, make_revision):
    link = services.create_share_link(track)
    another = make_revision(track.artist, hz=800)
    url = reverse("revision_audio", args=[another.pk])
    assert client.get(url, {"share": link.token}).status_code == 404


def test_a_link_shows_the_newest_version_only(client, track, audio, make_revision):
    link = services.create_share_link(track)
    make_revision(track.artist, hz=800, track=track)
    assert client.get(audio, {"share": link.token}).status_code == 404


def test_revoking_ends_a_link_at_once(browser, client, track, audio):
    link = services.create_share_link(track)
    assert client.get(audio, {"share": link.token}).status_code == 200
    browser.post(reverse("share_revoke", args=[track.pk, link.pk]))
    assert client.get(audio, {"share": link.token}).status_code == 404
    assert selectors.shared_track(link.token) is None
    assert "Revoked" in browser.get(reverse("track_share", args=[track.pk])).content.decode()


def test_a_link_of_another_track_cannot_be_revoked_here(browser, track, make_revision):
    another = make_revision(track.artist, hz=800).track
    link = services.create_share_link(another)
    answer = browser.post(reverse("share_revoke", args=[track.pk, link.pk]))
    assert answer.status_code == 404
    assert selectors.shared_track(link.token) == link


def test_an_expired_link_is_dead(client, track, audio):
    link = services.create_share_link(track, valid_for=timedelta(hours=1))
    assert client.get(audio, {"share": link.token}).status_code == 200
    ShareLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(audio, {"share": link.token}).status_code == 404


def test_pictures_of_a_shared_track_can_be_seen(client, artist, track):
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    out.seek(0)
    album = services.create_album(artist=artist, title="A", artwork=out)
    link = services.create_share_link(track)
    url = reverse("album_artwork", args=[album.pk])
    assert client.get(url, {"share": link.token}).status_code == 404
    track.album = album
    track.save()
    assert client.get(url, {"share": link.token}).status_code == 200
    assert client.get(url).status_code == 404


def test_views_are_counted(track):
    link = services.create_share_link(track)
    for _ in range(3):
        services.count_view(link)
    link.refresh_from_db()
    assert link.views == 3
