"""Keeping the queues' clusters: what counts as hung, and what a dead one leaves behind."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from analysis import jobs
from analysis.management.commands import run_workers
from analysis.management.commands.run_workers import Cluster, Progress, release_tickets
from analysis.models import Job, JobState, Stage
from catalog.models import Artist, Revision, Track, User


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A cluster that has been running for two minutes (any process serves)."""
    monkeypatch.setattr(jobs, "stalled", lambda queue: False)
    cluster = Cluster("listen", tmp_path / "beat")
    cluster.child.command = ["sleep", "60"]
    cluster.child.start()
    cluster.child.started_at -= 120
    cluster.beat_file.touch()
    yield cluster
    cluster.child.kill_rest()


def test_beating_cluster_is_well(cluster):
    assert cluster.is_hung() is None


def test_silent_cluster_is_hung(cluster):
    long_ago = time.time() - 60
    os.utime(cluster.beat_file, (long_ago, long_ago))
    assert cluster.is_hung().startswith("gave no sign of life for 60 s")


def test_cluster_that_takes_no_jobs_is_hung(cluster, monkeypatch):
    monkeypatch.setattr(jobs, "stalled", lambda queue: queue == "listen")
    assert cluster.is_hung() == "does not take the jobs that wait for it"


def test_cluster_that_never_beat_is_given_time_to_start(cluster):
    cluster.beat_file.unlink()
    cluster.child.started_at = time.monotonic()
    assert cluster.is_hung() is None
    cluster.child.started_at -= 120
    assert cluster.is_hung() == "never gave a sign of life"


def test_threads_of_all_workers_together_fit_the_machine(cluster, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setitem(run_workers.WORKERS_OF_QUEUE, "listen", 4)
    assert Cluster("listen", tmp_path / "b").child.env["OMP_NUM_THREADS"] == "4"
    monkeypatch.setitem(run_workers.WORKERS_OF_QUEUE, "listen", 40)
    assert Cluster("listen", tmp_path / "b").child.env["OMP_NUM_THREADS"] == "1"


@pytest.mark.django_db
def test_tickets_of_a_dead_cluster_are_handed_out_again_at_once():
    now = timezone.now()
    taken = OrmQ.objects.create(key="listen", payload="x", lock=now + timedelta(seconds=2_100))
    other = OrmQ.objects.create(key="heavy", payload="x", lock=now + timedelta(seconds=2_100))
    release_tickets("listen")
    taken.refresh_from_db()
    other.refresh_from_db()
    assert taken.lock <= timezone.now()
    assert other.lock > timezone.now()


@pytest.mark.django_db
def test_progress_is_told_when_it_changed():
    said: list[str] = []
    progress = Progress(said.append)
    progress.tell()
    first = make_jobs(3)
    Job.objects.update(state=JobState.DONE)
    Progress(said.append).tell()
    assert said == []  # nothing to do, and all done when it started: no news

    second = make_jobs(2)
    progress.tell()
    progress.tell()
    Job.objects.filter(pk=second[0].pk).update(state=JobState.FAILED)
    Job.objects.filter(pk=second[1].pk).update(state=JobState.DONE)
    progress.tell()
    assert said == ["  3 of 5 reports done", "  4 of 5 reports done, 1 failed"]
    assert len(first) == 3


def make_jobs(count: int) -> list[Job]:
    """Queued jobs of one new artist."""
    user = User.objects.create_user(f"artist{User.objects.count()}@example.org")
    artist, _ = Artist.objects.get_or_create(user=user, defaults={"name": "Somebody"})
    made = []
    for number in range(count):
        track = Track.objects.create(artist=artist, title=f"Song {number}")
        revision = Revision.objects.create(
            track=track,
            artist=artist,
            number=1,
            file="audio/none",
            original_name="song.wav",
            content_sha256=f"{number:064x}",
            size_bytes=1,
            duration_s=1.0,
            sample_rate=44_100,
            channels=2,
            codec="pcm_s16le",
            container="wav",
            lossless=True,
        )
        made.append(
            Job.objects.create(
                revision=revision, artist=artist, stage=Stage.LISTEN, model_version="1"
            )
        )
    return made


def test_run_workers_needs_no_terminal_arguments(tmp_path: Path):
    parser = run_workers.Command().create_parser("manage.py", "run_workers")
    assert parser.parse_args([]).queues == ["listen", "heavy"]
    assert parser.parse_args(["--queues", "heavy"]).queues == ["heavy"]
