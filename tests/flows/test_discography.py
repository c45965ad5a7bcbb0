"""An artist's whole way with the catalogue, as a browser without JavaScript goes it."""

from __future__ import annotations

import re

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from catalog.models import Album, Revision, ShareLink, Track, User
from tests.catalog.conftest import wav_bytes

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct horse battery"


def wav(name: str, hz: float) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, wav_bytes(hz=hz), content_type="audio/wav")


def test_from_signing_up_to_leaving(settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "optional"
    settings.ACCOUNT_RATE_LIMITS = False
    artist, friend, rival = Client(), Client(), Client()
    for browser, name in ((artist, "mara"), (rival, "rival")):
        form = {"email": f"{name}@example.com", "password1": PASSWORD, "password2": PASSWORD}
        answer = browser.post(reverse("account_signup"), {**form, "artist_name": name.title()})
        assert answer.status_code == 302

    # An album is made and filled; one file of the batch is no music.
    artist.post(reverse("album_new"), {"title": "Debut"})
    album = Album.objects.get()
    upload = f"{reverse('upload')}?album={album.pk}"
    files = [wav("02 Second.wav", 300), wav("01 First.wav", 400)]
    page = artist.post(
        upload, {"files": [*files, SimpleUploadedFile("notes.txt", b"lyrics")]}, follow=True
    ).content.decode()
    assert "2 files are in your library now." in page
    assert "1 file was not taken." in page
    page = artist.get(album.get_absolute_url()).content.decode()
    assert page.index(">First<") < page.index(">Second<")

    # A track is described, and a better mix of it uploaded.
    first = Track.objects.get(title="First")
    edit = {"title": "First Light", "version": "Album mix", "composer": "Mara"}
    artist.post(reverse("track_edit", args=[first.pk]), edit)
    artist.post(f"{reverse('upload')}?track={first.pk}", {"files": [wav("louder.wav", 410)]})
    page = artist.get(reverse("library"), {"q": "light"}).content.decode()
    assert "First Light" in page
    assert '<span class="badge">v2</span>' in page
    assert ">Second<" not in page

    # A friend hears it by a link, in part; the rival hears nothing.
    artist.post(reverse("track_share", args=[first.pk]), {"show_audio": "on", "expiry": "day"})
    link = ShareLink.objects.get()
    newest = Revision.objects.get(track=first, number=2)
    audio = reverse("revision_audio", args=[newest.pk])
    heard = friend.get(audio, {"share": link.token}, headers={"Range": "bytes=100-199"})
    assert heard.status_code == 206
    assert heard.getvalue() == wav_bytes(hz=410)[100:200]
    assert rival.get(audio).status_code == 404
    artist.post(reverse("share_revoke", args=[first.pk, link.pk]))
    assert friend.get(audio, {"share": link.token}).status_code == 404

    # The rival brings the same file: two owners, two copies, no trace of one another.
    rival.post(reverse("upload"), {"files": [wav("mine.wav", 410)]})
    rivals = Revision.objects.get(original_name="mine.wav")
    page = rival.get(reverse("library")).content.decode()
    assert re.findall(r'id="track-([0-9a-f-]+)"', page) == [str(rivals.track_id)]

    # The artist leaves: nothing of hers stays, everything of his does.
    hers = [revision.file.name for revision in Revision.objects.exclude(pk=rivals.pk)]
    assert len(hers) == 3
    artist.post(reverse("account_delete"), {"password": PASSWORD})
    assert [user.email for user in User.objects.all()] == ["rival@example.com"]
    assert not any(default_storage.exists(name) for name in hers)
    with default_storage.open(rivals.file.name) as file:
        assert file.read() == wav_bytes(hz=410)
    assert (
        artist.post(
            reverse("account_login"), {"login": "mara@example.com", "password": PASSWORD}
        ).status_code
        != 302
    )
