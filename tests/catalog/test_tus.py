"""Resumable uploads: the protocol's rules, and connections that break."""

from __future__ import annotations

import base64
import hashlib
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from catalog import services
from catalog.models import Revision, Upload, UploadState
from catalog.spool import Spool, UploadBusy
from catalog.views import tus
from tests.catalog.conftest import wav_bytes

pytestmark = pytest.mark.django_db
BODY = "application/offset+octet-stream"


def metadata(**values: str) -> str:
    return ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in values.items())


def create(client: Client, length: int, body: bytes = b"", **values: str):
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(length)}
    if values:
        headers["Upload-Metadata"] = metadata(**values)
    kind = BODY if body else "application/json"
    return client.post("/uploads/", data=body, content_type=kind, headers=headers)


def patch(client: Client, url: str, data: bytes, offset: int, **headers: str):
    return client.patch(
        url,
        data=data,
        content_type=BODY,
        headers={"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset), **headers},
    )


def head(client: Client, url: str):
    return client.head(url, headers={"Tus-Resumable": "1.0.0"})


def test_options_tells_what_the_server_can(client):
    answer = client.options("/uploads/")
    assert answer.status_code == 204
    assert answer["Tus-Version"] == "1.0.0"
    assert set(answer["Tus-Extension"].split(",")) >= {"creation", "expiration", "termination"}
    assert int(answer["Tus-Max-Size"]) == 500 * 1024 * 1024
    assert answer["Tus-Resumable"] == "1.0.0"


def test_a_file_in_three_pieces_becomes_a_track(browser, artist, settings):
    data = wav_bytes(seconds=2)
    made = create(browser, len(data), filename="03 - Slow_Light.wav")
    assert made.status_code == 201
    assert "Upload-Expires" in made
    url = made["Location"]
    cuts = [0, 10_000, 50_000, len(data)]
    for start, end in pairwise(cuts):
        answer = patch(browser, url, data[start:end], start)
        assert answer.status_code == 204
        assert answer["Upload-Offset"] == str(end)
    revision = Revision.objects.get()
    assert answer["Upload-Result"] == reverse("track", args=[revision.track_id])
    assert revision.track.title == "Slow Light"
    assert revision.track.position == 3
    assert revision.content_sha256 == hashlib.sha256(data).hexdigest()
    with default_storage.open(revision.file.name) as file:
        assert file.read() == data
    assert (revision.sample_rate, revision.channels, revision.codec) == (22_050, 1, "pcm_s16le")
    assert revision.duration_s == pytest.approx(2.0, abs=0.01)
    assert list(settings.UPLOAD_DIR.iterdir()) == []
    after = head(browser, url)
    assert after["Upload-Offset"] == after["Upload-Length"] == str(len(data))


def test_creation_with_upload(browser):
    data = wav_bytes()
    made = create(browser, len(data), body=data[:5000], filename="a.wav")
    assert (made.status_code, made["Upload-Offset"]) == (201, "5000")
    assert patch(browser, made["Location"], data[5000:], 5000).status_code == 204
    assert Revision.objects.count() == 1


def test_head_tells_the_offset_and_is_not_cached(browser):
    made = create(browser, 1000, filename="a.wav")
    patch(browser, made["Location"], b"x" * 300, 0)
    answer = head(browser, made["Location"])
    assert answer.status_code == 200
    assert answer["Upload-Offset"] == "300"
    assert answer["Upload-Length"] == "1000"
    assert "no-store" in answer["Cache-Control"]
    assert answer.content == b""


@pytest.mark.parametrize("offset", [0, 299, 301, 1000])
def test_another_offset_than_the_upload_has_is_409_and_changes_nothing(browser, offset):
    url = create(browser, 1000, filename="a.wav")["Location"]
    patch(browser, url, b"x" * 300, 0)
    answer = patch(browser, url, b"y" * 10, offset)
    assert answer.status_code == 409
    assert head(browser, url)["Upload-Offset"] == "300"
    assert Spool(Upload.objects.get().pk).path.read_bytes() == b"x" * 300


def test_protocol_errors(browser):
    data = b"x" * 10
    url = create(browser, 100, filename="a.wav")["Location"]
    no_version = browser.patch(url, data, content_type=BODY, headers={"Upload-Offset": "0"})
    assert no_version.status_code == 412
    assert no_version["Tus-Resumable"] == "1.0.0"
    old = browser.head(url, headers={"Tus-Resumable": "0.2.2"})
    assert old.status_code == 412
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
    wrong_type = browser.patch(url, data, content_type="text/plain", headers=headers)
    assert wrong_type.status_code == 415
    for text in ("", "-1", "1.5", "ten", "٣", "9" * 30):
        answer = patch(browser, url, data, text)
        assert answer.status_code == 400, text
    assert patch(browser, url, b"x" * 101, 0).status_code == 413
    assert browser.put(url, headers=headers).status_code == 405
    assert browser.get("/uploads/", headers=headers).status_code == 405
    assert head(browser, url)["Upload-Offset"] == "0"


@pytest.mark.parametrize("length", ["", "-5", "abc", "1e9"])
def test_a_length_must_be_told(browser, length):
    answer = browser.post("/uploads/", headers={"Tus-Resumable": "1.0.0", "Upload-Length": length})
    assert answer.status_code == 400
    assert Upload.objects.count() == 0


def test_a_deferred_length_and_bad_metadata_are_refused(browser):
    common = {"Tus-Resumable": "1.0.0"}
    deferred = browser.post("/uploads/", headers={**common, "Upload-Defer-Length": "1"})
    assert deferred.status_code == 400
    bad = browser.post(
        "/uploads/", headers={**common, "Upload-Length": "5", "Upload-Metadata": "filename ***"}
    )
    assert bad.status_code == 400


def test_without_a_login_nothing_is_taken(client):
    answer = create(client, 100, filename="a.wav")
    assert answer.status_code == 401
    assert "Log in" in answer.json()["detail"]
    assert Upload.objects.count() == 0


def test_the_token_against_forged_requests_is_needed(artist, login):
    strict = login(artist, enforce_csrf_checks=True)
    assert create(strict, 100, filename="a.wav").status_code == 403
    strict.get(reverse("upload"))
    token = strict.cookies["csrftoken"].value
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "100", "X-CSRFToken": token}
    made = strict.post("/uploads/", content_type="application/json", headers=headers)
    assert made.status_code == 201
    assert patch(strict, made["Location"], b"x", 0).status_code == 403
    assert patch(strict, made["Location"], b"x", 0, **{"X-CSRFToken": token}).status_code == 204
    assert strict.delete(made["Location"], headers={"Tus-Resumable": "1.0.0"}).status_code == 403


