"""Similar tracks: nearest first, only what may be seen, with reasons."""

from __future__ import annotations

import numpy as np
import pytest

from analysis import selectors
from analysis.discovery import indexing
from analysis.discovery.models import EmbeddingSpace
from analysis.models import Embedding
from tests.factories import ArtistFactory, ReportFactory, RevisionFactory, TrackFactory

pytestmark = pytest.mark.django_db


def heard(artist, vector, *, discoverable=False, number=1, track=None, **report):
    """A track with a report and a place in the similarity space."""
    track = track or TrackFactory(artist=artist, discoverable=discoverable)
    revision = RevisionFactory(track=track, number=number)
    made = ReportFactory(content_sha256=revision.content_sha256, **report)
    unit = np.asarray(vector, dtype=float)
    Embedding.objects.create(
        report=made,
        content_sha256=revision.content_sha256,
        model_version=made.model_version,
        vector=(unit / np.linalg.norm(unit)).tolist(),
    )
    return track, made


def at(degrees: float) -> np.ndarray:
    vector = np.zeros(128)
    vector[0], vector[1] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return vector


def test_nearest_first_and_never_itself():
    artist = ArtistFactory()
    mine, report = heard(artist, at(0))
    far, _ = heard(artist, at(80))
    near, _ = heard(artist, at(10))
    found = selectors.similar_tracks(report, asker=artist, exclude=mine)
    assert [hit.track for hit in found] == [near, far]
    assert [hit.percentile for hit in found] == [None, None], "a share of two says nothing"


def test_the_percentile_is_the_share_of_all_pairs_that_are_farther_apart():
    """On a circle of 36 tracks, ten degrees apart, two that are n steps apart are nearer than all
    pairs of more steps: of 35 others of each, 2 n at most are as near."""
    artist = ArtistFactory()
    (mine, report), *_ = [heard(artist, at(10 * step)) for step in range(36)]
    found = selectors.similar_tracks(report, asker=artist, exclude=mine)
    assert {hit.percentile for hit in found} == {None}, "nothing was measured yet"
    indexing.measure(EmbeddingSpace.objects.get())
    found = selectors.similar_tracks(report, asker=artist, exclude=mine, limit=4)
    told = [hit.percentile for hit in found]
    assert told == sorted(told, reverse=True)
    assert told[0] == pytest.approx(100 * (1 - 2 / 35), abs=3)
    assert told[3] == pytest.approx(100 * (1 - 4 / 35), abs=3)


def test_another_artists_track_must_be_discoverable():
    artist, other = ArtistFactory(), ArtistFactory()
    mine, report = heard(artist, at(0))
    heard(other, at(1))
    public, _ = heard(other, at(15), discoverable=True)
    found = selectors.similar_tracks(report, asker=artist, exclude=mine)
    assert [(hit.track, hit.is_own) for hit in found] == [(public, False)]


def test_only_the_current_version_of_a_track_is_found():
    artist = ArtistFactory()
    mine, report = heard(artist, at(0))
    track, _ = heard(artist, at(3))
    heard(artist, at(60), track=track, number=2)
    (hit,) = selectors.similar_tracks(report, asker=artist, exclude=mine)
    assert hit.revision.number == 2


def test_other_model_versions_are_other_spaces():
    artist = ArtistFactory()
    mine, report = heard(artist, at(0))
    heard(artist, at(1), model_version="test-0")
    assert selectors.similar_tracks(report, asker=artist, exclude=mine) == []


def test_a_few_among_many_that_may_not_be_seen_are_all_found():
    artist, other = ArtistFactory(), ArtistFactory()
    mine, report = heard(artist, at(0))
    generator = np.random.default_rng(0)
    for _ in range(40):
        heard(other, at(0) + generator.normal(0, 0.01, 128))
    own = {heard(artist, at(0) + generator.normal(0, 0.3, 128))[0] for _ in range(8)}
    found = selectors.similar_tracks(report, asker=artist, exclude=mine)
    assert {hit.track for hit in found} == own
