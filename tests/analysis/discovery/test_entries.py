"""What is searched follows what is known: reports, voices, words, revisions, albums."""

from __future__ import annotations

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from analysis.discovery import entries
from analysis.discovery.models import SearchEntry
from analysis.lyrics_models import LyricsOrigin, LyricsVersion
from analysis.models import Embedding, Report, Stage
from catalog.models import Album, Track
from catalog.services.tracks import delete_revision
from tests.analysis.discovery.catalogue import at, embed, found, heard
from tests.factories import AlbumFactory, ArtistFactory, ReportFactory, RevisionFactory

pytestmark = pytest.mark.django_db


def entry_of(track):
    return SearchEntry.objects.get(track=track)


def report_of(track, stage, **document):
    return ReportFactory(
        content_sha256=track.revisions.get().content_sha256,
        stage=stage,
        model_version="x-1",
        document=document,
        genre="",
    )


def test_what_a_report_says_can_be_searched():
    track = heard(
        vector=at(40),
        report={"genre": "jazz", "genre_decided": True, "tempo_bpm": 91.5, "key": "Bb minor",
                "energy": 0.25},
        release_date=datetime.date(2021, 3, 4),
        discoverable=True,
    )  # fmt: skip
    entry = entry_of(track)
    assert (entry.genre, entry.tempo_bpm, entry.energy) == ("jazz", 91.5, 0.25)
    assert entry.key_code == 10 + 12
    assert entry.release_date == datetime.date(2021, 3, 4)
    assert (entry.discoverable, entry.artist) == (True, track.artist)
    assert entry.vector[:2] == pytest.approx(list(at(40)[:2]), abs=1e-3)


def test_a_genre_that_the_model_is_not_sure_of_is_none():
    assert entry_of(heard(report={"genre": "jazz", "genre_decided": False})).genre == ""


def test_the_album_gives_the_date_where_the_track_has_none():
    album = AlbumFactory(release_date=datetime.date(2019, 1, 1))
    own = heard(album.artist, album=album, release_date=datetime.date(2018, 1, 1))
    of_album = heard(album.artist, album=album)
    loose = heard(album.artist)
    dates = lambda: [entry_of(track).release_date for track in (own, of_album, loose)]  # noqa: E731
    assert [date and date.year for date in dates()] == [2018, 2019, None]
    Album.objects.filter(pk=album.pk).update(release_date=datetime.date(2020, 1, 1))
    assert [date and date.year for date in dates()] == [2018, 2020, None]
    Track.objects.filter(pk=loose.pk).update(album=album)
    assert entry_of(loose).album == album
    assert entry_of(loose).release_date.year == 2020
    album.delete()
    assert [date and date.year for date in dates()] == [2018, None, None]


class TestTheVoice:
    def test_it_is_unknown_until_somebody_listened_for_one(self):
        track = heard()
        assert entry_of(track).instrumental is None
        made = report_of(track, Stage.VOICE, singing=False)
        assert entry_of(track).instrumental is True
        made.document = {"singing": True}
        made.save()
        assert entry_of(track).instrumental is False
        made.delete()
        assert entry_of(track).instrumental is None

    @pytest.mark.parametrize(
        ("vocals_db", "starter", "instrumental"),
        [(-70.0, False, True), (None, False, True), (-20.0, False, None), (-70.0, True, None)],
    )
    def test_an_empty_vocal_stem_of_a_trained_engine_means_none(
        self, vocals_db, starter, instrumental
    ):
        track = heard()
        stems = [{"name": "vocals", "level_db": vocals_db}, {"name": "other", "level_db": -18.0}]
        report_of(track, Stage.SEPARATE, stems=stems, is_starter=starter)
        assert entry_of(track).instrumental is instrumental

    def test_words_have_a_language_and_the_artists_own_count_first(self):
        track = heard()
        report_of(track, Stage.LYRICS, language="fr", lines=[{"text": "bonjour"}])
        assert (entry_of(track).language, entry_of(track).instrumental) == ("fr", False)
        revision = track.revisions.get()
        LyricsVersion.objects.create(
            revision=revision, number=1, origin=LyricsOrigin.EDITED, language="oc"
        )
        assert entry_of(track).language == "oc"

    def test_where_no_words_were_heard_there_is_no_language(self):
        track = heard()
        report_of(track, Stage.LYRICS, language="en", lines=[])
        assert (entry_of(track).language, entry_of(track).instrumental) == ("", None)


class TestRevisions:
    def test_a_new_one_takes_over_when_it_has_been_heard(self):
        artist = ArtistFactory()
        start, track = heard(artist, at(0)), heard(artist, at(40))
        second = RevisionFactory(track=track, number=2)
        assert found(artist, start) == [], "the version that was replaced is found no more"
        embed(second.content_sha256, at(50))
        assert entry_of(track).revision == second

    def test_without_it_the_one_before_is_back(self, django_capture_on_commit_callbacks):
        track = heard(vector=at(40))
        first = track.revisions.get()
        heard(track=track, vector=at(50), number=2)
        with django_capture_on_commit_callbacks(execute=True):
            delete_revision(track.revisions.get(number=2))
        assert entry_of(track).revision == first

    def test_a_content_that_is_known_is_found_at_once(self):
        heard(content="c" * 64, vector=at(5))
        twin = heard(content="c" * 64, vector=at(5))
        assert entry_of(twin).report == Report.objects.get(content_sha256="c" * 64)


class TestReconciling:
    def test_it_writes_what_is_missing_and_mends_what_is_wrong(self):
        missing, stale, wrong, right = (heard(vector=at(n)) for n in range(4))
        entry_of(missing).delete()
        second = RevisionFactory(track=stale, number=2)
        embed(second.content_sha256, at(9))
        SearchEntry.objects.filter(track=stale).update(revision=stale.revisions.get(number=1))
        SearchEntry.objects.filter(track=wrong).update(discoverable=True)
        before = entry_of(right).pk
        assert entries.reconcile() == 3
        assert entry_of(missing).track == missing
        assert entry_of(stale).revision == second
        assert entry_of(wrong).discoverable is False
        assert entry_of(right).pk == before
        assert entries.reconcile() == 0

    def test_a_removed_report_takes_its_entry_along(self):
        track = heard()
        Report.objects.all().delete()
        assert not SearchEntry.objects.filter(track=track).exists()
        assert not Embedding.objects.exists()

    def test_many_take_as_many_queries_as_few(self):
        tracks = [heard(vector=at(n)) for n in range(12)]
        counts = []
        for some in (tracks[:2], tracks):
            with CaptureQueriesContext(connection) as queries:
                assert entries.refresh_tracks([track.pk for track in some]) == len(some)
            counts.append(len(queries))
        assert counts[0] == counts[1] < 15