def test_another_artists_upload_does_not_exist(browser, other, login):
    url = create(browser, 100, filename="a.wav")["Location"]
    stranger = login(other)
    assert head(stranger, url).status_code == 404
    assert patch(stranger, url, b"x", 0).status_code == 404
    assert stranger.delete(url, headers={"Tus-Resumable": "1.0.0"}).status_code == 404
    assert Upload.objects.get().state == UploadState.RECEIVING


def test_tracks_and_albums_of_others_cannot_be_named(browser, other, make_revision, track):
    theirs = make_revision(other).track
    album = services.create_album(artist=other, title="Theirs")
    for values in ({"track": str(theirs.pk)}, {"album": str(album.pk)}, {"track": "nonsense"}):
        assert create(browser, 100, filename="a.wav", **values).status_code == 404
    assert create(browser, 100, filename="a.wav", track=str(track.pk)).status_code == 201


def test_cancelling_forgets_the_bytes(browser, settings):
    url = create(browser, 1000, filename="a.wav")["Location"]
    patch(browser, url, b"x" * 300, 0)
    answer = browser.delete(url, headers={"Tus-Resumable": "1.0.0"})
    assert answer.status_code == 204
    assert list(settings.UPLOAD_DIR.iterdir()) == []
    assert head(browser, url).status_code == 410
    assert patch(browser, url, b"x", 300).status_code == 410


