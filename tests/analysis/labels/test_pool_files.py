"""Clips' files: what is stored, who may fetch it, and that nothing of it stays."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from django.core.files.storage import default_storage
from django.urls import reverse
from PIL import Image

from analysis.labels.clip_files import (
    delete_clip,
    encode_clip,
    picture_name,
    read_clip,
    write_clip,
)
from analysis.labels.spectrogram_axis import HEIGHT_PX, height_share
from catalog.models import Role
from tests.analysis.labels.conftest import voice
from tests.factories import ArtistFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_clip_is_mono_flac_at_32_khz_of_even_level(make_clip):
    clip = make_clip("anna", sound=voice(3) * 0.01)
    with default_storage.open(clip.file) as file:
        found = soundfile.info(io.BytesIO(file.read()))
    assert (found.format, found.samplerate, found.channels) == ("FLAC", 32_000, 1)
    rms = np.sqrt(np.mean(read_clip(clip).astype(float) ** 2))
    assert 20 * np.log10(rms) == pytest.approx(-20.0, abs=0.1)
    assert clip.facts["gain_db"] > 20.0


def test_name_cannot_be_guessed_but_writing_again_finds_it(make_clip, settings):
    first = write_clip(encode_clip(voice(1)), key="one")
    assert write_clip(encode_clip(voice(1)), key="one") == first
    settings.SECRET_KEY = "another site"
    assert write_clip(encode_clip(voice(1)), key="one").file != first.file


def test_a_tone_lies_where_the_axis_says(make_clip):
    time_s = np.arange(96_000) / 32_000
    for hz in (110.0, 1_000.0, 8_000.0):
        clip = make_clip("anna", sound=0.1 * np.sin(2 * np.pi * hz * time_s))
        with default_storage.open(picture_name(clip)) as file:
            picture = np.asarray(Image.open(io.BytesIO(file.read())).convert("L"))
        assert picture.shape == (HEIGHT_PX, 601)
        brightest = int(picture[:, 300].astype(int).argmax())
        assert 1.0 - (brightest + 0.5) / HEIGHT_PX == pytest.approx(height_share(hz), abs=0.015)


def test_files_go_with_the_clip(make_clip, django_capture_on_commit_callbacks):
    clip = make_clip()
    with django_capture_on_commit_callbacks(execute=True):
        delete_clip(clip)
    assert not default_storage.exists(clip.file)
    assert not default_storage.exists(picture_name(clip))


@pytest.mark.parametrize("name", ["voice_clip_audio", "voice_clip_spectrogram"])
def test_labellers_and_the_voices_own_artist_may_fetch_it(make_clip, client, name):
    artist = ArtistFactory()
    address = reverse(name, args=[make_clip(artist=artist).pk])
    assert client.get(address).status_code == 302
    expected = {
        artist.user: 200,
        UserFactory(role=Role.LABELLER): 200,
        UserFactory(is_staff=True): 200,
        UserFactory(): 404,
        UserFactory(role=Role.PARTNER): 404,
    }
    for user, status in expected.items():
        client.force_login(user)
        assert client.get(address).status_code == status, user.role


def test_players_can_seek(make_clip, client):
    client.force_login(UserFactory(role=Role.LABELLER))
    address = reverse("voice_clip_audio", args=[make_clip().pk])
    part = client.get(address, headers={"Range": "bytes=0-3"})
    assert part.status_code == 206
    assert b"".join(part.streaming_content) == b"fLaC"
    assert client.get(address, headers={"Range": "bytes=99999999-"}).status_code == 416
