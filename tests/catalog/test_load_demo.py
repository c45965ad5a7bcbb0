"""The demo discography: complete, once, and never where real people are."""

from __future__ import annotations

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from PIL import Image

from catalog.models import Album, Artist, Revision, Track, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo(settings, capsys):
    settings.DEMO = True
    call_command("load_demo")
    return capsys.readouterr().out


def test_the_whole_discography_is_there(demo):
    out = demo
    assert Track.objects.count() == Revision.objects.count() == 28
    assert Track.objects.filter(discoverable=True).count() == 28
    names = {
        artist.name: (artist.tracks.count(), artist.albums.count())
        for artist in Artist.objects.filter(tracks__isnull=False).distinct()
    }
    assert names == {"Paper Lanterns": (15, 5), "Neon Harbor": (13, 5)}
    assert len(set(Track.objects.values_list("title", flat=True))) == 28
    for revision in Revision.objects.all():
        assert (revision.codec, revision.sample_rate, revision.channels) == ("opus", 48_000, 2)
        assert 20 < revision.duration_s < 40
        assert default_storage.size(revision.file.name) == revision.size_bytes
    for email in ("artist", "second", "admin", "labeller", "partner"):
        assert f"{email}@demo.local" in out
    assert "sonic-demo" in out


def test_every_album_has_a_picture(demo):
    for album in Album.objects.all():
        with album.artwork.open("rb") as file, Image.open(file) as picture:
            assert (picture.format, picture.size) == ("WEBP", (600, 600))


def test_the_printed_log_ins_work(demo):
    for email in User.objects.values_list("email", flat=True):
        client = Client()
        answer = client.post("/accounts/login/", {"login": email, "password": "sonic-demo"})
        assert answer.status_code == 302, email
        assert client.get("/library/").status_code in {200, 403}
    assert User.objects.get(email="admin@demo.local").is_superuser
    assert not User.objects.exclude(email="admin@demo.local").filter(is_superuser=True).exists()


def test_a_second_run_changes_nothing(demo, capsys):
    track = Track.objects.first()
    track.delete()
    call_command("load_demo")
    assert Track.objects.count() == 27
    assert User.objects.count() == 5
    assert "already" in capsys.readouterr().out


def test_it_refuses_where_the_demo_is_off(settings):
    settings.DEMO = False
    with pytest.raises(CommandError, match="DATABASE_URL"):
        call_command("load_demo")
    assert User.objects.count() == 0
