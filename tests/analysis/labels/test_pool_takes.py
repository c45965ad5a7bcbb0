"""Dry takes: hostile until proven otherwise, cut without accompaniment, deletable with clips."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from analysis.labels import takes
from analysis.labels.models import ClipState, PoolRun, VocalTake, VoiceClip
from analysis.labels.pool import collect
from catalog import services
from tests.analysis.labels.conftest import voice
from tests.analysis.labels.pool_songs import Quiet, claimed
from tests.factories import ArtistFactory, UserFactory

pytestmark = pytest.mark.django_db


def wav(seed: int, seconds: float = 4.0, *, rate: int = 44_100) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, voice(seed, seconds, rate=rate), rate, format="WAV")
    return buffer.getvalue()


def upload(content: bytes, name: str = "take.wav") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="audio/wav")


@pytest.fixture
def artist(client):
    artist = ArtistFactory()
    client.force_login(artist.user)
    return artist


OWN = {"own_voice": "on"}


def test_artists_take_becomes_clips_of_hers(artist, client):
    page = client.post(
        reverse("training_clips"), {"file": upload(wav(1)), **OWN}, follow=True
    ).content.decode()
    assert "take.wav is here" in page
    assert "not cut yet" in page
    take = VocalTake.objects.get()
    assert (take.artist, take.singer) == (artist, f"artist-{artist.pk}")
    assert take.duration_s == pytest.approx(4.0)
    run = PoolRun.objects.get()
    assert run.scope == {"walk": False}
    assert collect(claimed(run), Quiet())
    clip = VoiceClip.objects.get()
    assert (clip.take, clip.artist, clip.state) == (take, artist, ClipState.POOL)
    assert clip.facts["over_accompaniment_db"] is None
    page = client.get(reverse("training_clips")).content.decode()
    assert "1 clip of your voice is in the pool" in page
    assert reverse("voice_clip_audio", args=[clip.pk]) in page


def test_take_and_clips_go_together(artist, client, django_capture_on_commit_callbacks):
    client.post(reverse("training_clips"), {"file": upload(wav(1)), **OWN})
    collect(claimed(PoolRun.objects.get()), Quiet())
    take, clip = VocalTake.objects.get(), VoiceClip.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("own_take_delete", args=[take.pk]))
    assert not VoiceClip.objects.exists()
    assert not VocalTake.objects.exists()
    assert not default_storage.exists(take.file)
    assert not default_storage.exists(clip.file)


def test_taking_everything_back_takes_the_takes_too(artist, client):
    client.post(reverse("training_clips"), {"file": upload(wav(1)), **OWN})
    services.set_artist_consent(artist, allow=True, by=artist.user)
    services.set_artist_consent(artist, allow=False, by=artist.user)
    assert not VocalTake.objects.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"RIFF" + b"\0" * 2_000, ""),
        (b"<html>" * 400, ""),
        (wav(1, 1.5), "3 seconds"),
        (wav(1)[:400], ""),
    ],
)
def test_what_is_no_take_is_refused_in_words(artist, client, content, says):
    answer = client.post(
        reverse("training_clips"), {"file": upload(content, "../../evil\0.wav"), **OWN}
    )
    assert answer.status_code == 422
    assert "field__error" in answer.content.decode()
    assert says in answer.content.decode()
    assert not VocalTake.objects.exists()
    assert not default_storage.exists("takes")


def test_consent_must_be_ticked(artist, client):
    assert client.post(reverse("training_clips"), {"file": upload(wav(1))}).status_code == 422
    assert not VocalTake.objects.exists()


def test_same_recording_is_taken_once(artist, client):
    for status in (302, 422):
        answer = client.post(reverse("training_clips"), {"file": upload(wav(1)), **OWN})
        assert answer.status_code == status
    assert "here already" in answer.content.decode()


def test_room_is_the_artists_own(artist, client, monkeypatch):
    artist.user.quota_bytes = 500_000
    artist.user.save()
    assert (
        client.post(reverse("training_clips"), {"file": upload(wav(1)), **OWN}).status_code == 302
    )
    answer = client.post(reverse("training_clips"), {"file": upload(wav(2)), **OWN})
    assert answer.status_code == 422
    assert "no room" in answer.content.decode()
    artist.user.quota_bytes = None
    artist.user.save()
    monkeypatch.setattr(takes, "MOST_OF_ARTIST", 1)
    answer = client.post(reverse("training_clips"), {"file": upload(wav(2)), **OWN})
    assert answer.status_code == 422
    assert VocalTake.objects.count() == 1


def test_a_long_recording_is_refused(artist, client, monkeypatch):
    monkeypatch.setattr(takes, "LONGEST_S", 3.5)
    answer = client.post(reverse("training_clips"), {"file": upload(wav(1)), **OWN})
    assert answer.status_code == 422
    assert "Cut it" in answer.content.decode()


def test_staff_say_who_sings_and_where_it_is_written(client):
    client.force_login(UserFactory(is_staff=True))
    address = reverse("vocal_takes")
    sent = {"singer": "Anna Karlsson", "source": "Folder 3, 12 May"}
    for missing in ("singer", "source"):
        bad = {**sent, missing: " \0 ", "file": upload(wav(1))}
        assert client.post(address, bad).status_code == 422
    claim = {**sent, "singer": "Artist-12", "file": upload(wav(1))}
    assert client.post(address, claim).status_code == 422
    assert client.post(address, {**sent, "file": upload(wav(1))}).status_code == 302
    client.post(address, {**sent, "singer": "ANNA karlsson", "file": upload(wav(2))})
    assert set(VocalTake.objects.values_list("singer", flat=True)) == {"Anna Karlsson"}
    page = client.get(address).content.decode()
    assert "Folder 3, 12 May" in page
    take = VocalTake.objects.first()
    client.post(reverse("vocal_take_delete", args=[take.pk]))
    assert VocalTake.objects.count() == 1


def test_others_takes_are_out_of_reach(artist, client):
    client.post(reverse("training_clips"), {"file": upload(wav(1)), **OWN})
    take = VocalTake.objects.get()
    client.force_login(ArtistFactory().user)
    assert client.post(reverse("own_take_delete", args=[take.pk])).status_code == 404
    assert client.get(reverse("vocal_takes")).status_code == 403
    assert client.post(reverse("vocal_take_delete", args=[take.pk])).status_code == 403
    client.force_login(UserFactory(is_staff=True))
    # An artist's own take is not staff's to delete by this way.
    assert client.post(reverse("vocal_take_delete", args=[take.pk])).status_code == 404
    assert VocalTake.objects.count() == 1


def test_noise_gives_no_clips_and_says_so(artist, client):
    noise = io.BytesIO()
    sound = 0.1 * np.random.default_rng(0).standard_normal(4 * 44_100)
    soundfile.write(noise, sound.astype(np.float32), 44_100, format="WAV")
    client.post(reverse("training_clips"), {"file": upload(noise.getvalue()), **OWN})
    assert collect(claimed(PoolRun.objects.get()), Quiet())
    assert "No singing was found" in client.get(reverse("training_clips")).content.decode()
