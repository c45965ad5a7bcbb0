"""The release check as a job and on its pages: who may ask, what comes of it, what is shown."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import io
import uuid
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import soundfile
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from analysis import jobs, release_services, selectors, services
from analysis.models import Job, JobState, Report, Stage, StreamingService
from analysis.versions import release_version
from catalog.models import Revision, Track
from tests.factories import (
    AlbumFactory,
    ArtistFactory,
    ReportFactory,
    RevisionFactory,
    TrackFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


def wav(sound: np.ndarray, *, rate: int = 44_100) -> bytes:
    """(channels, n) as the bytes of a 24-bit WAV."""
    file = io.BytesIO()
    soundfile.write(file, sound.T, rate, format="WAV", subtype="PCM_24")
    return file.getvalue()


@pytest.fixture(scope="module")
def squashed() -> bytes:
    """Three seconds of a chord driven until it is nearly square, with its peak at 0 dBFS."""
    at = np.arange(3 * 44_100) / 44_100
    chord = sum(np.sin(2 * np.pi * hz * at + hz) for hz in (55.0, 110.0, 164.8, 220.0, 880.0))
    fade = np.minimum(1.0, np.minimum(at, at[::-1]) / 0.05)
    driven = np.tanh(6.0 * chord) * fade
    return wav(np.stack([driven, driven]) / np.abs(driven).max() * 0.99997)


@pytest.fixture(scope="module")
def heard() -> dict:
    """The document of a real song, made once."""
    from analysis.listening import listen

    spec = importlib.util.find_spec("immich_memories_music")
    return listen(Path(spec.origin).parent / "tracks/happy/happy_acoustic_2.opus").document


@pytest.fixture
def artist():
    return ArtistFactory(name="Ada")


def revision_with(content: bytes, artist, **track_fields) -> Revision:
    return RevisionFactory(
        track=TrackFactory(artist=artist, **{"title": "Lemon Tree", **track_fields}),
        file=ContentFile(content, name="x"),
        content_sha256=hashlib.sha256(content).hexdigest(),
        bit_depth=24,
        codec="pcm_s24le",
    )


def listened(revision: Revision, heard: dict, **loudness: object) -> Report:
    """A listening report of the revision, as that of the real song with other loudness figures."""
    document = copy.deepcopy(heard)
    document["loudness"] |= loudness
    return ReportFactory(content_sha256=revision.content_sha256, document=document)


def logged_in(artist) -> Client:
    client = Client()
    client.force_login(artist.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def run_release(revision: Revision) -> Job:
    """Hand the revision's release check to a worker in this process."""
    job = Job.objects.get(revision=revision, stage=Stage.RELEASE)
    ticket = uuid.uuid4()
    Job.objects.filter(pk=job.pk).update(ticket=ticket, dispatched_at=timezone.now())
    services.run(job.pk, ticket)
    job.refresh_from_db()
    return job


