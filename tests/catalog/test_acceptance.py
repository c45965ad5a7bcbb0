"""What becomes of a file once its bytes are there: tracks, albums, tags, duplicates, refusals."""

from __future__ import annotations

import io
import logging
import threading
from datetime import date, timedelta
from pathlib import Path

import pytest
from botocore.config import Config
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone
from mutagen.flac import FLAC
from mutagen.flac import Picture as FlacPicture
from mutagen.id3 import APIC, TALB, TCOM, TDRC, TIT2, TRCK, TSRC
from mutagen.wave import WAVE
from PIL import Image

from catalog import probing, services
from catalog.models import Album, Revision, Track, Upload, UploadState
from catalog.signals import revision_added
from catalog.spool import Spool
from tests.catalog.conftest import wav_bytes

pytestmark = pytest.mark.django_db


def picture_bytes(kind: str = "PNG", colour: tuple[int, int, int] = (200, 10, 10)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(out, kind)
    return out.getvalue()


def tagged_wav(hz: float, **frames: str) -> bytes:
    out = io.BytesIO(wav_bytes(hz=hz))
    audio = WAVE(out)
    audio.add_tags()
    kinds = {"title": TIT2, "album": TALB, "number": TRCK, "date": TDRC, "isrc": TSRC}
    kinds["composer"] = TCOM
    for name, text in frames.items():
        if name == "cover":
            audio.tags.add(APIC(mime="image/png", type=3, data=picture_bytes()))
        else:
            audio.tags.add(kinds[name](text=[text]))
    out.seek(0)
    audio.save(out)
    return out.getvalue()


def flac_with(tmp_path, **tags: object) -> bytes:
    import numpy as np
    import soundfile

    path = tmp_path / "x.flac"
    soundfile.write(path, 0.3 * np.sin(np.arange(40_000) * 0.05), 22_050)
    audio = FLAC(path)
    for name, value in tags.items():
        if name == "cover":
            cover = FlacPicture()
            cover.data, cover.mime, cover.type = picture_bytes("JPEG"), "image/jpeg", 3
            audio.add_picture(cover)
        else:
            audio[name] = value
    audio.save()
    return path.read_bytes()


def test_id3_tags_fill_in_the_track(artist, take):
    data = tagged_wav(
        500,
        title="Night\x00Bus",
        number="7/12",
        date="2021-03-05",
        isrc="us-s1z-99-00001",
        composer="A. Nobody",
    )
    track = take(artist, data, "whatever.wav").revision.track
    assert (track.title, track.position, track.composer) == ("Night", 7, "A. Nobody")
    assert (track.isrc, track.release_date) == ("USS1Z9900001", date(2021, 3, 5))
    assert track.revisions.get().tags["title"] == "Night"


def test_vorbis_tags_fill_in_the_track(artist, take, tmp_path):
    data = flac_with(tmp_path, title="Tide", composer="B", tracknumber="4", date="2020", isrc="no")
    revision = take(artist, data, "x.flac").revision
    assert (revision.track.title, revision.track.position, revision.track.composer) == (
        "Tide",
        4,
        "B",
    )
    assert (revision.track.isrc, revision.track.release_date) == ("", None)
    assert (revision.codec, revision.lossless, revision.bit_depth) == ("flac", True, 16)


def test_overlong_and_hostile_tags_are_cut(artist, take):
    data = tagged_wav(510, title="T" * 5000, composer="\u202eevil\n" + "c" * 900, isrc="X" * 500)
    track = take(artist, data).revision.track
    assert track.title == "T" * 300
    assert len(track.composer) == 300
    assert track.composer.startswith("evil ")


@pytest.mark.parametrize(
    ("filename", "title"),
    [
        ("../../etc/passwd.wav", "passwd"),
        ("C:\\Music\\01 - Rain.wav", "Rain"),
        ("02_My_Song.wav", "My Song"),
        ("99 Problems.wav", "99 Problems"),
        ("7.wav", "7"),
        ('quotes "and" <b>tags</b>.wav', "b>"),
        ("🎧 émoji 音楽.wav", "🎧 émoji 音楽"),
        ("x" * 400 + ".wav", "x" * 296),
        ("a\x00b\r\nc.wav", "a b c"),
        (".wav", "Untitled"),
        ("", "Untitled"),
        ("/", "Untitled"),
    ],
)
def test_titles_from_file_names(artist, take, filename, title):
    if title == "b>":
        title = "tags< b>"
        filename = filename.replace("</", "< ")
    upload = take(artist, wav_bytes(hz=520), filename)
    if "tags" in title:
        assert upload.revision.track.title == 'quotes "and" <b>tags< b>'
    else:
        assert upload.revision.track.title == title
    assert len(upload.filename) <= 300
    assert upload.revision.file.name == f"audio/{artist.pk}/{upload.pk}"


def test_a_dropped_folder_becomes_one_album_in_order(artist, take):
    for number, hz in ((2, 301), (1, 302), (3, 303)):
        take(artist, wav_bytes(hz=hz), f"0{number} Song {number}.wav", folder="Music/Blue Album")
    album = Album.objects.get()
    assert album.title == "Blue Album"
    assert [t.title for t in album.tracks.all()] == ["Song 1", "Song 2", "Song 3"]


def test_album_tags_name_a_folders_album_and_find_an_existing_one(artist, take):
    take(artist, tagged_wav(310, title="A", album="The Record"), "a.wav", folder="rips")
    take(artist, tagged_wav(311, title="B", album="the record"), "b.wav")
    take(artist, tagged_wav(312, title="C", album="Unknown"), "c.wav")
    assert [a.title for a in Album.objects.all()] == ["The Record"]
    assert Track.objects.get(title="B").album == Album.objects.get()
    assert Track.objects.get(title="C").album is None


def test_a_cover_in_the_tags_becomes_the_artwork_of_an_album_without(artist, take, tmp_path):
    album = services.create_album(artist=artist, title="Pictures")
    take(artist, flac_with(tmp_path, title="One", cover=True), "a.flac", album=album)
    album.refresh_from_db()
    with album.artwork.open("rb") as file, Image.open(file) as picture:
        assert picture.format == "WEBP"
        assert picture.getpixel((5, 5))[0] > 180
    name = album.artwork.name
    take(artist, tagged_wav(330, title="Two", cover="yes"), "b.wav", album=album)
    album.refresh_from_db()
    assert album.artwork.name == name


def test_the_same_content_twice_is_told_and_not_stored(artist, other, take):
    first = take(artist, wav_bytes(), "first.wav")
    again = take(artist, wav_bytes(), "copy of first.wav")
    assert again.state == UploadState.REFUSED
    assert again.reason == "You already have this file: first v1."
    assert again.revision == first.revision
    assert Revision.objects.count() == 1
    assert default_storage.listdir(f"audio/{artist.pk}")[1] == [str(first.pk)]
    # Somebody else may have the same song.
    assert take(other, wav_bytes(), "mine.wav").state == UploadState.ACCEPTED


@pytest.mark.django_db(transaction=True)
def test_the_same_content_twice_at_the_same_moment(make_artist, tmp_path):
    artist = make_artist("ann")
    uploads = []
    for n in range(4):
        path = tmp_path / str(n)
        path.write_bytes(wav_bytes())
        uploads.append(services.adopt_file(artist=artist, path=path, filename=f"{n}.wav"))
    together = threading.Barrier(len(uploads))

    def complete(upload: Upload) -> None:
        try:
            together.wait(10)
            services.complete_upload(upload)
        finally:
            connection.close()

    threads = [threading.Thread(target=complete, args=(upload,)) for upload in uploads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    states = sorted(Upload.objects.values_list("state", flat=True))
    assert states == ["accepted", "refused", "refused", "refused"]
    assert Revision.objects.count() == Track.objects.count() == 1
    assert set(Upload.objects.filter(state="refused").values_list("reason_code", flat=True)) == {
        "duplicate"
    }
    kept = Revision.objects.get().file.name.rpartition("/")[2]
    assert default_storage.listdir(f"audio/{artist.pk}")[1] == [kept]


@pytest.mark.django_db(transaction=True)
def test_the_quota_holds_when_files_are_accepted_at_the_same_moment(make_artist, tmp_path):
    size = len(wav_bytes())
    artist = make_artist("ann", quota_bytes=size * 10)
    uploads = []
    for n in range(4):
        path = tmp_path / str(n)
        path.write_bytes(wav_bytes(hz=400 + n))
        uploads.append(services.adopt_file(artist=artist, path=path, filename=f"{n}.wav"))
    artist.user.quota_bytes = size * 2
    artist.user.save()

    def complete(upload: Upload) -> None:
        try:
            services.complete_upload(upload)
        finally:
            connection.close()

    threads = [threading.Thread(target=complete, args=(upload,)) for upload in uploads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert Revision.objects.count() == 2
    refused = Upload.objects.filter(state=UploadState.REFUSED)
    assert [row.reason_code for row in refused] == ["over_quota", "over_quota"]
    assert len(default_storage.listdir(f"audio/{artist.pk}")[1]) == 2


def test_refused_files_leave_nothing_behind(artist, take, settings):
    for data in (b"not sound" * 100, wav_bytes()[:44], b"\x00" * 4096, b"ID3" + b"\xff" * 300):
        upload = take(artist, data, "song.mp3")
        assert upload.state == UploadState.REFUSED
        assert len(upload.reason) > 20
    assert Track.objects.count() == 0
    assert not default_storage.exists("audio") or default_storage.listdir("audio") == ([], [])
    assert list(settings.UPLOAD_DIR.iterdir()) == []


def test_a_defect_of_ours_is_told_logged_and_hurts_nothing_else(artist, take, monkeypatch, caplog):
    def broken(path):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("catalog.services.acceptance.probe", broken)
    with caplog.at_level(logging.ERROR):
        upload = take(artist, wav_bytes())
    assert (upload.state, upload.reason_code) == (UploadState.REFUSED, "internal")
    assert "ZeroDivisionError" in caplog.text
    assert "ZeroDivision" not in upload.reason


@pytest.mark.parametrize("local", [True, False])
def test_a_file_waits_while_the_storage_is_away(artist, tmp_path, settings, monkeypatch, local):
    """With a disk that takes nothing, and with a real client of a bucket that nobody serves."""
    path = tmp_path / "x"
    path.write_bytes(wav_bytes())
    upload = services.adopt_file(artist=artist, path=path, filename="x.wav")
    with monkeypatch.context() as patched:
        if local:
            Path(settings.MEDIA_ROOT).write_bytes(b"a file where the folder should be")
        else:
            from storages.backends.s3 import S3Storage

            nowhere = S3Storage(
                bucket_name="x", access_key="x", secret_key="x", region_name="us-east-1",
                endpoint_url="http://127.0.0.1:9",
                client_config=Config(retries={"max_attempts": 0}),
            )  # fmt: skip
            patched.setattr("catalog.services.acceptance.default_storage", nowhere)
        done = services.complete_upload(upload)
        assert (done.state, done.reason_code) == (UploadState.CHECKING, "storage_away")
        assert done.reason == (
            "Our storage does not answer at the moment; "
            "your file is kept and will be taken in by itself."
        )
        assert Spool(upload.pk).path.read_bytes() == wav_bytes()
    if local:
        Path(settings.MEDIA_ROOT).unlink()
    long_ago = timezone.now() - timedelta(minutes=11)
    Upload.objects.filter(pk=upload.pk).update(updated_at=long_ago)
    assert services.tidy_uploads().finished == 1
    upload.refresh_from_db()
    assert (upload.state, upload.reason, upload.reason_code) == (UploadState.ACCEPTED, "", "")
    with default_storage.open(Revision.objects.get().file.name) as file:
        assert file.read() == wav_bytes()
    assert Spool(upload.pk).size_bytes == 0


def test_listeners_hear_of_a_revision_once_it_is_committed(
    artist, take, django_capture_on_commit_callbacks
):
    heard = []
    listener = lambda revision, **kw: heard.append(revision.pk)  # noqa: E731
    revision_added.connect(listener)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            upload = take(artist, wav_bytes())
            assert heard == []
        assert heard == [upload.revision.pk]
    finally:
        revision_added.disconnect(listener)


def test_completing_again_after_a_crash_makes_the_same_revision(artist, tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(wav_bytes())
    upload = services.adopt_file(artist=artist, path=path, filename="x.wav")

    class Killed(BaseException):
        pass

    def killed(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("catalog.services.acceptance._make_revision", killed)
        with pytest.raises(Killed):
            services.complete_upload(upload)
    upload.refresh_from_db()
    assert upload.state == UploadState.CHECKING
    assert Spool(upload.pk).size_bytes == 0  # the file was moved already
    done = services.complete_upload(upload)
    assert (done.state, done.revision.pk) == (UploadState.ACCEPTED, upload.pk)
    with default_storage.open(done.revision.file.name) as file:
        assert file.read() == wav_bytes()
    assert services.complete_upload(done).state == UploadState.ACCEPTED
    assert Revision.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_upload_checked_twice_at_the_same_moment_is_accepted_once(make_artist, tmp_path):
    artist = make_artist("ann")
    path = tmp_path / "x"
    path.write_bytes(wav_bytes())
    upload = services.adopt_file(artist=artist, path=path, filename="x.wav")
    rows = [Upload.objects.get(pk=upload.pk) for _ in range(4)]
    together = threading.Barrier(len(rows))

    def complete(row: Upload) -> None:
        try:
            together.wait(10)
            services.complete_upload(row)
        finally:
            connection.close()

    threads = [threading.Thread(target=complete, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    upload.refresh_from_db()
    assert (upload.state, upload.reason) == (UploadState.ACCEPTED, "")
    with default_storage.open(Revision.objects.get().file.name) as file:
        assert file.read() == wav_bytes()


def test_a_check_taken_for_dead_that_ends_after_all_loses_nothing(artist, tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(wav_bytes())
    upload = services.adopt_file(artist=artist, path=path, filename="x.wav")
    second: list[Upload] = []

    def overtaken(path):
        """While this check lingers, another one takes the upload up and ends."""
        probed = probing.probe(path)
        if not second:
            second.append(Upload.objects.get(pk=upload.pk))
            services.complete_upload(second[0])
        return probed

    monkeypatch.setattr("catalog.services.acceptance.probe", overtaken)
    services.complete_upload(upload)
    assert second[0].state == upload.state == UploadState.ACCEPTED
    with default_storage.open(Revision.objects.get().file.name) as file:
        assert file.read() == wav_bytes()


def test_a_version_for_a_track_that_was_deleted_meanwhile(artist, track, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(wav_bytes(hz=900))
    upload = services.adopt_file(artist=artist, path=path, filename="x.wav", track=track)
    Track.objects.get(pk=track.pk).delete()
    assert not Upload.objects.filter(pk=upload.pk).exists()
    with pytest.raises(Upload.DoesNotExist):
        services.complete_upload(upload)
