"""An artist with tracks whose reports are a real song's."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from catalog.models import Artist, Track
from tests.analysis.mix_targets.songs import bumped
from tests.factories import (
    ArtistFactory,
    ReportFactory,
    RevisionFactory,
    TrackFactory,
)

TRACKS = Path(importlib.util.find_spec("immich_memories_music").origin).parent / "tracks"


@pytest.fixture(scope="package")
def heard():
    """The real report of a real song, made once."""
    from analysis.listening import listen

    return listen(TRACKS / "happy/happy_acoustic_2.opus")


@pytest.fixture
def artist(db) -> Artist:
    return ArtistFactory()


@pytest.fixture
def make_track(heard, artist):
    """Makes tracks with the song's report; ``bump_db`` lifts one third octave of its curve."""

    def make(title: str = "Song", *, bump_db: float = 0.0, owner=None, **fields: object) -> Track:
        track = TrackFactory(artist=owner or artist, title=title, **fields)
        revision = RevisionFactory(track=track)
        ReportFactory(
            content_sha256=revision.content_sha256,
            document=bumped(heard.document, bump_db),
            genre=heard.document["genre"]["label"],
        )
        return track

    return make