# The heart beats on a connection of its own and must see the job.
@pytest.mark.django_db(transaction=True)
class TestJob:
    def test_it_records_a_report_of_its_own(self, artist, squashed, heard):
        revision = revision_with(squashed, artist)
        listening = listened(revision, heard)
        release_services.request_release_check(revision)
        job = run_release(revision)
        assert (job.state, job.percent, job.reason) == (JobState.DONE, 100, "")
        report = selectors.report_of(revision, Stage.RELEASE)
        assert report.model_version == release_version()
        assert set(report.document["versions"]) == {"pyav", "libavcodec"}
        peaks = {row["name"]: row["true_peak_dbtp"] for row in report.document["encodings"]}
        assert set(peaks) == {"aac_256", "aac_128", "opus_128", "mp3_320", "mp3_128"}
        assert min(peaks["aac_128"], peaks["mp3_128"]) > 0.0
        assert selectors.report_of(revision) == listening, "the listening report is another one"

    def test_running_twice_leaves_what_one_run_leaves(self, artist, squashed):
        revision = revision_with(squashed, artist)
        release_services.request_release_check(revision)
        run_release(revision)
        before = Report.objects.get().document
        release_services.request_release_check(revision, afresh=True)
        assert run_release(revision).state == JobState.DONE
        assert Report.objects.get().document == before
        assert Job.objects.count() == 1

    def test_what_is_done_is_not_done_again_unasked(self, artist, squashed, monkeypatch):
        first = revision_with(squashed, artist)
        second = revision_with(squashed, ArtistFactory())
        release_services.request_release_check(first)
        run_release(first)
        monkeypatch.setattr("analysis.sound.lossy.check_lossy", None)
        assert release_services.request_release_check(first).state == JobState.DONE
        release_services.request_release_check(second)
        assert run_release(second).state == JobState.DONE
        assert Report.objects.filter(stage=Stage.RELEASE).count() == 1

    def test_an_undecodable_file_fails_in_words(self, artist):
        revision = revision_with(wav(np.zeros((2, 3 * 44_100))), artist)
        release_services.request_release_check(revision)
        job = run_release(revision)
        assert (job.state, job.reason_code) == (JobState.FAILED, "silent")
        assert "silent from start to end" in job.reason
        assert not Report.objects.exists()

    def test_a_lost_file_is_said(self, artist, squashed):
        revision = revision_with(squashed, artist)
        default_storage.delete(revision.file.name)
        release_services.request_release_check(revision)
        job = run_release(revision)
        assert (job.state, job.reason_code) == (JobState.FAILED, "file_missing")

    def test_a_crash_is_tried_again_and_then_explained(
        self, artist, squashed, settings, monkeypatch
    ):
        def broken(*_args, **_kwargs):
            raise ZeroDivisionError

        monkeypatch.setattr("analysis.sound.lossy.check_lossy", broken)
        revision = revision_with(squashed, artist)
        release_services.request_release_check(revision)
        for attempt in range(1, settings.JOB_ATTEMPTS + 1):
            job = run_release(revision)
            assert job.attempts == attempt
        assert job.state == JobState.FAILED
        assert "went wrong on our side" in job.reason
        assert "ZeroDivisionError" in job.detail
        assert not Report.objects.exists()

    def test_a_job_of_older_encoders_is_asked_for_anew(self, artist, squashed):
        revision = revision_with(squashed, artist)
        job = release_services.request_release_check(revision)
        Job.objects.filter(pk=job.pk).update(model_version="r0+av1.0")
        run_release_of = Job.objects.get(pk=job.pk)
        ticket = uuid.uuid4()
        Job.objects.filter(pk=job.pk).update(ticket=ticket, dispatched_at=timezone.now())
        services.run(run_release_of.pk, ticket)
        assert Job.objects.get().model_version == release_version()
        assert not Report.objects.exists()

    def test_a_worker_that_vanished_does_not_write_over_its_successor(
        self, artist, squashed, monkeypatch
    ):
        revision = revision_with(squashed, artist)
        release_services.request_release_check(revision)
        original = release_services.finish_with_report

        def taken_away(job, document):
            Job.objects.filter(pk=job.pk).update(ticket=uuid.uuid4())
            original(job, document)

        monkeypatch.setattr(release_services, "finish_with_report", taken_away)
        assert run_release(revision).state == JobState.RUNNING
        assert not Report.objects.exists()


class TestFairTurns:
    def test_the_check_waits_in_the_heavy_queue(self, settings):
        settings.HEAVY_WORKERS = 1
        busy, newcomer = ArtistFactory(), ArtistFactory()
        for _ in range(5):
            release_services.request_release_check(RevisionFactory(track=TrackFactory(artist=busy)))
        mine = release_services.request_release_check(
            RevisionFactory(track=TrackFactory(artist=newcomer))
        )
        assert jobs.dispatch(Stage.RELEASE) == 2
        mine.refresh_from_db()
        assert mine.ticket is not None
        assert jobs.QUEUE_OF_STAGE[Stage.RELEASE] == "heavy"


