"""The map of the catalogue: how it is drawn, that it stays as it was, and who sees what of it."""

from __future__ import annotations

import uuid
from datetime import timedelta

import numpy as np
import pytest
from django.urls import reverse
from django.utils import timezone

from analysis import background
from analysis.discovery import map_runs, map_selectors, map_views, projecting, spaces
from analysis.discovery.map_models import MapPlace, MapRun
from analysis.discovery.models import EmbeddingSpace, SearchEntry
from analysis.discovery.request import Asker
from catalog.models import Track
from sonicsite.limits import TokenBuckets
from tests.analysis.discovery.catalogue import embed, heard
from tests.factories import ArtistFactory, RevisionFactory


def clusters(count: int, each: int, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around ``count`` directions by lot, and whose each one is."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(count, 128))
    owners = np.tile(np.arange(count), each)
    vectors = middles[owners] + 0.5 * rng.normal(size=(count * each, 128))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), owners


def nearest_is_of_the_same(places: np.ndarray, owners: np.ndarray) -> float:
    far = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    np.fill_diagonal(far, np.inf)
    return float((owners[far.argmin(axis=1)] == owners).mean())


class TestProjecting:
    def test_what_is_alike_lies_together_and_the_same_input_gives_the_same_map(self):
        vectors, owners = clusters(6, 20)
        places = projecting.learn(vectors)
        assert nearest_is_of_the_same(places, owners) > 0.95
        kept, by_lot = projecting.kept_neighbours(vectors, places)
        assert kept > 0.5 > 4 * by_lot
        assert by_lot == pytest.approx(10 / 119)
        assert np.median(np.hypot(*places.T)) == pytest.approx(1.0)
        assert np.array_equal(projecting.learn(vectors), places)

    def test_drawn_again_with_new_tracks_it_stays_where_it_was(self):
        vectors, owners = clusters(6, 25)
        old = projecting.learn(vectors[:120])
        start = np.concatenate([old, projecting.placed(vectors[120:], vectors[:120], old)])
        again = projecting.learn(vectors, start)
        assert projecting.moved_by(again[:120], old) < 0.2
        # A map that knows nothing of the old one lies elsewhere, however it is turned.
        fresh = projecting.turned_onto(projecting.learn(vectors, seed=5)[:120], old)
        assert projecting.moved_by(fresh, old) > 2 * projecting.moved_by(again[:120], old)
        assert nearest_is_of_the_same(again, owners) > 0.95

    def test_new_tracks_are_placed_among_their_like(self):
        vectors, owners = clusters(5, 20)
        places = projecting.learn(vectors[:80])
        found = projecting.placed(vectors[80:], vectors[:80], places)
        both = np.concatenate([places, found])
        assert nearest_is_of_the_same(both, owners) > 0.9

    def test_a_turned_mirrored_scaled_map_is_laid_back(self):
        old = np.random.default_rng(0).normal(size=(30, 2))
        turn = np.array([[0.0, 2.5], [2.5, 0.0]])  # A quarter turn, mirrored, and larger.
        assert projecting.turned_onto(old @ turn + [3.0, -1.0], old) == pytest.approx(old)

    def test_kept_neighbours_of_a_map_that_loses_nothing_and_of_none(self):
        rng = np.random.default_rng(0)
        angles = rng.uniform(0, 0.5, size=300)
        vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
        kept, _ = projecting.kept_neighbours(vectors, np.stack([angles, 0 * angles], axis=1))
        assert kept > 0.99
        kept, by_lot = projecting.kept_neighbours(vectors, rng.normal(size=(300, 2)))
        assert abs(kept - by_lot) < 0.02


class Beatless:
    """A heart on the test's own connection: a real one would beat on another, which does not see
    the rows of a transaction that is never over."""

    def progress(self, fraction: float, message: str) -> None:
        assert 0 <= fraction <= 1
        assert message

    def check(self) -> None:
        pass