def test_an_expired_upload_takes_no_more(browser):
    url = create(browser, 1000, filename="a.wav")["Location"]
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert patch(browser, url, b"x", 0).status_code == 410


class Breaking:
    """A request body whose connection breaks after some bytes."""

    def __init__(self, data: bytes, *, raises: bool) -> None:
        self.data, self.raises = data, raises

    def read(self, size: int = -1) -> bytes:
        if not self.data:
            if self.raises:
                raise OSError("connection reset by peer")
            return b""
        piece, self.data = self.data[:size], self.data[size:]
        return piece


@pytest.mark.parametrize("raises", [True, False], ids=["reset", "closed"])
def test_what_arrived_before_a_break_stays_and_the_rest_follows(browser, artist, raises):
    data = wav_bytes(seconds=8)  # about 350 kB: several pieces
    upload = Upload.objects.get(
        pk=create(browser, len(data), filename="a.wav")["Location"].split("/")[2]
    )
    arrived = 200_000
    request = RequestFactory().generic("PATCH", f"/uploads/{upload.pk}/", b"", content_type=BODY)
    request.META["CONTENT_LENGTH"] = str(len(data))
    request.META["HTTP_TUS_RESUMABLE"] = "1.0.0"
    request.META["HTTP_UPLOAD_OFFSET"] = "0"
    request.content_type = BODY
    request._stream = Breaking(data[:arrived], raises=raises)
    request.user = artist.user
    request.session = SimpleNamespace()
    answer = tus.upload_resource(request, upload_id=upload.pk)
    assert answer.status_code == 400
    url = reverse("upload_resource", args=[upload.pk])
    assert head(browser, url)["Upload-Offset"] == str(arrived)
    assert patch(browser, url, data[arrived:], arrived).status_code == 204
    assert Revision.objects.get().content_sha256 == hashlib.sha256(data).hexdigest()


def test_bytes_behind_the_known_offset_are_dropped(browser):
    """A killed server may have written more than it wrote down."""
    data = wav_bytes()
    url = create(browser, len(data), filename="a.wav")["Location"]
    patch(browser, url, data[:4000], 0)
    spool = Spool(Upload.objects.get().pk)
    with spool.path.open("ab") as file:
        file.write(b"garbage" * 999)
    assert head(browser, url)["Upload-Offset"] == "4000"
    patch(browser, url, data[4000:], 4000)
    assert Revision.objects.get().content_sha256 == hashlib.sha256(data).hexdigest()


def test_bytes_lost_on_disk_are_asked_for_again(browser):
    data = wav_bytes()
    url = create(browser, len(data), filename="a.wav")["Location"]
    patch(browser, url, data[:4000], 0)
    Spool(Upload.objects.get().pk).path.write_bytes(data[:1500])
    assert head(browser, url)["Upload-Offset"] == "1500"
    assert patch(browser, url, data[1500:], 1500).status_code == 204
    assert Revision.objects.count() == 1


def test_while_one_connection_writes_another_is_told_to_wait(browser):
    url = create(browser, 1000, filename="a.wav")["Location"]
    with Spool(Upload.objects.get().pk).writer():
        assert patch(browser, url, b"x" * 10, 0).status_code == 423
    assert patch(browser, url, b"x" * 10, 0).status_code == 204


def test_a_silent_writer_loses_its_right_and_can_write_no_more(browser, monkeypatch):
    url = create(browser, 1000, filename="a.wav")["Location"]
    upload = Upload.objects.get()
    with Spool(upload.pk).writer() as stale:
        stale.start_at(0)
        stale.write(b"a" * 100)
        monkeypatch.setattr("catalog.spool.LEASE_SECONDS", 0.0)
        assert patch(browser, url, b"b" * 50, 0).status_code == 204
        with pytest.raises(UploadBusy):
            stale.write(b"c" * 100)
        assert stale.sync() is False
    assert Spool(upload.pk).path.read_bytes() == b"b" * 50
    assert head(browser, url)["Upload-Offset"] == "50"


