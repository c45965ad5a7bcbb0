"""Sending files: as a form, as they are, and in pieces; and sending them again."""

from __future__ import annotations

import base64
import io
import wave
from datetime import timedelta

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from analysis.models import Job
from catalog import services
from catalog.models import Revision, Upload, UploadState
from tests.analysis.api.conftest import V1

pytestmark = pytest.mark.django_db


def wav(seed: int = 1) -> bytes:
    """A second of quiet noise, mono, 8,000 Hz."""
    noise = np.random.default_rng(seed).normal(0, 500, 8_000).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8_000)
        sound.writeframes(noise.tobytes())
    return file.getvalue()


def put(client, data: bytes, query: str = "", name: str = "song.wav"):
    path = f"{V1}uploads/files/{name}{query}"
    length = str(len(data))
    return client.generic("PUT", path, data, "application/octet-stream", CONTENT_LENGTH=length)


def form(client, data: bytes, key: str = "", **fields: str):
    headers = {"Idempotency-Key": key} if key else {}
    body = {"file": SimpleUploadedFile("song.wav", data), **fields}
    return client.post(f"{V1}uploads/", body, headers=headers, format="multipart")


def test_a_file_as_it_is(world, django_capture_on_commit_callbacks):
    partner = world.clients["partner"]
    with django_capture_on_commit_callbacks(execute=True):
        answer = put(partner, wav(), f"?album={world.album.pk}&note=First", "04%20Quay.wav")
    body = answer.json()
    assert (answer.status_code, body["state"], body["artist"]) == (201, "accepted", world.artist.pk)
    revision = Revision.objects.get(pk=body["revision"])
    assert (revision.track.title, revision.note, revision.sample_rate) == ("Quay", "First", 8_000)
    assert revision.track.album == world.album
    job = Job.objects.get(revision=revision)
    read = partner.get(answer["Location"]).json()
    assert read["job"] == str(job.pk)
    assert partner.get(f"{V1}jobs/{job.pk}/").json()["state"] == "queued"
    sound = partner.get(f"{V1}revisions/{revision.pk}/audio/", headers={"Range": "bytes=0-3"})
    assert (sound.status_code, b"".join(sound)) == (206, b"RIFF")


def test_the_same_content_ends_at_the_same_revision_by_whatever_way(world):
    owner = world.clients["owner"]
    first = put(owner, wav())
    assert first.status_code == 201
    again = put(owner, wav())
    by_form = form(owner, wav())
    for answer in (again, by_form):
        assert (answer.status_code, answer.json()["state"]) == (200, "duplicate")
        assert answer.json()["revision"] == first.json()["revision"]
    tus = send_in_pieces(owner, wav())
    assert tus["Upload-Result"].endswith(f"/revisions/{first.json()['revision']}/")
    assert Revision.objects.filter(artist=world.artist).count() == 2
    assert owner.get(f"{V1}uploads/?state=duplicate").json()["results"].__len__() == 3
    assert put(world.clients["other artist"], wav()).status_code == 201


def send_in_pieces(client, data: bytes):
    named = base64.b64encode(b"song.wav").decode()
    opened = client.generic(
        "POST", f"{V1}uploads/tus/", b"", "application/octet-stream",
        headers={
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(len(data)),
            "Upload-Metadata": f"filename {named}",
        },
    )  # fmt: skip
    assert opened.status_code == 201, opened.content
    place, offset = opened["Location"], 0
    assert place.startswith(f"{V1}uploads/tus/")
    while offset < len(data):
        answer = client.generic(
            "PATCH", place, data[offset : offset + 7_000], "application/offset+octet-stream",
            headers={"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset)},
        )  # fmt: skip
        assert answer.status_code == 204, answer.content
        head = client.head(place, headers={"Tus-Resumable": "1.0.0"})
        offset = int(head["Upload-Offset"])
    return answer


def test_in_pieces_under_the_same_token(world):
    answer = send_in_pieces(world.clients["owner"], wav())
    revision = Revision.objects.get(pk=answer["Upload-Result"].split("/")[-2])
    assert revision.duration_s == pytest.approx(1.0)
    wrong = world.clients["owner"].generic(
        "POST", f"{V1}uploads/tus/", b"", "application/octet-stream",
        headers={"Tus-Resumable": "1.0.0", "Upload-Length": "many"},
    )  # fmt: skip
    assert (wrong.status_code, wrong["Content-Type"]) == (400, "application/problem+json")
    assert wrong.json()["request_id"] == wrong["X-Request-ID"]


def test_what_is_refused_when_somebody_asks_for_it_is_over_at_once(world, tmp_path):
    """Its process died before the check: the question ends it, and no answer calls it a success."""
    path = tmp_path / "x"
    path.write_bytes(b"RIFF this is no sound")
    upload = services.adopt_file(artist=world.track.artist, path=path, filename="x.wav")
    Upload.objects.filter(pk=upload.pk).update(updated_at=timezone.now() - timedelta(seconds=6))
    browser = Client()
    browser.force_login(world.track.artist.user)
    for client, address in (
        (browser, reverse("upload_resource", args=[upload.pk])),
        (world.clients["owner"], reverse("api:tus_upload", args=[upload.pk])),
    ):
        assert client.head(address, headers={"Tus-Resumable": "1.0.0"}).status_code == 410
    upload.refresh_from_db()
    assert upload.state == UploadState.REFUSED


def test_a_new_version_of_a_track(world):
    answer = form(world.clients["owner"], wav(), track=str(world.track.pk), note="Louder")
    assert answer.status_code == 201, answer.content
    revision = Revision.objects.get(pk=answer.json()["revision"])
    assert (revision.track, revision.number, revision.note) == (world.track, 2, "Louder")


def test_a_form_under_a_key_is_taken_once(world):
    owner = world.clients["owner"]
    first = form(owner, wav(), "k1")
    again = form(owner, wav(), "k1")
    other = form(owner, wav(2), "k1")
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.content == first.content
    assert Upload.objects.filter(revision__isnull=False).count() == 1


def test_refusals_say_what_is_wrong(world, settings):
    owner = world.clients["owner"]
    broken = put(owner, b"RIFF this is no sound")
    assert (broken.status_code, broken.json()["code"]) == (422, "refused")
    assert broken.json()["reason"]
    empty = put(owner, b"")
    assert (empty.status_code, empty.json()["reason"]) == (422, "empty")
    settings.UPLOAD_MAX_BYTES = 1_000
    for answer in (put(owner, wav()), form(owner, wav())):
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    settings.UPLOAD_MAX_BYTES = 10**6
    settings.QUOTA_BYTES = 2_000
    full = put(owner, wav())
    assert (full.status_code, full.json()["reason"]) == (413, "over_quota")
    settings.UPLOADS_PER_HOUR = 1
    limited = put(owner, wav())
    assert limited.status_code == 429
    assert int(limited["Retry-After"]) > 0


def test_malformed_forms(world):
    owner = world.clients["owner"]
    for body, kind in (
        (b"--x\r\nno form", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data"),
        (b"{}", "application/json"),
    ):
        answer = owner.generic("POST", f"{V1}uploads/", body, kind)
        assert answer.status_code in {400, 415}, answer.content
        assert answer["Content-Type"] == "application/problem+json"
    assert form(owner, wav(), colour="red").status_code == 400
    assert form(owner, wav(), artist="x").status_code == 400
    assert form(owner, wav(), track="x").status_code == 400


def test_what_does_not_belong_together(world):
    query = f"?track={world.track.pk}&artist={world.other.pk}"
    assert put(world.clients["staff"], wav(), query).json()["code"] == "conflict"
