"""The stems as a job: what is kept, running twice, stopping, crashing, and what follows."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from django.core.files.storage import default_storage
from django.utils import timezone

from analysis import jobs, separation_job, separation_services, services, work_folders
from analysis.models import Job, JobState, Report, Stage
from analysis.neural import loaded_models
from analysis.neural.separation import engines
from analysis.stem_files import NoStems, stem_path, stems_report
from tests.analysis.stems.conftest import RATE, hand_out, logged_in, revision_of, run
from tests.factories import ArtistFactory, JobFactory

# The heart beats on a connection of its own and must see the job.
pytestmark = pytest.mark.django_db(transaction=True)


def ask(revision, **wishes) -> Job:
    (job,) = separation_services.request_separation([revision.pk], **wishes)
    return job


def work(revision) -> list[str]:
    base = Path(work_folders._base(separation_job.WORK_KIND))
    return sorted(p.name for p in base.glob(f"{revision.content_sha256}*/*.npy"))


def test_kept_whole_and_in_pieces_and_twice_is_once(revision, mix, watched, artist):
    job = run(ask(revision))
    assert (job.state, job.percent, job.reason) == (JobState.DONE, 100, "")
    report = stems_report(revision)
    document = report.document
    assert (document["engine"], document["is_starter"]) == ("starter", True)
    assert [stem["name"] for stem in document["stems"]] == ["vocals", "drums", "bass", "other"]
    total = 0
    for entry in document["stems"]:
        with stem_path(revision, entry["name"]) as path:
            whole, rate = soundfile.read(path)
            assert (rate, soundfile.info(path).subtype) == (RATE, "PCM_24")
        pieces = []
        for name in entry["chunks"]:
            path = default_storage.path(services.derived_name(report, name))
            assert soundfile.info(path).subtype == "PCM_16"
            pieces.append(soundfile.read(path)[0])
        assert [len(piece) for piece in pieces] == [10 * RATE, RATE]
        # Half a step of rounding and one of dither on either side.
        error = np.concatenate(pieces) - whole
        assert np.abs(error).max() <= 1.51 / 32_768
        assert abs(error.mean()) < 1e-6
        rms_db = 10 * np.log10(np.mean(whole**2))
        assert entry["level_db"] == pytest.approx(rms_db, abs=0.01)
        assert entry["peak_dbfs"] == pytest.approx(20 * np.log10(np.abs(whole).max()), abs=0.01)
        total = total + whole
    np.testing.assert_allclose(total, mix.T * 10 ** (document["lowered_db"] / 20), atol=1e-6)
    with pytest.raises(NoStems), stem_path(revision, "kazoo"):
        pass

    assert work(revision) == [], "nothing is left of the work"
    stored = {name: default_storage.size(name) for name in _stored(report)}
    for same in (ask(revision), ask(revision, engine="starter")):
        assert (same.pk, same.state) == (job.pk, JobState.DONE)
    run(ask(revision, afresh=True))
    assert watched.asked == [0, 1, 0, 1]
    assert Report.objects.filter(stage=Stage.SEPARATE).count() == Job.objects.count() == 1
    assert {name: default_storage.size(name) for name in _stored(report)} == stored

    # The same file in somebody else's hands is there at once.
    with revision.file.open() as file:
        other = revision_of(ArtistFactory(), file.read())
    theirs = ask(other)
    assert (theirs.state, theirs.percent) == (JobState.DONE, 100)
    assert stems_report(other) == stems_report(revision)

    # With its last version everything goes.
    services.remove_derived_if_unowned(revision.content_sha256)
    assert _stored(report)
    other.delete()
    revision.delete()
    services.remove_derived_if_unowned(revision.content_sha256)
    assert not _stored(report)


def _stored(report) -> list[str]:
    folder = services.derived_name(report, "")
    try:
        return [folder + name for name in default_storage.listdir(folder)[1]]
    except FileNotFoundError:
        return []


def test_stopped_by_its_artist_it_goes_on_where_it_was(revision, watched, artist, settings):
    settings.JOB_HEARTBEAT_SECONDS = 0.05
    job = ask(revision)

    def stop(number):
        address = f"/tracks/{revision.track_id}/stems/cancel/"
        assert logged_in(artist).post(address).status_code == 302
        time.sleep(1.0)  # several beats of the heart

    watched.after = stop
    job = run(job)
    assert (job.state, job.reason_code, job.ticket) == (JobState.CANCELLED, "cancelled", None)
    assert stems_report(revision) is None
    assert (watched.asked, work(revision)) == ([0], ["00000.npy"])

    assert ask(revision, again=False).state == JobState.CANCELLED
    watched.after = lambda number: None
    job = run(ask(revision))
    assert job.state == JobState.DONE
    assert watched.asked == [0, 1], "the first segment was not made again"
    assert stems_report(revision).document["n_samples"] == 11 * RATE


def test_a_killed_worker_costs_no_more_than_the_segment_it_was_at(revision, watched, monkeypatch):
    class Killed(BaseException):
        """Passes everything by, like the end of a process."""

    def die(number):
        if number == 1:
            raise Killed

    watched.after = die
    job = ask(revision)
    with pytest.raises(Killed):
        run(job)
    job.refresh_from_db()
    assert job.state == JobState.RUNNING
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=1))
    jobs.requeue_lost()
    watched.after = lambda number: None
    job = run(job)
    assert (job.state, job.losses, job.attempts) == (JobState.DONE, 1, 1)
    assert watched.asked == [0, 1, 1]


def test_a_job_that_waits_is_stopped_too(revision):
    job = ask(revision)
    ticket = hand_out(job)
    assert jobs.cancel(job)
    services.run(job.pk, ticket)
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert not jobs.cancel(job)


def test_unfinished_work_is_dropped_when_nobody_comes_back(revision):
    def folder(key):
        with work_folders.work_folder("separation", key, waiting=lambda: None) as made:
            (made / "mix.f32").write_bytes(b"x")
        return made

    kept = folder(f"{revision.content_sha256}-e")
    unowned, old = folder("f" * 64 + "-e"), folder(f"{revision.content_sha256}-old")
    days_ago = time.time() - 3 * 86_400
    os.utime(old, (days_ago, days_ago))
    with work_folders.work_folder("separation", "a" * 64 + "-e", waiting=lambda: None) as busy:
        services.housekeeping()
        assert busy.exists(), "somebody is at work in it"
    assert (kept.exists(), unowned.exists(), old.exists()) == (True, False, False)
    with work_folders.work_folder("separation", kept.name, waiting=lambda: None):

        class Asked(Exception):
            pass

        def no():
            raise Asked

        with (
            pytest.raises(Asked),
            work_folders.work_folder("separation", kept.name, waiting=no),
        ):
            pass


def test_the_engine_is_loaded_once_and_held_with_the_others():
    assert separation_job._engine("starter") is separation_job._engine("starter")
    (key,) = loaded_models.keys()
    assert key[1] == engines.identity("starter")
    loaded_models.drop_all()


def test_a_disk_without_room_is_said_plainly(revision, watched, monkeypatch):
    monkeypatch.setattr(work_folders, "free_bytes", lambda: 1_000)
    job = run(ask(revision))
    assert (job.state, job.reason_code) == (JobState.FAILED, "no_room")
    assert "not enough room" in job.reason


def test_an_engine_that_is_not_here_is_refused(revision):
    with pytest.raises(separation_services.EngineUnavailable):
        ask(revision, engine="htdemucs_ft")
    with pytest.raises(ValueError, match="lalal"):
        ask(revision, engine="lalal")
    assert not Job.objects.exists()


class TestWhatFollows:
    @pytest.fixture
    def asked(self, monkeypatch) -> list:
        found: list = []
        for stage in (Stage.VOICE, Stage.LYRICS):
            monkeypatch.setitem(
                separation_services.FOLLOW_UPS,
                stage,
                lambda ids, stage=stage: found.extend((stage, one) for one in ids),
            )
        return found

    def test_stages_are_asked_for_when_the_stems_are_there(self, revision, watched, asked):
        ask(revision, then=[Stage.VOICE])
        job = ask(revision, then=[Stage.LYRICS])
        assert not asked
        run(job)
        assert sorted(asked) == [(Stage.LYRICS, revision.pk), (Stage.VOICE, revision.pk)]
        asked.clear()
        ask(revision, then=[Stage.VOICE])
        assert asked == [(Stage.VOICE, revision.pk)], "at once, where they are there"

    @pytest.mark.parametrize(
        ("wishes", "stages"),
        [
            ({}, None),
            ({"auto_separate": True}, []),
            ({"auto_voice": True}, ["voice"]),
            ({"auto_separate": True, "auto_voice": True, "auto_lyrics": True}, ["lyrics", "voice"]),
        ],
    )
    def test_the_artist_s_settings_decide_what_begins_by_itself(self, revision, wishes, stages):
        artist = revision.artist
        for name, value in wishes.items():
            setattr(artist, name, value)
        artist.save()
        for is_reference in (True, False):
            revision.track.is_reference = is_reference
            revision.track.save()
            job = JobFactory(revision=revision, model_version=f"v{is_reference}")
            job.ticket, job.state = hand_out(job), JobState.RUNNING
            job.save()
            job.revision.refresh_from_db()
            services._finish_listening(job)
            found = Job.objects.filter(stage=Stage.SEPARATE).first()
            assert is_reference <= (found is None)
        assert (found and found.options["then"]) == stages

    def voice(self, revision, monkeypatch) -> Job:
        def listen_to_it(job, heart):
            if stems_report(job.revision) is None:
                separation_services.await_stems(job)
                return
            jobs.finish(job)

        monkeypatch.setitem(services.WORK, Stage.VOICE, listen_to_it)
        return JobFactory(revision=revision, stage=Stage.VOICE)

    def test_a_stage_without_stems_waits_for_them(self, revision, watched, monkeypatch):
        voice = run(self.voice(revision, monkeypatch))
        separation = Job.objects.get(stage=Stage.SEPARATE)
        assert (voice.state, voice.ticket, voice.attempts) == (JobState.QUEUED, None, 0)
        assert (voice.waits_for, voice.message) == (separation, "Waiting for the stems")
        assert jobs.dispatch(Stage.VOICE) == 0
        run(separation)
        voice.refresh_from_db()
        assert voice.waits_for is None
        assert run(voice).state == JobState.DONE

    def test_and_fails_plainly_where_nothing_can_make_them(self, revision, monkeypatch):
        monkeypatch.setattr(engines, "available", lambda: [])
        voice = run(self.voice(revision, monkeypatch))
        assert (voice.state, voice.reason_code) == (JobState.FAILED, "no_separate")
        assert "no engine" in voice.reason

    @pytest.mark.parametrize("end", [JobState.FAILED, JobState.CANCELLED])
    def test_and_ends_with_them(self, revision, monkeypatch, end):
        voice = run(self.voice(revision, monkeypatch))
        separation = Job.objects.get(stage=Stage.SEPARATE)
        if end == JobState.CANCELLED:
            jobs.cancel(separation)
        else:
            ticket = hand_out(separation)
            jobs.fail(jobs.claim(separation.pk, ticket), code="x", reason="No luck.", final=True)
            jobs.tick()
        voice.refresh_from_db()
        assert (voice.state, voice.reason_code) == (end, "no_separate")
        assert ("No luck." in voice.reason) == (end == JobState.FAILED)