class TestPage:
    def page(self, artist, revision) -> str:
        return logged_in(artist).get(revision.track.get_absolute_url()).content.decode()

    def section(self, artist, revision) -> str:
        return self.page(artist, revision).partition('id="release"')[2].partition("</section>")[0]

    def test_a_click_starts_it_and_the_page_follows_it(self, artist, squashed, heard):
        revision = revision_with(squashed, artist)
        listened(revision, heard)
        assert "Check for release" in self.section(artist, revision)
        client = logged_in(artist)
        address = reverse("release_check", args=[revision.track_id])
        assert client.post(f"{address}?revision=1").status_code == 302
        job = Job.objects.get(stage=Stage.RELEASE)
        assert job.state == JobState.QUEUED
        running = self.section(artist, revision)
        assert 'hx-trigger="every 2s"' in running
        assert "Next in line" in running
        Job.objects.update(state=JobState.RUNNING, percent=40, message="Encoding to AAC")
        part = client.get(address).content.decode()
        assert 'value="40"' in part
        assert "<html" not in part

    def test_a_second_click_does_not_queue_it_twice(self, artist, squashed):
        revision = revision_with(squashed, artist)
        client, address = logged_in(artist), reverse("release_check", args=[revision.track_id])
        for _ in range(2):
            client.post(address)
        assert Job.objects.filter(stage=Stage.RELEASE).count() == 1

    def test_what_goes_over_full_scale_is_red(self, artist, squashed, heard):
        revision = revision_with(squashed, artist)
        listened(revision, heard, true_peak_dbtp=0.3)
        rows = [
            {
                "name": "aac_128", "label": "AAC", "bit_rate": 128_000, "used_by": "YouTube",
                "true_peak_dbtp": 1.7, "rise_db": 1.4, "clipped_runs": 12,
                "integrated_lufs": -8.0,
            }
        ]  # fmt: skip
        ReportFactory(
            content_sha256=revision.content_sha256,
            stage=Stage.RELEASE,
            model_version=release_version(),
            document={
                "true_peak_dbtp": 0.3,
                "integrated_lufs": -8.0,
                "encodings": rows,
                "versions": {"pyav": "1", "libavcodec": "61.3.100"},
            },
        )
        text = self.section(artist, revision)
        assert "Not ready yet" in text
        assert "One format goes over full scale when encoded" in text
        assert "AAC 128 kbit/s, as used by YouTube, rises 1.7 dB" in text
        assert "clips in 12 places" in text
        assert "+1.4 dB" in text
        assert "libavcodec 61.3.100" in text

    def test_a_failed_check_says_why_and_offers_another_try(self, artist, squashed, heard):
        revision = revision_with(squashed, artist)
        listened(revision, heard)
        job = release_services.request_release_check(revision)
        Job.objects.filter(pk=job.pk).update(state=JobState.FAILED, reason="The file is cut off.")
        text = self.section(artist, revision)
        assert "The file is cut off." in text
        assert "Try again" in text
        logged_in(artist).post(reverse("release_check", args=[revision.track_id]))
        job.refresh_from_db()
        assert (job.state, job.reason) == (JobState.QUEUED, "")

    def test_a_detail_filled_in_turns_green_at_once(self, artist, squashed, heard):
        revision = revision_with(squashed, artist)
        listened(revision, heard)
        assert "No ISRC" in self.section(artist, revision)
        Track.objects.update(isrc="GBAYE0000001")
        text = self.section(artist, revision)
        assert "No ISRC" not in text
        assert "GBAYE0000001" in text

    def test_what_was_not_listened_to_has_no_list(self, artist, squashed):
        assert 'id="release"' not in self.page(artist, revision_with(squashed, artist))

    def test_another_artist_finds_nothing(self, artist, squashed):
        revision = revision_with(squashed, artist)
        address = reverse("release_check", args=[revision.track_id])
        stranger = logged_in(ArtistFactory())
        assert stranger.get(address).status_code == 404
        assert stranger.post(address).status_code == 404
        assert Client().post(address).status_code == 302
        assert "login" in Client().post(address)["Location"]
        assert not Job.objects.exists()


class TestServices:
    def test_the_table_starts_with_the_figures_of_mid_2026(self):
        table = {
            row.name: (row.reference_lufs, row.true_peak_dbtp)
            for row in StreamingService.objects.all()
        }
        assert table == {
            "Spotify": (-14.0, -1.0),
            "YouTube": (-14.0, -1.0),
            "Tidal": (-14.0, -1.0),
            "Amazon Music": (-14.0, -2.0),
            "Deezer": (-15.0, -1.0),
            "Apple Music": (-16.0, -1.0),
        }
        assert {row.as_of.year for row in StreamingService.objects.all()} == {2026}
        assert all(row.source_url for row in StreamingService.objects.all())

    def test_what_staff_change_is_on_the_page_at_once(self, artist, squashed, heard):
        revision = revision_with(squashed, artist)
        listened(revision, heard, integrated_lufs=-9.0, true_peak_dbtp=-0.2)
        page = logged_in(artist).get(revision.track.get_absolute_url()).content.decode()
        assert "Reference levels as of June 2026." in page
        assert "Deezer" in page
        assert "turns it down by 9.5 dB" not in page
        staff = Client()
        staff.force_login(
            UserFactory(is_staff=True, is_superuser=True),
            backend="django.contrib.auth.backends.ModelBackend",
        )
        deezer = StreamingService.objects.get(name="Deezer")
        change = reverse("admin:analysis_streamingservice_change", args=[deezer.pk])
        answer = staff.post(
            change,
            {
                "name": "Deezer",
                "reference_lufs": "-18.5",
                "true_peak_dbtp": "-1.5",
                "as_of": "2027-02-03",
                "source_url": "https://example.com/loudness",
                "order": "5",
                "active": "on",
            },
        )
        assert answer.status_code == 302
        page = logged_in(artist).get(revision.track.get_absolute_url()).content.decode()
        assert "turns it down by 9.5 dB" in page
        assert "Reference levels as of June 2026 to February 2027." in page
        StreamingService.objects.filter(name="Deezer").update(active=False)
        page = logged_in(artist).get(revision.track.get_absolute_url()).content.decode()
        assert "Deezer <" not in page

    def test_an_impossible_figure_is_refused(self):
        staff = Client()
        staff.force_login(
            UserFactory(is_staff=True, is_superuser=True),
            backend="django.contrib.auth.backends.ModelBackend",
        )
        answer = staff.post(
            reverse("admin:analysis_streamingservice_add"),
            {"name": "Loud", "reference_lufs": "3", "true_peak_dbtp": "-1", "as_of": "2026-07-01",
             "order": "9"},
        )  # fmt: skip
        assert answer.status_code == 200
        assert "less than or equal to 0" in answer.content.decode()
        assert not StreamingService.objects.filter(name="Loud").exists()

    def test_artists_cannot_reach_the_table(self, artist):
        address = reverse("admin:analysis_streamingservice_changelist")
        assert logged_in(artist).get(address).status_code == 302


