"""One space for each model version: built beside the other, then switched over at once."""

from __future__ import annotations

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from analysis import background
from analysis.discovery import indexing, percentiles, spaces
from analysis.discovery.models import EmbeddingSpace, IndexRun
from analysis.discovery.request import Asker, SearchRequest, Seed
from analysis.discovery.search import search, search_page
from analysis.models import JobState
from tests.analysis.discovery.catalogue import VERSION, at, embed, found, heard, measure
from tests.factories import ArtistFactory, JobFactory

NEW = "test-2"
pytestmark = pytest.mark.django_db


def run(work):
    """Do a piece of background work as a worker does."""
    work.refresh_from_db()
    background.run(IndexRun._meta.label, work.pk, work.ticket)
    work.refresh_from_db()
    assert work.state == "done", work.detail


@pytest.fixture
def heard_twice():
    """Three tracks: by the old version the second is nearest to the first, by the new one the
    third is."""
    artist = ArtistFactory()
    tracks = [heard(artist, at(degrees)) for degrees in (0, 10, 80)]
    for track, degrees in zip(tracks, (0, 80, 10), strict=True):
        embed(track.revisions.get().content_sha256, at(degrees), model_version=NEW)
    return artist, tracks


def test_the_first_version_serves_and_the_next_waits(heard_twice):
    artist, (first, second, third) = heard_twice
    page = search_page(SearchRequest(Asker.of_artist(artist), [Seed.track(first.pk)]))
    assert page.model_version == VERSION
    assert [hit.track for hit in page.hits] == [second, third]


def test_the_switch_is_one_step_and_can_be_taken_back(heard_twice):
    artist, (first, second, third) = heard_twice
    new, old = EmbeddingSpace.objects.get(model_version=NEW), spaces.serving_space()
    spaces.switch_to(new)
    assert found(artist, first) == [third, second]
    spaces.switch_to(old)
    assert found(artist, first) == [second, third]
    assert EmbeddingSpace.objects.filter(is_serving=True).count() == 1


def test_what_only_the_new_version_has_heard_is_searched_in_its_space(heard_twice):
    artist, tracks = heard_twice
    only_new = heard(artist)
    sha256 = only_new.revisions.get().content_sha256
    from analysis.models import Report

    Report.objects.filter(content_sha256=sha256).delete()
    embed(sha256, at(22), model_version=NEW)
    assert found(artist, only_new) == [tracks[2], tracks[0], tracks[1]]
    assert only_new not in found(artist, tracks[0])


def test_distances_are_never_measured_between_versions(db):
    artist = ArtistFactory()
    one = heard(artist, at(0))
    other = heard(artist, at(1))
    from analysis.models import Embedding, Report

    Report.objects.filter(content_sha256=other.revisions.get().content_sha256).delete()
    embed(other.revisions.get().content_sha256, at(1), model_version=NEW)
    assert Embedding.objects.count() == 2
    assert found(artist, one) == []


@pytest.mark.django_db(transaction=True)
def test_housekeeping_lets_the_new_version_take_over_when_it_is_complete(heard_twice, monkeypatch):
    artist, (first, second, third) = heard_twice
    monkeypatch.setattr(spaces, "listen_version", lambda: NEW)
    job = JobFactory(revision=first.revisions.get(), model_version=NEW, state=JobState.QUEUED)
    spaces.look_after()
    assert not IndexRun.objects.filter(then_serve=True).exists(), "something is to be heard yet"
    job.delete()
    spaces.look_after()
    spaces.look_after()
    waiting = IndexRun.objects.get(then_serve=True)
    before = IndexRun.objects.get(then_serve=False)
    run(before)
    assert found(artist, first) == [second, third], "until it is built the old one is searched"
    background.dispatch(IndexRun)
    run(waiting)
    assert found(artist, first) == [third, second]
    new = spaces.serving_space()
    assert new.model_version == NEW
    assert new.index_facts["rows"] == 3
    assert indexing.is_built(new)


def test_references_do_not_make_it_measure_again_and_again(db):
    artist = ArtistFactory()
    heard(artist, at(0))
    for degrees in (10, 20, 30):
        heard(artist, at(degrees), is_reference=True)
    space = measure()
    indexing.build(space)
    spaces.look_after()
    assert not IndexRun.objects.exists()
    heard(artist, at(40))
    spaces.look_after()
    assert IndexRun.objects.filter(space=space).count() == 1


def test_a_version_with_few_of_the_tracks_does_not_take_over(db, monkeypatch):
    monkeypatch.setattr(spaces, "listen_version", lambda: NEW)
    artist = ArtistFactory()
    tracks = [heard(artist, at(n)) for n in range(4)]
    embed(tracks[0].revisions.get().content_sha256, at(0), model_version=NEW)
    spaces.look_after()
    assert not IndexRun.objects.filter(then_serve=True).exists()


def test_the_command_writes_builds_and_switches(heard_twice, capsys):
    artist, (first, second, third) = heard_twice
    call_command("reindex_search", "--switch-to", NEW)
    assert "searched: test-2" in capsys.readouterr().out
    assert found(artist, first) == [third, second]
    assert all(indexing.is_built(space) for space in EmbeddingSpace.objects.all())
    with pytest.raises(CommandError, match="test-9"):
        call_command("reindex_search", "--switch-to", "test-9")


class TestPercentiles:
    def test_they_are_shares_of_all_pairs_as_counting_gives_them(self):
        generator = np.random.default_rng(0)
        vectors = generator.normal(size=(60, 128)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        table = percentiles.quantiles(vectors, range(60))
        pairs = [1 - vectors[i] @ vectors[j] for i in range(60) for j in range(i)]
        for distance in (0.7, 0.9, 1.0, 1.1):
            share = 100 * np.mean(np.array(pairs) > distance)
            assert percentiles.percentile(distance, table) == pytest.approx(share, abs=0.6)

    def test_what_is_farther_never_gets_more_and_nothing_gets_all(self):
        table = [float(x) for x in np.linspace(0.1, 1.2, len(percentiles.SHARES))]
        told = [percentiles.percentile(d, table) for d in np.linspace(0, 2, 50)]
        assert told == sorted(told, reverse=True)
        assert (told[0], told[-1]) == (99.9, 0.0)

    def test_pairs_of_one_owner_do_not_count_and_of_few_nothing_is_said(self):
        vectors = np.eye(128, dtype=np.float32)[:30]
        assert percentiles.quantiles(vectors, [0] * 30) == []
        assert percentiles.quantiles(vectors[:19], range(19)) == []
        assert percentiles.percentile(0.1, []) is None

    def test_all_askers_are_told_the_same_of_hidden_tracks_too(self, db):
        artist, other = ArtistFactory(), ArtistFactory()
        start = heard(artist, at(0), discoverable=True)
        near = heard(artist, at(30), discoverable=True)
        for degrees in range(40, 180, 6):
            heard(other, at(degrees))
        measure()
        told = {
            asker: [
                hit.percentile
                for hit in search(SearchRequest(Asker.of_artist(asker), [Seed.track(start.pk)]))
                if hit.track == near
            ]
            for asker in (artist, other, None)
        }
        assert told[artist] == told[other] == told[None]
        assert 60 < told[None][0] < 100
