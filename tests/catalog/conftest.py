"""People, files and tracks for tests of the catalogue."""

from __future__ import annotations

import functools
import io
import math
import struct
import wave
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from catalog import services
from catalog.models import Artist, Revision, Track, Upload, User


@functools.cache
def wav_bytes(*, seconds: float = 1.5, hz: float = 440.0, rate: int = 22_050) -> bytes:
    """A sine as a 16-bit mono WAV file; every frequency gives another content."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        count = round(seconds * rate)
        samples = (round(12_000 * math.sin(2 * math.pi * hz * i / rate)) for i in range(count))
        file.writeframes(struct.pack(f"<{count}h", *samples))
    return out.getvalue()


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    """Hashing a password is slow on purpose; here nobody attacks it."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def make_artist(db: None) -> Callable[..., Artist]:
    """Makes accounts with an artist page: ``make_artist("ann")`` is ann@example.com."""

    def make(name: str = "ann", **fields: object) -> Artist:
        user = services.create_account(
            email=f"{name}@example.com", password="a-long-enough-passphrase", artist_name=name
        )
        if fields:
            User.objects.filter(pk=user.pk).update(**fields)
            user.refresh_from_db()
        return user.artist

    return make


@pytest.fixture
def artist(make_artist: Callable[..., Artist]) -> Artist:
    return make_artist("ann")


@pytest.fixture
def other(make_artist: Callable[..., Artist]) -> Artist:
    return make_artist("ben")


@pytest.fixture
def login() -> Callable[[Artist | User], Client]:
    """A browser in which somebody is logged in."""

    def log_in(who: Artist | User, **options: object) -> Client:
        client = Client(**options)
        client.force_login(
            who.user if isinstance(who, Artist) else who,
            backend="django.contrib.auth.backends.ModelBackend",
        )
        return client

    return log_in


@pytest.fixture
def browser(artist: Artist, login: Callable[..., Client]) -> Client:
    """The browser of ``artist``."""
    return login(artist)


@pytest.fixture
def take(tmp_path: Path) -> Callable[..., Upload]:
    """Takes bytes in through the same services as an upload."""

    def take_bytes(
        artist: Artist, data: bytes, filename: str = "song.wav", **options: object
    ) -> Upload:
        path = tmp_path / "incoming"
        path.write_bytes(data)
        upload = services.adopt_file(artist=artist, path=path, filename=filename, **options)
        return services.complete_upload(upload)

    return take_bytes


@pytest.fixture
def make_revision(take: Callable[..., Upload]) -> Callable[..., Revision]:
    """An accepted file: ``make_revision(artist, hz=440, filename="a.wav")``."""

    def make(
        artist: Artist, *, hz: float = 440.0, filename: str = "song.wav", **options: object
    ) -> Revision:
        upload = take(artist, wav_bytes(hz=hz), filename, **options)
        assert upload.revision is not None, upload.reason
        return upload.revision

    return make


@pytest.fixture
def track(artist: Artist, make_revision: Callable[..., Revision]) -> Track:
    """A track of ``artist`` with one revision."""
    return make_revision(artist).track
