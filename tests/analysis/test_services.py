"""Listening as a job: real files in, reports out, nothing half written, nothing left behind."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import uuid
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.utils import timezone

from analysis import jobs, services
from analysis.models import Embedding, Job, JobState, Report, Stage
from catalog import signals
from catalog.models import Revision
from tests.factories import ReportFactory, RevisionFactory, TrackFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def song() -> bytes:
    """A real song of half a minute."""
    spec = importlib.util.find_spec("immich_memories_music")
    return (Path(spec.origin).parent / "tracks/happy/happy_acoustic_2.opus").read_bytes()


def revision_with(content: bytes, **fields):
    return RevisionFactory(
        file=ContentFile(content, name="x"),
        content_sha256=hashlib.sha256(content).hexdigest(),
        **fields,
    )


def run_next(revision) -> Job:
    """Hand the revision's job to a worker in this process."""
    job = Job.objects.get(revision=revision)
    ticket = uuid.uuid4()
    Job.objects.filter(pk=job.pk).update(ticket=ticket, dispatched_at=timezone.now())
    services.run(job.pk, ticket)
    job.refresh_from_db()
    return job


def derived_files(sha256: str) -> list[str]:
    def walk(folder: str) -> list[str]:
        try:
            folders, files = default_storage.listdir(folder)
        except FileNotFoundError:
            return []
        return [f"{folder}/{f}" for f in files] + [
            name for sub in folders for name in walk(f"{folder}/{sub}")
        ]

    return walk(services.derived_prefix(sha256))


# The heart beats on a connection of its own and must see the job.
@pytest.mark.django_db(transaction=True)
class TestListening:
    def test_a_song_becomes_a_report(self, song):
        revision = revision_with(song)
        services.request_listening([revision.pk])
        job = run_next(revision)
        assert (job.state, job.percent, job.reason) == (JobState.DONE, 100, "")
        report = Report.objects.get(content_sha256=revision.content_sha256)
        # The package's licence file gives tempo and key of each generated song.
        assert report.tempo_bpm == pytest.approx(110, rel=0.04)
        assert report.key == "E major"
        assert report.document["file"]["codec"] == "opus"
        assert len(report.embedding.vector) == 128
        # Waveform, spectrogram and the heat of the three likeliest genres.
        assert len(derived_files(revision.content_sha256)) == 5

    def test_running_twice_leaves_what_one_run_leaves(self, song):
        revision = revision_with(song)
        services.request_listening([revision.pk])
        run_next(revision)
        before = Report.objects.get().document, sorted(derived_files(revision.content_sha256))
        services.request_listening([revision.pk], afresh=True)
        job = run_next(revision)
        assert job.state == JobState.DONE
        assert Report.objects.count() == Embedding.objects.count() == Job.objects.count() == 1
        assert (
            Report.objects.get().document,
            sorted(derived_files(revision.content_sha256)),
        ) == before

    def test_the_same_content_of_two_artists_is_heard_once(self, song, monkeypatch):
        first, second = revision_with(song), revision_with(song)
        services.request_listening([first.pk, second.pk])
        run_next(first)
        monkeypatch.setattr("analysis.listening.listen", None)
        assert run_next(second).state == JobState.DONE
        assert Report.objects.count() == 1

    def test_a_crash_while_storing_leaves_nothing(self, song, monkeypatch):
        revision = revision_with(song)
        services.request_listening([revision.pk])

        def broken(*_args, **_kwargs):
            raise ZeroDivisionError

        monkeypatch.setattr(Embedding.objects, "update_or_create", broken)
        job = run_next(revision)
        assert (job.state, job.attempts) == (JobState.QUEUED, 1)
        assert not Report.objects.exists()

    def test_a_database_that_comes_back_is_waited_for(self, song, monkeypatch):
        revision = revision_with(song)
        services.request_listening([revision.pk])
        original, calls = services._store_listening, []

        def away_once(*args):
            calls.append(1)
            if len(calls) == 1:
                raise OperationalError("server closed the connection")
            return original(*args)

        monkeypatch.setattr(services, "_store_listening", away_once)
        assert run_next(revision).state == JobState.DONE
        assert len(calls) == 2

    def test_silence_is_refused_in_the_artists_words(self, tmp_path):
        path = tmp_path / "silence.wav"
        soundfile.write(path, np.zeros((44_100 * 3, 2)), 44_100)
        revision = revision_with(path.read_bytes())
        services.request_listening([revision.pk])
        job = run_next(revision)
        assert (job.state, job.reason_code) == (JobState.FAILED, "silent")
        assert "silent from start to end" in job.reason
        assert services.retry(job)
        job.refresh_from_db()
        assert (job.state, job.reason, job.attempts) == (JobState.QUEUED, "", 0)

    def test_a_missing_file_is_said(self, song):
        revision = revision_with(song)
        services.request_listening([revision.pk])
        default_storage.delete(revision.file.name)
        job = run_next(revision)
        assert (job.state, job.reason_code) == (JobState.FAILED, "file_missing")

    def test_a_track_deleted_in_mid_job_leaves_no_trace(self, song, monkeypatch):
        revision = revision_with(song)
        services.request_listening([revision.pk])
        job = Job.objects.get()
        ticket = uuid.uuid4()
        Job.objects.filter(pk=job.pk).update(ticket=ticket)
        from analysis import listening

        real = listening.listen

        def deleted_meanwhile(*args, **kwargs):
            found = real(*args, **kwargs)
            revision.track.delete()
            return found

        monkeypatch.setattr(listening, "listen", deleted_meanwhile)
        services.run(job.pk, ticket)
        assert not Job.objects.exists()
        assert not Report.objects.exists()
        assert derived_files(revision.content_sha256) == []

    def test_a_job_for_weights_that_no_longer_serve_moves_on(self, song):
        revision = revision_with(song)
        services.request_listening([revision.pk])
        Job.objects.update(model_version="m0+ears-0")
        job = Job.objects.get()
        ticket = uuid.uuid4()
        Job.objects.filter(pk=job.pk).update(ticket=ticket)
        services.run(job.pk, ticket)
        assert Job.objects.get().model_version != "m0+ears-0"


