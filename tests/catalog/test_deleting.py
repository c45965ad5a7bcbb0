"""Deleting really deletes: rows, files, and word to whoever derived something from them."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import DatabaseError
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from catalog import services
from catalog.models import Album, Artist, Revision, Track, Upload, UploadState, User
from catalog.signals import revision_removed
from catalog.spool import Spool
from tests.catalog.conftest import wav_bytes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def removed():
    """Content hashes whose removal was announced."""
    heard: list[str] = []

    def listener(content_sha256, **kwargs):
        heard.append(content_sha256)

    revision_removed.connect(listener)
    yield heard
    revision_removed.disconnect(listener)


def stored() -> list[str]:
    """Every file in the storage."""
    found = []
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            inner, files = default_storage.listdir(folder)
        except FileNotFoundError:
            continue
        folders += [f"{folder}/{name}".lstrip("/") for name in inner]
        found += [f"{folder}/{name}" for name in files]
    return found


def picture() -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", (32, 32), (9, 99, 199)).save(out, "PNG")
    out.seek(0)
    return out


def test_a_track_goes_with_all_its_versions(browser, track, make_revision, removed):
    newer = make_revision(track.artist, hz=700, track=track)
    hashes = set(track.revisions.values_list("content_sha256", flat=True))
    assert len(stored()) == 2
    page = browser.get(reverse("track_delete", args=[track.pk])).content.decode()
    assert newer.original_name in page
    assert browser.post(reverse("track_delete", args=[track.pk])).status_code == 302
    assert (Track.objects.count(), Revision.objects.count(), stored()) == (0, 0, [])
    assert set(removed) == hashes


def test_one_version_goes_and_the_others_stay(browser, track, make_revision, removed):
    first = track.revisions.get()
    newer = make_revision(track.artist, hz=700, track=track)
    browser.post(reverse("revision_delete", args=[newer.pk]))
    assert list(track.revisions.all()) == [first]
    assert removed == [newer.content_sha256]
    assert stored() == [first.file.name]
    with pytest.raises(ValidationError):
        services.delete_revision(first)
    browser.post(reverse("revision_delete", args=[first.pk]))
    assert stored() == [first.file.name]


def test_after_deleting_the_same_file_can_be_uploaded_again(artist, track, take):
    services.delete_track(track)
    assert take(artist, wav_bytes()).state == UploadState.ACCEPTED


def test_an_album_can_keep_or_take_its_tracks(browser, artist, make_revision):
    for choice, left in (("keep", 1), ("delete", 0)):
        album = services.create_album(artist=artist, title=choice, artwork=picture())
        make_revision(artist, hz=640, album=album)
        browser.post(reverse("album_delete", args=[album.pk]), {"tracks": choice})
        assert Album.objects.count() == 0
        assert Track.objects.count() == left
        assert len(stored()) == left
        Track.objects.all().delete()


def test_deleting_needs_a_choice(browser, artist):
    album = services.create_album(artist=artist, title="x")
    browser.post(reverse("album_delete", args=[album.pk]))
    assert Album.objects.count() == 1


def test_the_account_goes_with_everything(browser, artist, track, removed, other, make_revision):
    theirs = make_revision(other, hz=222)
    services.update_profile(
        artist, name="A", bio="", default_genre="", auto_separate=False, auto_voice=False,
        picture=picture(),
    )  # fmt: skip
    services.create_album(artist=artist, title="x", artwork=picture())
    services.create_upload(artist=artist, filename="half.wav", length_bytes=100)
    assert len(stored()) == 4
    url = reverse("account_delete")
    wrong = browser.post(url, {"password": "not it"})
    assert wrong.status_code == 422
    assert User.objects.count() == 2
    done = browser.post(url, {"password": "a-long-enough-passphrase"})
    assert done.status_code == 302
    assert list(Artist.objects.all()) == [other]
    assert stored() == [theirs.file.name]
    assert len(removed) == 1
    assert browser.get(reverse("library")).status_code == 302


def test_the_admins_cascade_removes_files_too(artist, track, make_artist, login):
    admin = make_artist("root", is_staff=True, is_superuser=True)
    browser = login(admin)
    url = reverse("admin:catalog_user_delete", args=[artist.user_id])
    # The confirmation page says what would go.
    assert browser.get(url).status_code == 200
    answer = browser.post(url, {"post": "yes"})
    assert answer.status_code == 302, answer.content.decode()[:3000]
    assert not User.objects.filter(pk=artist.user_id).exists()
    assert stored() == []


def test_replacing_a_picture_removes_the_old_one(artist):
    album = services.create_album(artist=artist, title="x", artwork=picture())
    old = album.artwork.name
    services.update_album(album, title="x", release_date=None, artwork=picture())
    assert stored() == [album.artwork.name] != [old]
    services.update_album(album, title="x", release_date=None, remove_artwork=True)
    assert stored() == []


def test_a_picture_stays_when_its_replacement_cannot_be_saved(artist, monkeypatch):
    album = services.create_album(artist=artist, title="x", artwork=picture())
    old = album.artwork.name

    def fail(*args, **kwargs):
        raise DatabaseError

    with monkeypatch.context() as patched:
        patched.setattr(Album, "save", fail)
        with pytest.raises(DatabaseError):
            services.update_album(album, title="x", release_date=None, artwork=picture())
    assert Album.objects.get(pk=album.pk).artwork.name == old
    assert default_storage.exists(old)


def age(path, hours: float) -> None:
    import os

    then = (timezone.now() - timedelta(hours=hours)).timestamp()
    os.utime(path, (then, then))


def test_tidying(artist, track, tmp_path, settings, capsys):
    now = timezone.now()
    path = tmp_path / "x"
    path.write_bytes(wav_bytes(hz=800))
    stuck = services.adopt_file(artist=artist, path=path, filename="stuck.wav")
    live = services.create_upload(artist=artist, filename="live.wav", length_bytes=10)
    services.receive(live, offset=0, source=io.BytesIO(b"12345"), size_bytes=5)
    expired = services.create_upload(artist=artist, filename="old.wav", length_bytes=10)
    services.receive(expired, offset=0, source=io.BytesIO(b"12345"), size_bytes=5)
    Upload.objects.filter(pk=expired.pk).update(expires_at=now - timedelta(seconds=1))
    Upload.objects.filter(pk=stuck.pk).update(updated_at=now - timedelta(minutes=11))
    stray = settings.UPLOAD_DIR / "7a6f8c1e-0000-4000-8000-000000000000.part"
    stray.write_bytes(b"x")
    old_form, new_form = settings.UPLOAD_DIR / "a.form", settings.UPLOAD_DIR / "b.form"
    for form in (old_form, new_form):
        form.write_bytes(b"x")
    age(old_form, 25)
    media = settings.MEDIA_ROOT
    orphan, fresh = media / "audio" / "99" / "orphan", media / "audio" / "99" / "fresh"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"x")
    fresh.write_bytes(b"x")
    age(orphan, 25)
    age(media / track.revisions.get().file.name, 99)

    call_command("tidy_uploads")

    out = capsys.readouterr().out
    assert "1 uploads finished, 1 expired, 2 parts and 1 stored files removed" in out
    assert Upload.objects.get(pk=stuck.pk).state == UploadState.ACCEPTED
    assert Upload.objects.get(pk=expired.pk).state == UploadState.CANCELLED
    assert Upload.objects.get(pk=live.pk).state == UploadState.RECEIVING
    assert Spool(live.pk).path.read_bytes() == b"12345"
    assert not Spool(expired.pk).path.exists()
    assert not stray.exists()
    assert (old_form.exists(), new_form.exists()) == (False, True)
    assert not orphan.exists()
    assert fresh.exists()
    assert track.revisions.get().file.storage.exists(track.revisions.get().file.name)