class TestAlbum:
    def album(self, artist, heard, levels: list[float], **last: object):
        album = AlbumFactory(artist=artist, title="Orchard", release_date=date(2026, 9, 1))
        for position, level in enumerate(levels, 1):
            track = TrackFactory(
                artist=artist, album=album, position=position, title=f"Song {position}"
            )
            changes = last if position == len(levels) else {}
            listened(RevisionFactory(track=track), heard, integrated_lufs=level, **changes)
        return album

    def section(self, artist, album) -> str:
        page = logged_in(artist).get(album.get_absolute_url()).content.decode()
        return page.partition('id="consistency"')[2].partition("</section>")[0]

    def test_a_track_4_lu_louder_is_flagged(self, artist, heard):
        album = self.album(artist, heard, [-14.0, -14.2, -13.9, -10.0])
        text = self.section(artist, album)
        assert "Loudness jumps between tracks" in text
        assert "“Song 4”" in text
        # The median of the four is -13.95 LUFS.
        assert "+4.0 LU" in text or "+3.9 LU" in text
        assert "Fix before release" in text

    def test_an_even_album_is_green(self, artist, heard):
        text = self.section(artist, self.album(artist, heard, [-14.0, -14.2], true_peak_dbtp=-1.5))
        assert "Loudness is even" in text
        assert "Tone is even" in text

    def test_tracks_without_a_report_are_named(self, artist, heard):
        album = self.album(artist, heard, [-14.0])
        RevisionFactory(track=TrackFactory(artist=artist, album=album, title="Newest"))
        text = self.section(artist, album)
        assert "not compared: Newest." in text
        assert "Two tracks with a report are needed" in text

    def test_the_gap_before_a_track_without_a_report_is_not_known(self, artist, heard):
        album = self.album(artist, heard, [-14.0, -14.0, -14.0], silence_head_s=9.0)
        assert "Long gaps between tracks" in self.section(artist, album)
        unheard = TrackFactory(artist=artist, album=album, title="Newest", position=3)
        RevisionFactory(track=unheard)
        Track.objects.filter(title="Song 3").update(position=4)
        text = self.section(artist, album)
        assert "not compared: Newest." in text
        assert "Long gaps between tracks" not in text
        gaps = [row.partition('data-label="Gap after it">')[2] for row in text.split("<tr>")[2:]]
        assert ["not known" in gap for gap in gaps] == [False, True, False]
        assert "last" in gaps[2]

    def test_only_the_current_version_counts(self, artist, heard):
        album = self.album(artist, heard, [-14.0, -14.0, -9.0])
        louder = Track.objects.get(title="Song 3")
        listened(RevisionFactory(track=louder, number=2), heard, integrated_lufs=-14.1)
        assert "Loudness is even" in self.section(artist, album)

    def test_it_costs_the_same_for_many_tracks(self, artist, heard, django_assert_max_num_queries):
        album = self.album(artist, heard, [-14.0] * 12)
        client = logged_in(artist)
        with django_assert_max_num_queries(12):
            client.get(album.get_absolute_url())

    def test_an_empty_album_has_no_section(self, artist):
        assert self.section(artist, AlbumFactory(artist=artist)) == ""
