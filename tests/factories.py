"""Rows for tests that are not about how the rows came to be."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from analysis.models import Job, Report, Stage
from catalog.models import Album, Artist, Revision, Track, User


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User

    email = factory.Sequence("artist{}@example.com".format)
    password = factory.django.Password("a-long-enough-passphrase")


class ArtistFactory(DjangoModelFactory):
    class Meta:
        model = Artist

    user = factory.SubFactory(UserFactory)
    name = factory.Faker("name")


class AlbumFactory(DjangoModelFactory):
    class Meta:
        model = Album

    artist = factory.SubFactory(ArtistFactory)
    title = factory.Faker("sentence", nb_words=3)


class TrackFactory(DjangoModelFactory):
    class Meta:
        model = Track

    artist = factory.SubFactory(ArtistFactory)
    title = factory.Faker("sentence", nb_words=3)


class RevisionFactory(DjangoModelFactory):
    class Meta:
        model = Revision

    track = factory.SubFactory(TrackFactory)
    artist = factory.SelfAttribute("track.artist")
    number = 1
    file = factory.django.FileField(filename="song", data=b"")
    original_name = "song.wav"
    content_sha256 = factory.Sequence("{:064x}".format)
    size_bytes = 1_000
    duration_s = 30.0
    sample_rate = 44_100
    channels = 2
    codec = "pcm_s16le"
    container = "wav"
    lossless = True


class JobFactory(DjangoModelFactory):
    class Meta:
        model = Job

    revision = factory.SubFactory(RevisionFactory)
    artist = factory.SelfAttribute("revision.artist")
    stage = Stage.LISTEN
    model_version = "test-1"


def document(**changes: object) -> dict[str, object]:
    """The parts of a report's document that reasons and columns are made of."""
    return {
        "tempo": {"bpm": 120.0},
        "key": {"tonic": "A", "mode": "minor"},
        "genre": {"label": "jazz", "confidence": 0.7, "decided": True},
        "features": {"energy": 0.5, "danceability": 0.5, "acousticness": 0.5, "valence": 0.5},
        "loudness": {"integrated_lufs": -14.0},
        "mix": {"genre": "jazz", "bands": [], "findings": []},
        **changes,
    }


class ReportFactory(DjangoModelFactory):
    class Meta:
        model = Report

    content_sha256 = factory.Sequence("{:064x}".format)
    stage = Stage.LISTEN
    model_version = "test-1"
    document = factory.LazyFunction(document)
    genre = "jazz"
