"""Who finds what: only what its owner made discoverable, or the asker's own; references never."""

from __future__ import annotations

import pytest
from django.urls import reverse

from analysis.discovery.models import SearchEntry
from analysis.discovery.request import Asker, SearchRequest, Seed
from analysis.discovery.search import search
from analysis.discovery.seeds import SeedNotFound
from catalog.models import Track
from catalog.services.tracks import update_track
from tests.analysis.discovery.catalogue import at, found, heard
from tests.factories import AlbumFactory, ArtistFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    """An asker and another artist, each with a discoverable track, a hidden one and a reference."""
    asker, other = ArtistFactory(), ArtistFactory()
    tracks = {}
    for number, (name, artist) in enumerate((("own", asker), ("others", other))):
        tracks[f"{name} open"] = heard(artist, at(10 + 10 * number), discoverable=True)
        tracks[f"{name} hidden"] = heard(artist, at(40 + 20 * number))
        tracks[f"{name} reference"] = heard(artist, at(70 + 10 * number), is_reference=True)
    start = heard(asker, at(0), discoverable=True)
    return asker, other, start, tracks


def names(tracks, hits):
    return {name for name, track in tracks.items() if track in hits}


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("asker", {"own open", "own hidden", "others open"}),
        ("other", {"own open", "others open", "others hidden"}),
        ("a third artist", {"own open", "others open"}),
        ("nobody", {"own open", "others open"}),
    ],
)
def test_each_finds_what_is_theirs_to_find(world, who, expected):
    asker, other, start, tracks = world
    artist = {"asker": asker, "other": other, "nobody": None}.get(who) or (
        ArtistFactory() if who == "a third artist" else None
    )
    assert names(tracks, found(artist, start)) == expected


def test_a_partner_finds_what_the_artists_behind_it_find(world):
    asker, other, start, tracks = world
    both = Asker(artist_ids=frozenset({asker.pk, other.pk}))
    hits = [hit.track for hit in search(SearchRequest(both, [Seed.track(start.pk)]))]
    assert names(tracks, hits) == {"own open", "own hidden", "others open", "others hidden"}


@pytest.mark.parametrize("name", ["others hidden", "others reference"])
def test_nobody_starts_from_what_they_may_not_find(world, name):
    asker, _, _, tracks = world
    with pytest.raises(SeedNotFound):
        found(asker, tracks[name])


def test_an_own_reference_may_be_started_from_and_is_never_found(world):
    asker, _, _, tracks = world
    hits = found(asker, tracks["own reference"])
    assert names(tracks, hits) == {"own open", "own hidden", "others open"}


def test_an_album_or_artist_speaks_only_with_the_tracks_that_are_seen(world):
    asker, other, _, tracks = world
    album = AlbumFactory(artist=other)
    for name in ("others open", "others hidden"):
        Track.objects.filter(pk=tracks[name].pk).update(album=album)
    # The open one is at 20 degrees, both together are at 40.
    near_open = heard(ArtistFactory(), at(29), discoverable=True)
    near_both = heard(ArtistFactory(), at(41), discoverable=True)
    for seed in (Seed.album(album.pk), Seed.artist(other.pk)):
        assert found(asker, [seed])[0] == near_open
        assert found(other, [seed])[0] == near_both
    Track.objects.filter(album=album).update(discoverable=False)
    with pytest.raises(SeedNotFound):
        found(asker, [Seed.album(album.pk)])


class TestChangesTakeEffectWithinTheirTransaction:
    def change(self, track, **values):
        fields = ("title", "version", "composer", "isrc", "release_date", "discoverable")
        return update_track(track, **{**{f: getattr(track, f) for f in fields}, **values})

    def test_hiding_and_showing_on_the_page(self, world):
        _, _, start, tracks = world
        third = ArtistFactory()
        self.change(tracks["others open"], discoverable=False)
        assert names(tracks, found(third, start)) == {"own open"}
        self.change(tracks["others hidden"], discoverable=True)
        assert names(tracks, found(third, start)) == {"own open", "others hidden"}

    def test_hiding_many_at_once_past_all_services(self, world):
        asker, other, start, tracks = world
        Track.objects.filter(artist=other).update(discoverable=False)
        assert names(tracks, found(asker, start)) == {"own open", "own hidden"}

    def test_a_reference_disappears_and_returns(self, world):
        asker, _, start, tracks = world
        self.change(tracks["own open"], discoverable=False, is_reference=True)
        assert names(tracks, found(asker, start)) == {"own hidden", "others open"}
        self.change(tracks["own open"], discoverable=False, is_reference=False)
        assert names(tracks, found(asker, start)) == {"own open", "own hidden", "others open"}

    def test_a_deleted_track_is_gone(self, world):
        asker, _, start, tracks = world
        tracks["others open"].delete()
        assert names(tracks, found(asker, start)) == {"own open", "own hidden"}

    def test_even_a_wrong_entry_shows_nothing_hidden(self, world):
        """The hits are asked once more of the tracks themselves."""
        asker, _, start, tracks = world
        SearchEntry.objects.filter(track=tracks["others hidden"]).update(discoverable=True)
        assert "others hidden" not in names(tracks, found(asker, start))


class TestTheAddress:
    def ask(self, client, user, track, **parameters):
        if user is not None:
            client.force_login(user)
        return client.get(reverse("similar_json", args=[track.pk]), parameters)

    def test_it_answers_like_the_search(self, world, client):
        asker, _, start, tracks = world
        answer = self.ask(client, asker.user, start, limit=2).json()
        assert [hit["track"]["id"] for hit in answer["hits"]] == [
            str(tracks[name].pk) for name in ("own open", "others open")
        ]
        assert answer["has_more"] is True
        assert answer["hits"][1]["is_own"] is False
        assert "same key, A minor" in answer["hits"][0]["reasons"]

    def test_who_may_ask(self, world, client):
        asker, other, start, tracks = world
        hidden = tracks["others hidden"]
        assert self.ask(client, None, start).status_code == 302
        assert self.ask(client, asker.user, hidden).status_code == 404
        assert self.ask(client, other.user, hidden).status_code == 200
        assert self.ask(client, UserFactory(), hidden).status_code == 404

    @pytest.mark.parametrize(
        "wrong",
        [
            {"limit": "0"}, {"limit": "101"}, {"offset": "9" * 30}, {"energy_low": "nan"},
            {"tempo_low": "1e400"}, {"key": "H flat"}, {"genre": "a\0b"}, {"whose": "x"},
            {"released_from": "2024-13-01"}, {"energy_low": "0.9", "energy_high": "0.1"},
        ],
    )  # fmt: skip
    def test_nonsense_is_answered_in_words(self, world, client, wrong):
        asker, _, start, _ = world
        answer = self.ask(client, asker.user, start, **wrong)
        assert answer.status_code == 400
        assert len(answer.json()["error"]) > 10