def test_the_lease_of_a_dead_process_is_free_at_once(browser):
    url = create(browser, 1000, filename="a.wav")["Location"]
    spool = Spool(Upload.objects.get().pk)
    script = textwrap.dedent("""
        import os, signal, sys, uuid
        from pathlib import Path
        from django.conf import settings
        settings.configure(UPLOAD_DIR=Path(sys.argv[1]))
        from catalog.spool import Spool
        with Spool(uuid.UUID(sys.argv[2])).writer() as writer:
            writer.start_at(0)
            writer.write(b"lost")
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    killed = subprocess.run(
        [sys.executable, "-c", script, str(spool.path.parent), spool.path.stem], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert spool.path.read_bytes() == b"lost"
    assert patch(browser, url, b"x" * 10, 0).status_code == 204
    assert spool.path.read_bytes() == b"x" * 10


class Slow:
    """A body that arrives while others try to get in."""

    def __init__(self, data: bytes, started: threading.Event, go_on: threading.Event) -> None:
        self.data, self.started, self.go_on = data, started, go_on

    def read(self, size: int = -1) -> bytes:
        piece, self.data = self.data[:size], self.data[size:]
        if not self.data:
            self.started.set()
            self.go_on.wait(10)
        return piece


@pytest.mark.django_db(transaction=True)
def test_two_connections_at_once_one_wins_and_the_bytes_are_whole(make_artist, login):
    artist = make_artist("ann")
    client = login(artist)
    data = bytes(range(256)) * 2000
    url = create(client, len(data) + 1, filename="a.wav")["Location"]
    upload = Upload.objects.get()
    started, go_on = threading.Event(), threading.Event()

    def first() -> None:
        try:
            services.receive(
                Upload.objects.get(pk=upload.pk),
                offset=0,
                source=Slow(data, started, go_on),
                size_bytes=len(data),
            )
        finally:
            connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert started.wait(10)
    assert patch(client, url, b"other bytes", 0).status_code == 423
    go_on.set()
    thread.join(10)
    assert head(client, url)["Upload-Offset"] == str(len(data))
    assert Spool(upload.pk).path.read_bytes() == data


def test_a_refusal_says_why_and_is_kept(browser):
    data = b"this is a text, whatever its name says\n" * 100
    url = create(browser, len(data), filename="song.mp3")["Location"]
    answer = patch(browser, url, data, 0)
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    upload = Upload.objects.get()
    assert upload.state == UploadState.REFUSED
    assert problem["detail"] == upload.reason != ""
    assert problem["code"] == upload.reason_code
    assert head(browser, url).status_code == 410
    page = browser.get(reverse("upload")).content.decode()
    assert "song.mp3" in page


def test_too_large_is_refused_before_a_byte_is_sent(browser, settings):
    settings.UPLOAD_MAX_BYTES = 1_000_000
    answer = create(browser, 1_000_001, filename="huge.wav")
    assert answer.status_code == 413
    assert "at most" in answer.json()["detail"]
    assert Upload.objects.get().state == UploadState.REFUSED
    assert create(browser, 1_000_000, filename="fits.wav").status_code == 201


def test_an_empty_file_is_refused_at_once(browser):
    answer = create(browser, 0, filename="empty.wav")
    assert answer.status_code == 422
    assert answer.json()["code"] == "empty"


def test_the_quota_counts_what_is_there_and_what_is_arriving(make_artist, login):
    data = wav_bytes()
    client = login(make_artist("cleo", quota_bytes=int(len(data) * 2.5)))
    first = create(client, len(data), filename="a.wav")
    assert patch(client, first["Location"], data, 0).status_code == 204
    assert create(client, len(data), filename="b.wav").status_code == 201
    third = create(client, len(data), filename="c.wav")
    assert third.status_code == 413
    assert third.json()["code"] == "over_quota"


def test_the_hourly_limit_answers_429_and_says_when(browser, settings):
    settings.UPLOADS_PER_HOUR = 3
    for n in range(3):
        assert create(browser, 100, filename=f"{n}.wav").status_code == 201
    answer = create(browser, 100, filename="4.wav")
    assert answer.status_code == 429
    assert 3500 < int(answer["Retry-After"]) <= 3601
    Upload.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    assert create(browser, 100, filename="4.wav").status_code == 201


def test_a_piece_larger_than_allowed_is_refused(browser, settings):
    settings.UPLOAD_CHUNK_MAX_BYTES = 100
    url = create(browser, 1000, filename="a.wav")["Location"]
    assert patch(browser, url, b"x" * 101, 0).status_code == 413
    assert patch(browser, url, b"x" * 100, 0).status_code == 204


def test_a_revision_is_added_to_the_track_it_is_for(browser, track):
    data = wav_bytes(hz=700)
    url = create(browser, len(data), filename="mix2.wav", track=str(track.pk))["Location"]
    assert patch(browser, url, data, 0).status_code == 204
    assert [r.number for r in track.revisions.all()] == [2, 1]
    assert track.revisions.first().original_name == "mix2.wav"


def test_a_track_deleted_while_a_version_of_it_arrives(browser, track, monkeypatch):
    data = wav_bytes(hz=660)
    url = create(browser, len(data), filename="v2.wav", track=str(track.pk))["Location"]
    receive = services.receive

    def deleted_meanwhile(*args, **kwargs):
        services.delete_track(track)
        return receive(*args, **kwargs)

    monkeypatch.setattr(services, "receive", deleted_meanwhile)
    assert patch(browser, url, data, 0).status_code == 410


def test_a_track_deleted_with_the_last_byte_of_a_version_of_it(browser, track, monkeypatch):
    data = wav_bytes(hz=660)
    url = create(browser, len(data), filename="v2.wav", track=str(track.pk))["Location"]
    complete = services.complete_upload

    def deleted_meanwhile(upload):
        services.delete_track(track)
        return complete(upload)

    monkeypatch.setattr(services, "complete_upload", deleted_meanwhile)
    assert patch(browser, url, data, 0).status_code == 404


def test_a_version_says_what_changed(browser, track, login, other):
    data = wav_bytes(hz=680)
    note = "Louder\x00 bass,\n<b>softer</b> voice \u202e" + "x" * 400
    url = create(browser, len(data), filename="v2.wav", track=str(track.pk), note=note)["Location"]
    patch(browser, url, data, 0)
    revision = track.revisions.get(number=2)
    assert revision.note == ("Louder bass, <b>softer</b> voice " + "x" * 400)[:300]
    page = browser.get(track.get_absolute_url()).content.decode()
    assert "Louder bass, &lt;b&gt;softer&lt;/b&gt; voice" in page

    edit = reverse("revision_edit", args=[revision.pk])
    assert edit in page
    assert "Louder bass" in browser.get(edit).content.decode()
    assert login(other).post(edit, {"note": "mine now"}).status_code == 404
    assert browser.post(edit, {"note": "y" * 301}).status_code == 422
    revision.refresh_from_db()
    assert revision.note.startswith("Louder bass")
    page = browser.post(edit, {"note": " A new  chorus "}, follow=True).content.decode()
    assert ">A new chorus<" in page
    browser.post(edit, {"note": ""})
    revision.refresh_from_db()
    assert revision.note == ""


def test_the_browser_is_told_to_wait_while_the_storage_is_away(browser, settings):
    settings.MEDIA_ROOT.write_bytes(b"a file where the folder should be")
    data = wav_bytes(hz=670)
    url = create(browser, len(data), filename="a.wav")["Location"]
    answer = patch(browser, url, data, 0)
    assert (answer.status_code, answer["Upload-Offset"]) == (204, str(len(data)))
    assert "your file is kept and will be taken in by itself" in answer["Upload-Wait"]
    assert "Upload-Result" not in answer
    assert "Upload-Wait" in head(browser, url)
    recent = browser.get(reverse("upload_recent")).content.decode()
    assert "Our storage does not answer at the moment" in recent


def test_receiving_renews_the_time_to_live(browser):
    url = create(browser, 1000, filename="a.wav")["Location"]
    soon = timezone.now() + timedelta(minutes=1)
    Upload.objects.update(expires_at=soon)
    time.sleep(0.01)
    patch(browser, url, b"x", 0)
    assert Upload.objects.get().expires_at > soon + timedelta(hours=1)