class TestAsking:
    def test_asking_twice_makes_one_job(self):
        revision = RevisionFactory()
        services.request_listening([revision.pk])
        services.request_listening([revision.pk])
        assert Job.objects.filter(revision=revision, stage=Stage.LISTEN).count() == 1

    def test_a_waiting_job_is_not_started_afresh(self):
        revision = RevisionFactory()
        services.request_listening([revision.pk])
        queued_at = Job.objects.get().queued_at
        services.request_listening([revision.pk], afresh=True)
        assert Job.objects.get().queued_at == queued_at

    def test_a_new_revision_is_queued_by_itself(self):
        revision = RevisionFactory()
        signals.revision_added.send(sender=type(revision), revision=revision)
        assert Job.objects.get().revision == revision

    def test_a_revision_whose_announcement_was_lost_is_found(self):
        forgotten, fresh = RevisionFactory(), RevisionFactory()
        long_ago = timezone.now() - timedelta(minutes=5)
        Revision.objects.filter(pk=forgotten.pk).update(created_at=long_ago)
        assert services.housekeeping() == 1
        assert [job.revision for job in Job.objects.all()] == [forgotten]
        assert fresh.jobs.count() == 0

    @pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED])
    def test_the_owners_button_repeats_what_is_over(self, state):
        revision = RevisionFactory()
        services.request_listening([revision.pk])
        Job.objects.update(state=state)
        services.listen_again(Job.objects.get())
        job = Job.objects.get()
        assert (job.state, job.afresh) == (JobState.QUEUED, state == JobState.DONE)

    def test_only_failed_jobs_are_retried(self):
        revision = RevisionFactory()
        services.request_listening([revision.pk])
        assert not services.retry(Job.objects.get())


@pytest.mark.django_db(transaction=True)
class TestRemoving:
    def test_what_was_found_goes_with_the_file(self, song):
        revision = revision_with(song)
        services.request_listening([revision.pk])
        run_next(revision)
        sha256 = revision.content_sha256
        revision.delete()
        signals.revision_removed.send(sender=type(revision), content_sha256=sha256)
        assert not Report.objects.exists()
        assert not Embedding.objects.exists()
        assert derived_files(sha256) == []

    def test_what_a_crash_left_of_a_removed_file_is_found(self, song, monkeypatch):
        removed, kept = revision_with(song), revision_with(b"another song")
        services.request_listening([removed.pk])
        run_next(removed)
        ReportFactory(content_sha256=kept.content_sha256)
        sha256 = removed.content_sha256
        # The process dies after the commit and before the announcement.
        monkeypatch.setattr(signals.revision_removed, "send_robust", lambda *args, **kwargs: [])
        removed.delete()
        assert derived_files(sha256) != []
        services.housekeeping()
        assert [report.content_sha256 for report in Report.objects.all()] == [kept.content_sha256]
        assert not Embedding.objects.exists()
        assert derived_files(sha256) == []

    def test_the_storage_is_looked_through_once_a_day(self):
        kept = revision_with(b"a song")
        long_ago = (timezone.now() - timedelta(days=2)).timestamp()

        def strays() -> list[str]:
            """A sound, and what was derived from one, that no row names."""
            names = ["audio/99/stray", f"{services.derived_prefix('ab' * 32)}/listen/v/heat.png"]
            for name in names:
                default_storage.save(name, ContentFile(b"x"))
                os.utime(default_storage.path(name), (long_ago, long_ago))
            return names

        owned = f"{services.derived_prefix(kept.content_sha256)}/listen/v/heat.png"
        default_storage.save(owned, ContentFile(b"x"))
        names = strays()
        services.housekeeping()
        assert [default_storage.exists(name) for name in names] == [False, False]
        assert default_storage.listdir("derived/ab") == ([], [])
        assert default_storage.exists(owned)
        strays()
        services.housekeeping()
        assert [default_storage.exists(name) for name in names] == [True, True]
        cache.clear()  # as if a day had passed
        services.housekeeping()
        assert [default_storage.exists(name) for name in names] == [False, False]
        assert default_storage.exists(owned)

    def test_another_owner_of_the_content_keeps_the_report(self, song):
        first = revision_with(song)
        second = revision_with(song, track=TrackFactory())
        services.request_listening([first.pk])
        run_next(first)
        sha256 = first.content_sha256
        first.delete()
        signals.revision_removed.send(sender=type(second), content_sha256=sha256)
        assert Report.objects.filter(content_sha256=second.content_sha256).exists()
        assert len(derived_files(sha256)) == 5


def test_jobs_module_and_stages_agree():
    assert set(jobs.QUEUE_OF_STAGE) == set(Stage)
