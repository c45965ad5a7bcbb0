"""What a target is made of, and that it is never an old one."""

from __future__ import annotations

import copy
import uuid
from dataclasses import replace

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from analysis import mix_targets, services, target_parts
from analysis.models import Job, JobState, MixTarget, Report, TargetKind
from analysis.target_selectors import MAX_TRACKS
from catalog.models import Revision, Track
from tests.analysis.mix_targets.songs import bump_of, bumped, logged_in, of_tracks
from tests.factories import (
    AlbumFactory,
    ArtistFactory,
    ReportFactory,
    RevisionFactory,
)


def listened(revision: Revision, found) -> None:
    """Store what listening found, as the worker does."""
    Job.objects.filter(revision=revision).update(
        ticket=uuid.uuid4(), state=JobState.RUNNING, started_at=timezone.now()
    )
    job = Job.objects.get(revision=revision)
    key = {
        "content_sha256": revision.content_sha256,
        "stage": job.stage,
        "model_version": job.model_version,
    }
    services._store_listening(job, key, found)


class TestWhatItIsMadeOf:
    def test_weights_say_how_much_a_track_counts(self, artist, make_track, heard):
        plain, bump = make_track(), make_track(bump_db=4.0)
        weights = {plain.pk: 1.0, bump.pk: 3.0}
        target = mix_targets.create_of_tracks(artist, name="Night", weights=weights)
        assert bump_of(target, heard) == pytest.approx(3.0, abs=0.05)
        mix_targets.update(target, name="Night", weights={plain.pk: 3.0, bump.pk: 1.0})
        assert bump_of(target, heard) == pytest.approx(1.0, abs=0.05)

    @pytest.mark.parametrize("weight", [0.0, 0.09, 10.1, -1.0, float("nan"), float("inf")])
    def test_weights_beyond_the_limits_are_refused(self, artist, make_track, weight):
        with pytest.raises(ValidationError, match=r"0\.1 to 10"):
            of_tracks(artist, make_track(), weight=weight)
        assert not MixTarget.objects.exists()

    def test_the_catalogue_follows_new_reports_and_deleted_tracks(self, artist, make_track, heard):
        first = make_track()
        target = mix_targets.create_of_catalogue(artist, name="Mine")
        make_track(bump_db=4.0)
        assert mix_targets.current(MixTarget.objects.get()).n_tracks == 2
        assert bump_of(MixTarget.objects.get(), heard) == pytest.approx(2.0, abs=0.05)
        first.delete()
        target.refresh_from_db()
        assert mix_targets.current(target).n_tracks == 1
        assert bump_of(target, heard) == pytest.approx(4.0, abs=0.05)

    def test_others_music_is_not_the_catalogue(self, artist, make_track):
        make_track()
        make_track(is_reference=True)
        make_track(owner=ArtistFactory())
        target = mix_targets.create_of_catalogue(artist, name="Mine")
        assert mix_targets.current(target).n_tracks == 1

    def test_an_albums_target_follows_the_album_and_outlives_it_unusable(self, artist, make_track):
        album = AlbumFactory(artist=artist)
        make_track(album=album)
        elsewhere = make_track()
        target = mix_targets.create_of_catalogue(artist, name="LP", album=album)
        assert mix_targets.current(target).n_tracks == 1
        Track.objects.filter(pk=elsewhere.pk).update(album=album)
        assert mix_targets.current(target).n_tracks == 2
        album.delete()
        target = MixTarget.objects.get()
        assert mix_targets.current(target) is None
        page = logged_in(artist).get(reverse("mix_targets")).content.decode()
        assert "Its album has been deleted" in page

    def test_a_new_version_counts_once_it_has_been_listened_to(self, artist, make_track, heard):
        track = make_track()
        target = of_tracks(artist, track)
        second = RevisionFactory(track=track, number=2)
        assert bump_of(target, heard) == pytest.approx(0.0, abs=0.05)
        ReportFactory(content_sha256=second.content_sha256, document=bumped(heard.document, 4.0))
        assert bump_of(target, heard) == pytest.approx(4.0, abs=0.05)

    def test_listening_again_makes_it_anew(self, artist, heard):
        revision = RevisionFactory(track__artist=artist)
        services.request_listening([revision.pk])
        listened(revision, heard)
        target = of_tracks(artist, revision.track)
        report_id = Report.objects.get().pk
        listened(revision, replace(heard, document=bumped(heard.document, 4.0)))
        assert Report.objects.get().pk == report_id
        assert bump_of(MixTarget.objects.get(), heard) == pytest.approx(4.0, abs=0.05)
        assert target.stamp != MixTarget.objects.get().stamp

    def test_a_reader_overtaken_by_a_new_report_keeps_no_old_target(
        self, artist, heard, monkeypatch
    ):
        revision = RevisionFactory(track__artist=artist)
        services.request_listening([revision.pk])
        listened(revision, heard)
        target = of_tracks(artist, revision.track)
        mix_targets.update(target, name="Night", weights={revision.track.pk: 2.0})
        MixTarget.objects.update(stamp="")
        read = target_parts.reference_tracks

        def overtaken(parts):
            tracks = read(parts)
            listened(revision, replace(heard, document=bumped(heard.document, 4.0)))
            return tracks

        monkeypatch.setattr(target_parts, "reference_tracks", overtaken)
        assert bump_of(MixTarget.objects.get(), heard) == pytest.approx(0.0, abs=0.05)
        monkeypatch.setattr(target_parts, "reference_tracks", read)
        assert MixTarget.objects.get().stamp, "the overtaken reader kept what it had made"
        assert bump_of(MixTarget.objects.get(), heard) == pytest.approx(4.0, abs=0.05)

    def test_reading_it_again_reads_no_reports(self, artist, make_track, django_assert_num_queries):
        for _ in range(5):
            make_track()
        target = mix_targets.create_of_catalogue(artist, name="Mine")
        with django_assert_num_queries(2) as queries:
            mix_targets.current(target)
        assert not any('"document"' in query["sql"] for query in queries.captured_queries)

    def test_only_the_newest_two_hundred_count(self, artist, make_track, heard):
        for _ in range(3):
            make_track(bump_db=4.0)
        sha256s = []
        for _ in range(MAX_TRACKS):
            sha256s.append(RevisionFactory(track__artist=artist).content_sha256)
        Report.objects.bulk_create(
            Report(
                content_sha256=sha256, stage="listen", model_version="1", document=heard.document
            )
            for sha256 in sha256s
        )
        target = mix_targets.create_of_catalogue(artist, name="Mine")
        assert mix_targets.current(target).n_tracks == MAX_TRACKS
        assert bump_of(target, heard) == pytest.approx(0.0, abs=0.02)

    def test_tracks_without_a_usable_report_make_no_target(self, artist, heard):
        unheard = RevisionFactory(track__artist=artist).track
        old = RevisionFactory(track__artist=artist)
        document = copy.deepcopy(heard.document)
        document["mix"]["curve"] = None
        ReportFactory(content_sha256=old.content_sha256, document=document)
        with pytest.raises(ValidationError, match="has a report yet"):
            of_tracks(artist, unheard)
        for tracks in ([old.track], [unheard, old.track]):
            with pytest.raises(ValidationError, match="Listen to them again"):
                of_tracks(artist, *tracks)
        assert not MixTarget.objects.exists()

    def test_one_whose_tracks_have_old_reports_only_says_so(self, artist, make_track):
        of_tracks(artist, make_track())
        report = Report.objects.get()
        del report.document["mix"]["curve"]
        report.created_at = timezone.now()
        report.save()
        page = logged_in(artist).get(reverse("mix_targets")).content.decode()
        assert "Not usable" in page
        assert "Listen to them again" in page
        assert "has a report" not in page

    def test_references_alone_make_a_target_of_references(self, artist, make_track):
        reference, own = make_track(is_reference=True), make_track()
        assert of_tracks(artist, reference, name="a").kind == TargetKind.REFERENCES
        assert of_tracks(artist, reference, own, name="b").kind == TargetKind.TRACKS
