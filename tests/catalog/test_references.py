"""Music of others, uploaded to compare with: it stays out of the discography and in private."""

from __future__ import annotations

import numpy as np
import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from analysis import selectors
from analysis.library_facets import _genres
from analysis.models import Embedding
from catalog import services
from catalog.library import library_page, track_counts
from catalog.models import Track
from tests.catalog.conftest import wav_bytes
from tests.catalog.test_acceptance import flac_with
from tests.catalog.test_tus import create
from tests.factories import AlbumFactory, ReportFactory, RevisionFactory, TrackFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def reference(artist, make_revision) -> Track:
    return make_revision(artist, hz=700, filename="hit.wav", is_reference=True).track


def titles(artist, **parameters: str) -> list[str]:
    return [track.title for track in library_page(artist, parameters).tracks]


class TestUploading:
    @pytest.mark.parametrize(("sent", "is_reference"), [("1", True), ("", False), ("yes", False)])
    def test_by_tus(self, browser, sent, is_reference):
        data = wav_bytes()
        answer = create(browser, len(data), data, filename="hit.wav", reference=sent)
        assert answer.status_code == 201
        assert Track.objects.get().is_reference is is_reference

    def test_by_the_plain_form(self, browser):
        page = browser.get(reverse("upload")).content.decode()
        assert page.count("This is a reference by somebody else") == 2
        file = SimpleUploadedFile("hit.wav", wav_bytes(), content_type="audio/wav")
        browser.post(reverse("upload"), {"files": [file], "is_reference": "on"})
        assert Track.objects.get().is_reference

    def test_no_folder_and_no_chosen_album_takes_it_in(self, artist, take):
        album = AlbumFactory(artist=artist)
        take(artist, wav_bytes(hz=500), folder="Hits", is_reference=True)
        take(artist, wav_bytes(hz=600), album=album, is_reference=True)
        assert set(Track.objects.values_list("album", flat=True)) == {None}
        assert artist.albums.count() == 1

    def test_whose_it_is_stands_before_its_title(self, artist, take, tmp_path):
        tags = {"title": "Night", "artist": "Somebody Else", "album": "Hits", "tracknumber": "3"}
        data = flac_with(tmp_path, **tags)
        track = take(artist, data, "x.flac", is_reference=True).revision.track
        assert (track.title, track.album, track.position) == ("Somebody Else – Night", None, 0)

    def test_a_new_version_of_a_track_is_what_the_track_is(self, artist, track, take):
        upload = take(artist, wav_bytes(hz=900), track=track, is_reference=True)
        track.refresh_from_db()
        assert upload.revision.track == track
        assert not track.is_reference


class TestTheLibrary:
    def test_shows_it_only_when_asked(self, artist, track, reference, browser):
        assert titles(artist) == [track.title]
        assert titles(artist, show="references") == [reference.title]
        assert set(titles(artist, show="everything")) == {track.title, reference.title}
        page = browser.get(reverse("library"), {"show": "references"}).content.decode()
        assert '<span class="badge" title="By somebody else, to compare with">Reference' in page
        assert reverse("track_share", args=[reference.pk]) not in page
        counts = track_counts(artist)
        assert (counts["tracks"], counts["references"]) == (1, 1)

    def test_offers_no_such_choice_to_whoever_has_none(self, artist, track, browser):
        assert 'name="show"' not in browser.get(reverse("library")).content.decode()

    def test_can_be_reached_where_there_is_nothing_else(self, artist, reference, browser):
        page = browser.get(reverse("library")).content.decode()
        assert 'name="show"' in page
        assert "Your references by others are here" in page

    def test_does_not_count_its_genre(self, artist, reference, track):
        ReportFactory(content_sha256=reference.revisions.get().content_sha256, genre="metal")
        ReportFactory(content_sha256=track.revisions.get().content_sha256, genre="jazz")
        assert _genres(artist) == [("jazz", "Jazz")]

    def test_moves_it_into_no_album(self, artist, track, reference, browser):
        album = AlbumFactory(artist=artist)
        values = {"action": "move", "album": album.pk, "track": [track.pk, reference.pk]}
        page = browser.post(reverse("library_bulk"), values, follow=True).content.decode()
        assert list(album.tracks.all()) == [track]
        assert "1 track by others stays outside albums" in page
        assert "1 track moved to" in page


class TestItStaysPrivate:
    def test_nobody_else_hears_it(self, reference, other, login):
        address = reverse("revision_audio", args=[reference.revisions.get().pk])
        assert login(other).get(address).status_code == 404
        assert login(reference.artist).get(address).status_code == 200

    def test_it_cannot_be_shared(self, reference, browser):
        with pytest.raises(ValidationError, match="somebody else's music"):
            services.create_share_link(reference)
        address = reverse("track_share", args=[reference.pk])
        page = browser.get(address).content.decode()
        assert "cannot be shared" in page
        assert "Make link" not in page
        assert browser.post(address, {"show_audio": "on", "expiry": "day"}).status_code == 422

    def test_it_cannot_be_discoverable(self, reference, browser):
        values = {"title": "Hit", "discoverable": "on", "is_reference": "on"}
        answer = browser.post(reverse("track_edit", args=[reference.pk]), values)
        assert answer.status_code == 422
        assert "others cannot find it" in answer.content.decode()
        with pytest.raises(IntegrityError), transaction.atomic():
            Track.objects.filter(pk=reference.pk).update(discoverable=True)

    def test_a_track_that_turns_out_to_be_one_leaves_its_album_and_its_links(
        self, artist, track, browser
    ):
        services.move_tracks(Track.objects.filter(pk=track.pk), AlbumFactory(artist=artist))
        link = services.create_share_link(track)
        assert Client().get(reverse("shared", args=[link.token])).status_code == 200
        values = {"title": track.title, "is_reference": "on"}
        assert browser.post(reverse("track_edit", args=[track.pk]), values).status_code == 302
        track.refresh_from_db()
        assert (track.is_reference, track.album, track.discoverable) == (True, None, False)
        assert Client().get(reverse("shared", args=[link.token])).status_code == 404
        browser.post(reverse("track_edit", args=[track.pk]), {"title": track.title})
        track.refresh_from_db()
        assert not track.is_reference
        assert Client().get(reverse("shared", args=[link.token])).status_code == 404

    def test_it_is_similar_to_nothing(self, artist):
        def heard(**fields: object) -> tuple[Track, object]:
            revision = RevisionFactory(track=TrackFactory(artist=artist, **fields))
            report = ReportFactory(content_sha256=revision.content_sha256)
            Embedding.objects.create(
                report=report,
                content_sha256=revision.content_sha256,
                model_version="test-1",
                # Alike, and no copies of one recording.
                vector=np.eye(128)[0] + 0.4 * np.eye(128)[Track.objects.count()],
            )
            return revision.track, report

        mine, report = heard()
        near, _ = heard()
        hit, _ = heard(is_reference=True)
        found = selectors.similar_tracks(report, asker=artist, exclude=mine)
        assert [row.track for row in found] == [near]
        hit.is_reference = False
        hit.save()
        found = selectors.similar_tracks(report, asker=artist, exclude=mine)
        assert {row.track for row in found} == {near, hit}
