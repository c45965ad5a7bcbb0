"""The upload page without JavaScript: a plain form with many files."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from catalog import form_uploads, pictures, services
from catalog.models import Revision, Track, Upload, UploadState
from tests.catalog.conftest import wav_bytes

pytestmark = pytest.mark.django_db


def file(name: str, data: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data, content_type="audio/wav")


def test_one_bad_file_keeps_the_good_ones(browser, artist, settings):
    files = [
        file("one.wav", wav_bytes(hz=400)),
        file("text.mp3", b"no music at all " * 50),
        file("two.wav", wav_bytes(hz=500)),
        file("one again.wav", wav_bytes(hz=400)),
        file("empty.wav", b""),
    ]
    page = browser.post(reverse("upload"), {"files": files}, follow=True).content.decode()
    assert set(Track.objects.values_list("title", flat=True)) == {"one", "two"}
    assert "2 files are in your library now." in page
    assert "3 files were not taken." in page
    assert "You already have this file: one v1." in page
    for name in ("text.mp3", "empty.wav"):
        assert name in page
    states = dict(Upload.objects.values_list("filename", "state"))
    assert states["text.mp3"] == states["empty.wav"] == UploadState.REFUSED
    assert list(settings.UPLOAD_DIR.iterdir()) == []


def test_files_go_to_disk_and_never_into_memory(browser, monkeypatch, settings):
    places = []
    monkeypatch.setattr(
        services,
        "adopt_file",
        lambda *, path, **rest: places.append(path) or adopt(path=path, **rest),
    )
    adopt = services.receiving.adopt_file
    browser.post(reverse("upload"), {"files": [file("small.wav", wav_bytes())]})
    assert [place.parent for place in places] == [settings.UPLOAD_DIR]
    assert Revision.objects.count() == 1


def test_a_file_that_grows_too_large_is_skipped_and_the_others_are_kept(browser, settings):
    settings.UPLOAD_MAX_BYTES = 100_000
    big, small = wav_bytes(seconds=4), wav_bytes(seconds=1.5)
    files = [file("big.wav", big), file("small.wav", small)]
    page = browser.post(reverse("upload"), {"files": files}, follow=True).content.decode()
    assert [track.title for track in Track.objects.all()] == ["small"]
    refused = Upload.objects.get(state=UploadState.REFUSED)
    assert (refused.filename, refused.reason_code) == ("big.wav", "too_large")
    assert "big.wav" in page
    assert list(settings.UPLOAD_DIR.iterdir()) == []


def test_a_form_takes_no_more_disk_than_the_quota_leaves(make_artist, login, monkeypatch, settings):
    one = wav_bytes(hz=400)
    artist = make_artist("cay", quota_bytes=2 * len(one) + 10)
    most = []
    complete = form_uploads.SpoolingUploadHandler.file_complete

    def counted(self, file_size):
        done = complete(self, file_size)
        done.flush()
        most.append(sum(path.stat().st_size for path in settings.UPLOAD_DIR.iterdir()))
        return done

    monkeypatch.setattr(form_uploads.SpoolingUploadHandler, "file_complete", counted)
    names = ["a.wav", "b.wav", "c.wav", "d.wav"]
    files = [file(name, wav_bytes(hz=400 + n)) for n, name in enumerate(names)]
    page = login(artist).post(reverse("upload"), {"files": files}, follow=True).content.decode()
    assert sorted(Track.objects.values_list("title", flat=True)) == ["a", "b"]
    refused = Upload.objects.filter(state=UploadState.REFUSED)
    assert {(row.filename, row.reason_code) for row in refused} == {
        ("c.wav", "over_quota"),
        ("d.wav", "over_quota"),
    }
    assert "There is no room for this file" in page
    assert most == [len(one), 2 * len(one)]
    assert list(settings.UPLOAD_DIR.iterdir()) == []


def test_a_picture_too_large_is_refused_and_no_more_of_it_kept(browser, artist, monkeypatch):
    limit = 5_000_000  # above what Django keeps in memory
    for module in (pictures, form_uploads):
        monkeypatch.setattr(module, "MAX_PICTURE_BYTES", limit)
    kept = []
    reencode = pictures.reencode

    def measured(picture):
        kept.append(Path(picture.temporary_file_path()).stat().st_size)
        return reencode(picture)

    monkeypatch.setattr("catalog.services.accounts.reencode", measured)
    big = SimpleUploadedFile("big.png", b"x" * (limit + 3_000_000), content_type="image/png")
    page = browser.post(reverse("profile"), {"name": "A", "new_picture": big})
    assert page.status_code == 422
    assert "The picture is larger than 10 MB" in page.content.decode()
    assert kept == [limit + 1]


def test_a_new_version_by_the_form(browser, track):
    url = f"{reverse('upload')}?track={track.pk}"
    assert f"New version of {track}" in browser.get(url).content.decode()
    browser.post(url, {"files": [file("v2.wav", wav_bytes(hz=900))], "note": " New  chorus"})
    assert [(r.number, r.note) for r in track.revisions.all()] == [(2, "New chorus"), (1, "")]


def test_files_into_an_album(browser, artist):
    album = services.create_album(artist=artist, title="Here")
    url = f"{reverse('upload')}?album={album.pk}"
    browser.post(url, {"files": [file("01 a.wav", wav_bytes()), file("x.wav", wav_bytes(hz=3))]})
    assert album.tracks.count() == 2


def test_the_hourly_limit_is_told_and_what_was_taken_stays(browser, settings):
    settings.UPLOADS_PER_HOUR = 1
    files = [file("a.wav", wav_bytes(hz=400)), file("b.wav", wav_bytes(hz=500))]
    page = browser.post(reverse("upload"), {"files": files}, follow=True).content.decode()
    assert Track.objects.count() == 1
    assert "Too many uploads in one hour" in page


def test_while_the_storage_is_away_files_are_kept(browser, settings):
    settings.MEDIA_ROOT.write_bytes(b"a file where the folder should be")
    answer = browser.post(
        reverse("upload"), {"files": [file("a.wav", wav_bytes(hz=410))]}, follow=True
    )
    page = answer.content.decode()
    assert "1 file is kept and not yet taken in" in page
    assert "Our storage does not answer at the moment" in page
    assert "not taken." not in page


def test_nothing_chosen(browser):
    page = browser.post(reverse("upload"), follow=True).content.decode()
    assert "Choose some files first." in page


def test_without_the_token_nothing_is_kept(artist, login, settings):
    strict = login(artist, enforce_csrf_checks=True)
    answer = strict.post(reverse("upload"), {"files": [file("a.wav", wav_bytes())]})
    assert answer.status_code == 403
    assert Upload.objects.count() == 0
    strict.get(reverse("upload"))
    token = strict.cookies["csrftoken"].value
    answer = strict.post(
        reverse("upload"), {"files": [file("a.wav", wav_bytes())], "csrfmiddlewaretoken": token}
    )
    assert answer.status_code == 302
    assert Track.objects.count() == 1


def test_an_interrupted_form_leaves_no_file(settings, rf):
    handler = form_uploads.SpoolingUploadHandler(room_bytes=1000)
    handler.new_file("files", "a.wav", "audio/wav", 1000, None, None)
    handler.receive_data_chunk(b"x" * 500, 0)
    assert len(list(settings.UPLOAD_DIR.iterdir())) == 1
    handler.upload_interrupted()
    assert list(settings.UPLOAD_DIR.iterdir()) == []


def test_the_list_of_recent_uploads_is_only_ones_own(browser, other, login):
    browser.post(reverse("upload"), {"files": [file("secret name.wav", b"junk" * 99)]})
    assert "secret name.wav" in browser.get(reverse("upload_recent")).content.decode()
    assert "secret name" not in login(other).get(reverse("upload_recent")).content.decode()