def draw() -> MapRun:
    """Bring the map up to date as a worker does."""
    # What has been heard since may have asked for it already.
    waiting = MapRun.objects.filter(state="queued").first()
    run = waiting or map_runs.request_map(EmbeddingSpace.objects.get(is_serving=True))
    assert run is not None
    MapRun.objects.filter(pk=run.pk).update(ticket=uuid.uuid4())
    run.refresh_from_db()
    claimed = background.claim(MapRun, run.pk, run.ticket)
    try:
        map_runs.run_map(claimed, Beatless())
    except background.Refused as error:
        background.fail(claimed, code=error.code, reason=error.message, final=True)
    run.refresh_from_db()
    return run


def places() -> dict[uuid.UUID, tuple[float, float]]:
    return {one.track_id: (one.x, one.y) for one in MapPlace.objects.all()}


@pytest.fixture
def world(db):
    """An asker with eight tracks, another artist with eight that others may find and eight that
    are hidden."""
    vectors, _ = clusters(3, 8)
    asker, other = ArtistFactory(name="Asker"), ArtistFactory(name="Other")
    for index, vector in enumerate(vectors):
        whose = (asker, other, other)[index % 3]
        heard(whose, vector, title=f"Song {index}", discoverable=index % 3 == 1)
    MapRun.objects.all().delete()
    return {"asker": asker, "other": other}


def test_drawn_then_added_to_then_drawn_again(world):
    first = draw()
    assert (first.state, first.is_redrawn, first.tracks, first.moved) == ("done", True, 24, None)
    assert first.kept_share > first.chance_share
    drawn = places()
    assert len(drawn) == SearchEntry.objects.count() == 24

    vectors, _ = clusters(3, 8, seed=1)
    heard(world["asker"], vectors[0], title="One more")
    second = draw()
    assert (second.is_redrawn, second.tracks) == (False, 25)
    assert {key: place for key, place in places().items() if key in drawn} == drawn

    # A new version of a song that is quite another one is placed elsewhere.
    song = Track.objects.get(title="Song 1")
    revision = RevisionFactory(track=song, number=2)
    embed(revision.content_sha256, vectors[2])
    assert not draw().is_redrawn
    moved = [key for key, place in places().items() if drawn.get(key, place) != place]
    assert moved == [song.pk]

    for vector in vectors[3:9]:
        heard(world["other"], vector)
    third = draw()
    assert (third.is_redrawn, third.tracks) == (True, 31)
    assert third.moved is not None
    assert MapPlace.objects.filter(is_learned=True).count() == 31


def test_is_asked_for_only_when_something_is_new(world):
    draw()
    MapRun.objects.all().delete()
    map_runs.look_after()
    assert not MapRun.objects.exists()
    heard(world["asker"])
    assert MapRun.objects.count() == 1, "a small catalogue does not wait for the housekeeping"
    map_runs.look_after()
    assert MapRun.objects.count() == 1, "one at a time"


def test_runs_of_long_ago_that_only_placed_tracks_are_forgotten(world):
    drawn, placed = draw(), MapRun(space=EmbeddingSpace.objects.get(), state="done")
    placed.save()
    MapRun.objects.update(finished_at=timezone.now() - timedelta(days=31))
    map_runs.look_after()
    assert list(MapRun.objects.all()) == [drawn]


def test_too_few_tracks_are_refused_in_words(db):
    heard()
    run = draw()
    assert (run.state, run.reason_code) == ("failed", "too_few_tracks")
    assert "20 tracks" in run.reason
    map_runs.look_after()
    assert MapRun.objects.count() == 1


