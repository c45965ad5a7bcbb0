"""Copies, albums, artists of many tracks, several seeds, and which keys go together."""

from __future__ import annotations

import pytest

from analysis.discovery.keys import code_of_name, compatible_codes, name_of_code
from analysis.discovery.request import BadRequest, Seed
from tests.analysis.discovery.catalogue import at, found, heard
from tests.factories import AlbumFactory, ArtistFactory


@pytest.mark.django_db
class TestExclusions:
    def test_copies_of_a_recording_are_left_out_on_request(self):
        artist, other = ArtistFactory(), ArtistFactory()
        start = heard(artist, at(0), content="a" * 64)
        same_content = heard(other, at(0), content="a" * 64, discoverable=True)
        mp3 = heard(other, at(1.5), discoverable=True)
        near = heard(other, at(15), discoverable=True)
        assert found(artist, start) == [near]
        kept = found(artist, start, exclude_same_recording=False)
        assert kept == [same_content, mp3, near]

    def test_one_content_of_two_artists_is_one_hit_and_an_own_one_is_shown(self):
        artist, other = ArtistFactory(), ArtistFactory()
        start = heard(artist, at(0))
        heard(other, at(9), content="b" * 64, discoverable=True)
        mine = heard(artist, at(9), content="b" * 64)
        assert found(artist, start) == [mine]

    def test_an_own_hit_in_place_of_anothers_leaves_that_artist_the_place(self):
        artist, other = ArtistFactory(), ArtistFactory()
        start = heard(artist, at(0))
        heard(other, at(9), content="b" * 64, discoverable=True)
        mine = heard(artist, at(9), content="b" * 64)
        second = heard(other, at(20), discoverable=True)
        assert found(artist, start, per_artist=1) == [mine, second]

    def test_the_album_of_a_track(self):
        artist = ArtistFactory()
        album = AlbumFactory(artist=artist)
        start = heard(artist, at(0), album=album)
        beside = heard(artist, at(9), album=album)
        alone = heard(artist, at(12))
        assert found(artist, start) == [beside, alone]
        assert found(artist, start, exclude_same_album=True) == [alone]

    def test_one_artist_of_many_tracks_does_not_bar_the_way(self):
        artist, many, single = ArtistFactory(), ArtistFactory(), ArtistFactory()
        start = heard(artist, at(0))
        nearest = [heard(many, at(10 + n / 10), discoverable=True) for n in range(60)]
        last = heard(single, at(70), discoverable=True)
        assert found(artist, start, per_artist=2, limit=3) == [*nearest[:2], last]


@pytest.mark.django_db
class TestSeveralSeeds:
    def test_added_tracks_meet_in_the_middle_and_subtracted_ones_push_away(self):
        artist = ArtistFactory()
        left, right = heard(artist, at(0)), heard(artist, at(60))
        middle, beyond = heard(artist, at(30)), heard(artist, at(80))
        both = [Seed.track(left.pk), Seed.track(right.pk)]
        assert found(artist, both) == [middle, beyond]
        away = [Seed.track(right.pk), Seed.track(left.pk, weight=-0.5)]
        assert found(artist, away) == [beyond, middle]

    @pytest.mark.parametrize(
        "weights", [(-1.0, -1.0), (0.0, 1.0), (float("nan"), 1.0), (1.0, 99.0)]
    )
    def test_impossible_weights_are_refused_in_words(self, weights):
        artist = ArtistFactory()
        tracks = [heard(artist, at(n)) for n in (0, 60)]
        seeds = [Seed.track(t.pk, weight=w) for t, w in zip(tracks, weights, strict=True)]
        with pytest.raises(BadRequest, match=r"weight|Add at least"):
            found(artist, seeds)

    def test_what_cancels_out_is_refused(self):
        artist = ArtistFactory()
        one, same = heard(artist, at(0)), heard(artist, at(0))
        with pytest.raises(BadRequest, match="cancel"):
            found(artist, [Seed.track(one.pk), Seed.track(same.pk, weight=-1.0)])


class TestKeys:
    def test_the_camelot_wheel(self):
        """8A is A minor: beside it 7A (D minor), 9A (E minor) and 8B (C major); and 12A to 1A."""
        names = {name_of_code(code) for code in compatible_codes(code_of_name("A minor"))}
        assert names == {"A minor", "D minor", "E minor", "C major"}
        names = {name_of_code(code) for code in compatible_codes(code_of_name("B major"))}
        assert names == {"B major", "E major", "F# major", "G# minor"}

    def test_they_are_compatible_both_ways(self):
        for code in range(24):
            assert all(code in compatible_codes(other) for other in compatible_codes(code))

    @pytest.mark.parametrize("text", ["", "H minor", "A dorian", "minor", "A# #"])
    def test_other_words_are_no_keys(self, text):
        assert code_of_name(text) is None
