"""A run of the pool: what it takes, what it makes of it, and that it may be killed anywhere."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from analysis import background
from analysis.background import WorkState
from analysis.labels import pool_services, pool_storing
from analysis.labels.clip_files import read_clip
from analysis.labels.duplicates import KnownClips, as_stored
from analysis.labels.holding_out import singer_lot
from analysis.labels.models import ClipState, CutRecording, LabelSettings, PoolRun, VoiceClip
from analysis.labels.pool import collect
from analysis.labels.pool_cutting import Candidate, Cut
from analysis.models import Job, JobState, Stage
from analysis.neural.timbre.fingerprint import fingerprint
from analysis.neural.weights import find
from catalog.models import Artist, Track
from tests.analysis.labels.conftest import voice
from tests.analysis.labels.pool_songs import Quiet, claimed, sung_stem, with_stems
from tests.factories import ArtistFactory, JobFactory, RevisionFactory, TrackFactory
from tests.voices import RATE, stems_report

pytestmark = pytest.mark.django_db


@pytest.fixture
def artist() -> Artist:
    return ArtistFactory(may_train=True)


def test_allowed_songs_become_clips_and_others_do_not(artist):
    allowed = with_stems(artist, 1)
    old = RevisionFactory(track=allowed.track, number=0)
    with_stems(artist, 2, track=TrackFactory(artist=artist, may_train=False))
    with_stems(artist, 3, track=TrackFactory(artist=artist, may_train=True, is_reference=True))
    with_stems(ArtistFactory(may_train=False), 4)
    run = claimed()
    assert collect(run, Quiet())
    clips = list(VoiceClip.objects.order_by("start_s"))
    assert {clip.revision_id for clip in clips} == {allowed.pk}
    assert old.pk not in {clip.revision_id for clip in clips}
    assert [round(clip.seconds) for clip in clips] == [3, 3]
    assert {clip.singer for clip in clips} == {f"artist-{artist.pk}"}
    # The sound is the stem's, from where the clip says.
    stem = sung_stem(1)[0]
    for clip in clips:
        part = stem[round(clip.start_s * RATE) : round(clip.end_s * RATE)]
        sound = read_clip(clip)
        gain = np.sqrt(np.mean(part**2) / np.mean(sound**2))
        assert 20 * np.log10(gain) == pytest.approx(-clip.facts["gain_db"], abs=0.2)
        assert clip.facts["over_accompaniment_db"] > 3.0
    run.refresh_from_db()
    assert run.state == WorkState.DONE
    assert (run.counts["tracks"], run.counts["cut"], run.counts["clips"]) == (1, 1, 2)


def test_the_serving_model_has_heard_every_clip(artist):
    with_stems(artist)
    collect(claimed(), Quiet())
    identity = find("timbre").identity
    for clip in VoiceClip.objects.all():
        assert clip.predicted_by == identity
        assert set(clip.predicted) == {"warm", "bright", "breathy", "rough", "clean"}
        assert all(0.0 < value < 1.0 for value in clip.predicted.values())


def test_running_again_changes_nothing(artist):
    with_stems(artist)
    collect(claimed(), Quiet())
    before = list(VoiceClip.objects.values().order_by("pk"))
    again = claimed()
    assert collect(again, Quiet())
    assert list(VoiceClip.objects.values().order_by("pk")) == before
    assert "clips" not in again.counts


def test_same_take_in_another_master_is_a_duplicate_and_another_song_is_not(artist):
    first = with_stems(artist, 1)
    collect(claimed(), Quiet())
    # A new version: the same singing, louder, and the old clips stay.
    with_stems(artist, 1, track=first.track, number=2, level=1.7)
    with_stems(artist, 7)
    collect(claimed(), Quiet())
    of_new = VoiceClip.objects.filter(revision__number=2)
    assert {clip.state for clip in of_new} == {ClipState.DUPLICATE}
    assert {clip.duplicate_of.revision_id for clip in of_new} == {first.pk}
    in_pool = VoiceClip.objects.filter(state=ClipState.POOL)
    assert in_pool.count() == 4
    assert in_pool.filter(revision=first).count() == 2


def test_duplicate_takes_the_place_of_an_original_that_goes(artist):
    first = with_stems(artist, 1)
    collect(claimed(), Quiet())
    second = with_stems(ArtistFactory(may_train=True), 1, level=0.6)
    collect(claimed(), Quiet())
    assert not VoiceClip.objects.filter(revision=second, state=ClipState.POOL).exists()
    first.track.delete()
    collect(claimed(), Quiet())
    assert VoiceClip.objects.filter(revision=second, state=ClipState.POOL).count() == 2


def test_the_same_file_of_two_artists_is_one_clip(artist, django_capture_on_commit_callbacks):
    other = ArtistFactory(may_train=True)
    first = with_stems(artist, 1)
    second = with_stems(other, 1, content_sha256="f" * 64)
    collect(claimed(), Quiet())
    assert VoiceClip.objects.count() == 2
    assert CutRecording.objects.get(revision=second).identical == 2
    with django_capture_on_commit_callbacks(execute=True):
        first.track.delete()
    run = pool_services.open_run()
    assert run is not None
    collect(claimed(run), Quiet())
    assert VoiceClip.objects.filter(revision=second, state=ClipState.POOL).count() == 2


def test_a_phrase_that_is_copied_within_a_recording_is_one_clip(artist):
    samples = voice(9)
    twice = [
        Candidate(
            key=f"phrase at {start_s}",
            start_s=start_s,
            end_s=start_s + 3.0,
            samples=samples,
            fingerprint=as_stored(fingerprint(samples)),
            facts={},
        )
        for start_s in (0.0, 8.0)
    ]
    origin = pool_storing.Origin(revision=with_stems(artist, 1))
    stored = pool_storing.store_cut(claimed(), origin, Cut(2, "", iter(twice)), KnownClips())
    assert (stored.clips, stored.duplicates, stored.identical) == (1, 0, 0)
    assert VoiceClip.objects.get().start_s == 0.0
    assert default_storage.exists(VoiceClip.objects.get().file)


@pytest.mark.parametrize("after_files", [1, 3])
def test_killed_anywhere_it_ends_the_same(artist, monkeypatch, after_files):
    """The process ends while files are written or before the rows are; the next one finishes."""
    for seed in (1, 5):
        with_stems(artist, seed)
    write, written = pool_storing.clip_files.write_clip, []

    class Killed(BaseException):
        pass

    def dying(*args, **kwargs):
        if len(written) == after_files:
            raise Killed
        written.append(write(*args, **kwargs))
        return written[-1]

    with monkeypatch.context() as patch:
        patch.setattr(pool_storing.clip_files, "write_clip", dying)
        # What is killed tidies nothing up.
        patch.setattr(pool_storing.clip_files, "delete_files", lambda name: None)
        run = claimed()
        with pytest.raises(Killed):
            collect(run, Quiet())
    PoolRun.objects.filter(pk=run.pk).update(state=WorkState.QUEUED)
    assert collect(claimed(run), Quiet())
    clips = VoiceClip.objects.all()
    assert clips.count() == 4
    assert PoolRun.objects.get().counts["clips"] == 4
    stored = [name for _, _, names in _walk("clips") for name in names]
    assert sorted(stored) == sorted(["voice.flac", "spectrogram.png"] * 4)
    assert all(default_storage.exists(clip.file) for clip in clips)


def _walk(base: str):
    folders, names = default_storage.listdir(base)
    yield base, folders, names
    for folder in folders:
        yield from _walk(f"{base}/{folder}")


def test_it_waits_for_stems_without_a_worker_and_goes_on_when_they_are_there(artist):
    revision = RevisionFactory(track=TrackFactory(artist=artist, may_train=True))
    run = claimed()
    assert not collect(run, Quiet())
    run.refresh_from_db()
    assert (run.state, run.counts["waiting"]) == (WorkState.QUEUED, 1)
    assert "stems of 1 track" in run.message
    job = Job.objects.get(revision=revision, stage=Stage.SEPARATE)
    assert job.priority < 0
    # The watchdog leaves it alone for some minutes, and then has it look again.
    background.tick()
    assert PoolRun.objects.get().ticket == run.ticket
    PoolRun.objects.update(dispatched_at=timezone.now() - timezone.timedelta(seconds=121))
    background.tick()
    assert PoolRun.objects.get().ticket != run.ticket
    # Stems are made for an artist who is in a hurry before those that only the pool waits for.
    stems_report(revision, {"vocals": sung_stem(1), "other": 0.01 * sung_stem(2)})
    Job.objects.filter(pk=job.pk).update(state=JobState.DONE)
    assert collect(claimed(run), Quiet())
    assert VoiceClip.objects.filter(revision=revision).count() == 2


def test_stems_that_are_ready_wake_it(artist, django_capture_on_commit_callbacks):
    from analysis import jobs

    revision = RevisionFactory(track=TrackFactory(artist=artist, may_train=True))
    run = claimed()
    collect(run, Quiet())
    parked = PoolRun.objects.get().ticket
    job = Job.objects.get(revision=revision)
    Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING, ticket=uuid.uuid4())
    job.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        jobs.finish(job)
    woken = PoolRun.objects.get()
    assert woken.ticket not in (None, parked)
    assert woken.dispatched_at <= timezone.now()


def test_stems_that_cannot_be_made_are_not_waited_for(artist):
    revision = RevisionFactory(track=TrackFactory(artist=artist, may_train=True))
    JobFactory(revision=revision, stage=Stage.SEPARATE, state=JobState.FAILED)
    run = claimed()
    assert collect(run, Quiet())
    assert (run.counts["waiting"], run.counts["stemless"]) == (0, 1)


def test_artists_own_wish_is_served_before_the_pools(artist):
    from analysis import separation_services

    revision = RevisionFactory(track=TrackFactory(artist=artist, may_train=True))
    collect(claimed(), Quiet())
    separation_services.request_separation([revision.pk])
    assert Job.objects.get(revision=revision).priority == 0


def test_stopped_run_ends_and_resumes(artist):
    for seed in (1, 5, 9):
        with_stems(artist, seed)
    run = claimed()

    class Stopping(Quiet):
        def progress(self, fraction, message):
            if VoiceClip.objects.exists():
                assert pool_services.stop_run(run)
                raise background.Lost

    with pytest.raises(background.Lost):
        collect(run, Stopping())
    assert VoiceClip.objects.count() == 2
    resumed = pool_services.resume_run(PoolRun.objects.get())
    assert resumed.pk == run.pk
    assert collect(claimed(resumed), Quiet())
    assert VoiceClip.objects.count() == 6


def test_a_worker_that_was_given_up_stores_nothing(artist):
    with_stems(artist)
    run = claimed()
    PoolRun.objects.filter(pk=run.pk).update(ticket=uuid.uuid4())
    with pytest.raises(background.Lost):
        collect(run, Quiet())
    assert not VoiceClip.objects.exists()
    assert not [n for _, _, names in _walk(".") for n in names if n == "voice.flac"]


def test_consent_that_ends_while_a_song_is_cut_counts(artist, monkeypatch):
    with_stems(artist)
    write = pool_storing.clip_files.write_clip

    def withdrawing(*args, **kwargs):
        Track.objects.update(may_train=False)
        return write(*args, **kwargs)

    monkeypatch.setattr(pool_storing.clip_files, "write_clip", withdrawing)
    assert collect(claimed(), Quiet())
    assert not VoiceClip.objects.exists()
    assert not [n for _, _, names in _walk(".") for n in names if n == "voice.flac"]


def test_a_long_run_gives_others_a_turn(artist):
    for seed in (1, 5):
        with_stems(artist, seed)
    run = claimed()
    assert not collect(run, Quiet(), round_s=0.0)
    run.refresh_from_db()
    assert (run.state, run.ticket, run.attempts) == (WorkState.QUEUED, None, 0)
    rounds = 0
    while not collect(claimed(run), Quiet(), round_s=0.4):
        rounds += 1
        assert rounds < 20
    assert VoiceClip.objects.count() == 4


def test_there_is_one_open_run_and_it_does_what_all_asked_for(artist):
    other = ArtistFactory(may_train=True)
    first = pool_services.request_run(scope=pool_services.scope_of([artist.pk]))
    assert pool_services.request_run(scope=pool_services.scope_of([other.pk])).pk == first.pk
    assert PoolRun.objects.get().scope["artists"] == sorted([artist.pk, other.pk])
    pool_services.request_run()
    assert "artists" not in PoolRun.objects.get().scope
    for one, seed in ((artist, 1), (other, 5)):
        with_stems(one, seed)
    run = claimed(first)
    assert not collect(run, Quiet())  # asked for more meanwhile, so it looks again
    assert collect(claimed(first), Quiet())
    assert VoiceClip.objects.values("artist").distinct().count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_worker_does_it_from_its_ticket():
    with_stems(ArtistFactory(may_train=True))
    run = PoolRun.objects.create(ticket=(ticket := uuid.uuid4()))
    background.run(PoolRun._meta.label, run.pk, ticket)
    run.refresh_from_db()
    assert (run.state, run.percent, run.counts["clips"]) == (WorkState.DONE, 100, 2), run.detail


def test_singers_are_held_out_for_good_and_by_lot(make_clip):
    LabelSettings.objects.update_or_create(pk=1, defaults={"held_out_share": 0.25})
    lots = [singer_lot(f"artist-{number}") for number in range(2_000)]
    assert np.mean(np.array(lots) < 0.25) == pytest.approx(0.25, abs=0.03)
    share = 0.5 * (1.0 + singer_lot("artist-1"))
    LabelSettings.objects.update(held_out_share=share)
    from analysis.labels.holding_out import is_held_out

    assert is_held_out("artist-1")
    make_clip("artist-1", is_held_out=True)
    LabelSettings.objects.update(held_out_share=0.0)
    assert is_held_out("artist-1")  # decided once
    assert not is_held_out("artist-2")