def test_a_new_version_of_the_model_leaves_people_their_map(world):
    draw()
    old = places()
    for entry in SearchEntry.objects.select_related("revision"):
        embed(entry.revision.content_sha256, entry.vector, model_version="test-2")
    space = EmbeddingSpace.objects.get(model_version="test-2")
    spaces.switch_to(space)
    run = draw()
    assert (run.space_id, run.is_redrawn, run.tracks) == (space.pk, True, 24)
    assert run.moved < 0.2
    assert old.keys() == places().keys()
    assert set(MapPlace.objects.values_list("space_id", flat=True)) == {space.pk}


def points(client, **query):
    return client.get(reverse("catalogue_map_points"), query)


def test_only_what_one_may_find_is_seen(client, world, django_assert_num_queries):
    draw()
    space = EmbeddingSpace.objects.get(is_serving=True)
    hidden = Track.objects.filter(artist=world["other"], discoverable=False)
    others = Track.objects.filter(discoverable=True)
    own = Track.objects.filter(artist=world["asker"])
    client.force_login(world["asker"].user)
    found = points(client).json()
    assert {one["id"] for one in found["points"]} == {str(one.pk) for one in (*own, *others)}
    assert {one["id"] for one in found["points"] if one["is_own"]} == {str(o.pk) for o in own}
    assert found["is_all"]
    body = points(client, box="-1000,-1000,1000,1000").content.decode()
    assert not any(str(one.pk) in body for one in hidden)
    with django_assert_num_queries(1):
        map_selectors.points_in(space, Asker.of_artist(world["asker"]), None)
    secret = hidden[0]
    assert client.get(reverse("catalogue_map_song", args=[secret.pk])).status_code == 404
    page = client.get(reverse("catalogue_map"), {"track": secret.pk})
    assert page.status_code == 200
    assert "not on the map yet" in page.content.decode()
    assert "map-start" not in page.content.decode()
    card = client.get(reverse("catalogue_map_song", args=[others[0].pk])).content.decode()
    assert others[0].title in card
    # Hidden again: gone with the same transaction.
    Track.objects.filter(pk=others[0].pk).update(discoverable=False)
    assert client.get(reverse("catalogue_map_song", args=[others[0].pk])).status_code == 404
    assert len(points(client).json()["points"]) == 15


def test_a_box_holds_what_lies_in_it_and_the_first_by_lot_where_not_all_fit(
    client, world, monkeypatch
):
    draw()
    client.force_login(world["other"].user)
    everything = points(client).json()["points"]
    left = [one for one in everything if one["x"] < 0]
    assert 0 < len(left) < len(everything)
    found = points(client, box="-100,-100,0,100").json()["points"]
    assert {one["id"] for one in found} == {one["id"] for one in left}
    monkeypatch.setattr(map_selectors, "MOST_POINTS", 5)
    few = points(client).json()
    assert not few["is_all"]
    lots = sorted(uuid.UUID(one["id"]).int & 0xFFFF_FFFF for one in everything)
    assert [uuid.UUID(one["id"]).int & 0xFFFF_FFFF for one in few["points"]] == lots[:5]


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", "nan,0,0,0", "1e300,0,0,0", "\x00"])
def test_a_box_that_is_none(client, db, box):
    client.force_login(ArtistFactory().user)
    answer = points(client, box=box)
    assert answer.status_code == 400
    assert "four numbers" in answer.json()["detail"]


def test_before_there_is_a_map_and_for_strangers(client, db, monkeypatch):
    assert client.get(reverse("catalogue_map")).status_code == 302
    assert points(client).status_code == 302
    client.force_login(ArtistFactory().user)
    page = client.get(reverse("catalogue_map"))
    assert "as soon as 20 songs" in page.content.decode()
    assert points(client).json() == {"points": [], "is_all": True}
    assert client.get(reverse("catalogue_map_song", args=[uuid.uuid4()])).status_code == 404
    monkeypatch.setattr(map_views, "_ASKED", TokenBuckets(rate=0.001, burst=3))
    for _ in range(4):
        last = points(client)
    assert (last.status_code, int(last["Retry-After"]) >= 1) == (429, True)
