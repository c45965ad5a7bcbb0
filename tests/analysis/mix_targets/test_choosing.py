"""A target chosen on pages of tracks, and whose eyes it is for."""

from __future__ import annotations

import json
import re

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from analysis import mix_targets
from analysis.models import MixTarget, Report
from analysis.target_selectors import value_of
from catalog.services import sharing
from tests.analysis.mix_targets.songs import logged_in, of_tracks
from tests.factories import (
    AlbumFactory,
    ArtistFactory,
    ReportFactory,
    RevisionFactory,
)


class TestOnTheTrackPage:
    def test_it_is_offered_chosen_and_told(self, artist, make_track):
        target = of_tracks(artist, make_track(bump_db=6.0), name="Night <b>")
        track = make_track()
        client = logged_in(artist)
        value = value_of(target.pk)
        page = client.get(track.get_absolute_url(), {"target": value})
        text = page.content.decode()
        option = re.search(rf'<option value="{value}" selected>(.*?)</option>', text)
        assert option.group(1) == "Night &lt;b&gt;"
        assert text.index('<optgroup label="My targets">') < option.start()
        assert "against your target “Night &lt;b&gt;”, made of 1 track:" in text
        assert "against “Night &lt;b&gt;”" in text
        mix = page.context["doc"]["mix"]
        assert (mix["genre"], mix["n_tracks"]) == ("Night <b>", 1)
        document = client.get(reverse("report_json", args=[track.pk]), {"target": value}).json()
        assert document["mix"] == json.loads(json.dumps(mix))

    def test_a_mix_is_judged_as_far_from_the_target_as_it_is(self, artist, make_track):
        itself = make_track()
        page = logged_in(artist).get(
            itself.get_absolute_url(), {"target": value_of(of_tracks(artist, itself).pk)}
        )
        mix = page.context["doc"]["mix"]
        assert [finding for finding in mix["findings"] if finding["category"] == "tonal"] == []
        assert [band["outside_db"] for band in mix["bands"]] == [0.0] * 7

    def test_the_default_is_set_in_the_profile_and_goes_with_the_target(self, artist, make_track):
        target = of_tracks(artist, make_track(), name="Night")
        track = make_track()
        client = logged_in(artist)
        values = {"name": artist.name, "bio": "", "default_genre": value_of(target.pk)}
        assert client.post(reverse("profile"), values).status_code == 302
        page = client.get(track.get_absolute_url())
        assert page.context["target"] == value_of(target.pk)
        assert client.get(track.get_absolute_url(), {"target": "jazz"}).context["target"] == "jazz"
        assert "Your default" in client.get(reverse("mix_targets")).content.decode()
        question = reverse("mix_target_delete", args=[target.pk])
        assert "Delete Night?" in client.get(question).content.decode()
        assert MixTarget.objects.count() == 1
        client.post(question)
        artist.refresh_from_db()
        assert (artist.default_genre, MixTarget.objects.count()) == ("", 0)
        page = client.get(track.get_absolute_url())
        assert page.context["doc"]["mix"] == Report.objects.first().document["mix"]

    def test_one_that_lost_its_tracks_gives_way_to_the_genre(self, artist, make_track):
        gone, track = make_track(), make_track()
        target = of_tracks(artist, gone)
        gone.delete()
        client = logged_in(artist)
        page = client.get(track.get_absolute_url(), {"target": value_of(target.pk)})
        assert page.context["own_target"] is None
        assert page.context["doc"]["mix"] == Report.objects.last().document["mix"]
        assert "Not usable" in client.get(reverse("mix_targets")).content.decode()
        assert client.get(reverse("mix_target_export", args=[target.pk])).status_code == 404

    def test_what_is_taken_away_is_judged_against_it_too(self, artist, make_track):
        target = of_tracks(artist, make_track(), name="Night")
        track = make_track(bump_db=12.0)
        client = logged_in(artist)
        asked = {"target": value_of(target.pk)}
        mix = client.get(track.get_absolute_url(), asked).context["doc"]["mix"]
        gains_db = [one["advice"]["gain_db"] for one in mix["findings"] if one["advice"]["gain_db"]]
        assert gains_db
        preset = client.get(reverse("equaliser_preset", args=[track.pk, "json"]), asked).json()
        assert preset["target"] == "Night"
        assert [move["gain_db"] for move in preset["moves"]] == gains_db
        assert client.get(reverse("report_pdf", args=[track.pk]), asked).status_code == 200

    def test_a_comparison_of_versions_is_told_against_it(self, artist, make_track, heard):
        track = make_track()
        second = RevisionFactory(track=track, number=2)
        ReportFactory(content_sha256=second.content_sha256, document=heard.document)
        artist.default_genre = value_of(of_tracks(artist, track, name="Night").pk)
        artist.save()
        page = logged_in(artist).get(reverse("compare", args=[track.pk]))
        assert page.context["target_name"] == "Night"


class TestWhoseItIs:
    def test_others_have_no_such_target(self, artist, make_track):
        target = of_tracks(artist, make_track())
        stranger = ArtistFactory()
        client = logged_in(stranger)
        for name in ("mix_target_edit", "mix_target_delete", "mix_target_export"):
            address = reverse(name, args=[target.pk])
            assert client.get(address).status_code == 404
            assert client.post(address, {"name": "Mine"}).status_code in (404, 405)
            assert Client().get(address).status_code == 302
        assert Client().get(reverse("mix_targets")).status_code == 302
        assert "Night" not in client.get(reverse("mix_targets")).content.decode()
        target.refresh_from_db()
        assert target.name == "Night"

    def test_anothers_target_judges_nothing(self, artist, make_track):
        target = of_tracks(artist, make_track(), name="Secret")
        stranger = ArtistFactory()
        track = make_track(owner=stranger)
        client = logged_in(stranger)
        page = client.get(track.get_absolute_url(), {"target": value_of(target.pk)})
        assert "Secret" not in page.content.decode()
        assert page.context["own_target"] is None
        values = {"name": "B", "bio": "", "default_genre": value_of(target.pk)}
        assert client.post(reverse("profile"), values).status_code == 422

    def test_anothers_tracks_and_albums_cannot_be_chosen(self, artist, make_track):
        theirs = make_track(owner=ArtistFactory(), discoverable=True)
        with pytest.raises(ValidationError, match="of your library"):
            of_tracks(artist, theirs)
        album = AlbumFactory()
        with pytest.raises(ValidationError, match="one of your albums"):
            mix_targets.create_of_catalogue(artist, name="LP", album=album)
        answer = logged_in(artist).post(
            reverse("mix_target_of_catalogue"), {"name": "LP", "album": album.pk}
        )
        assert answer.status_code == 422

    def test_a_share_link_shows_the_genre_instead(self, artist, make_track):
        track = make_track()
        artist.default_genre = value_of(of_tracks(artist, track, name="Secret").pk)
        artist.save()
        link = sharing.create_share_link(track, show_mix=True)
        page = Client().get(reverse("shared", args=[link.token]), {"target": artist.default_genre})
        assert page.status_code == 200
        assert "Secret" not in page.content.decode()
        assert page.context["doc"]["mix"] == Report.objects.get().document["mix"]
