"""The voice stage as a job: what it waits for, what it leaves, what happens when it cannot."""

from __future__ import annotations

import json
import uuid

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from analysis import jobs, selectors, separation_services, services, voice_services
from analysis.models import Job, JobState, Report, Stage
from analysis.versions import voice_version
from analysis.voice_document import voice_of
from catalog.models import Revision
from tests import voices
from tests.factories import RevisionFactory

# The heart beats on a connection of its own and must see the job.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def sounds() -> dict[str, np.ndarray]:
    voice = np.concatenate([voices.sung(4.0), voices.sung(4.0, f0_hz=311.0)], axis=1)
    time_s = np.arange(voice.shape[1]) / voices.RATE
    chord = sum(0.02 * np.sin(2 * np.pi * hz * time_s) for hz in (110.0, 164.8, 220.0))
    return {"vocals": voice, "other": np.stack([chord, chord]).astype(np.float32)}


@pytest.fixture
def revision() -> Revision:
    return RevisionFactory(duration_s=8.0)


def run(job: Job) -> Job:
    """Hand a job to a worker in this process."""
    ticket = uuid.uuid4()
    Job.objects.filter(pk=job.pk).update(ticket=ticket, dispatched_at=timezone.now())
    services.run(job.pk, ticket)
    return Job.objects.get(pk=job.pk)


def asked_for(revision: Revision, **options: bool) -> Job:
    (job,) = voice_services.request_voice([revision.pk], **options)
    return job


def test_it_listens_to_the_vocal_stem_and_keeps_a_report(revision, sounds):
    voices.stems_report(revision, sounds)
    job = run(asked_for(revision))
    assert (job.state, job.percent, job.reason) == (JobState.DONE, 100, "")
    report = selectors.report_of(revision, Stage.VOICE)
    assert report.model_version == voice_version()
    document = json.loads(json.dumps(report.document, allow_nan=False))
    assert set(document["tags"]) == {"warm", "bright", "breathy", "rough", "clean"}
    assert document["stems"]["engine"] == "starter"
    voice = voice_of(document)
    assert 4.0 < voice.sung_s <= 8.0
    # An even harmonic sound with little noise: firm and pure, by its measures.
    assert voice.evidence["hnr_db"].value > 15.0

    before = document
    assert run(asked_for(revision, afresh=True)).state == JobState.DONE
    assert Report.objects.get(stage=Stage.VOICE).document == before
    assert Job.objects.filter(stage=Stage.VOICE).count() == 1


def test_without_stems_it_asks_for_them_and_waits(revision, sounds):
    job = run(asked_for(revision))
    assert (job.state, job.ticket) == (JobState.QUEUED, None)
    separation = Job.objects.get(stage=Stage.SEPARATE)
    assert job.waits_for == separation
    assert jobs.dispatch(Stage.VOICE) == 0, "it is not handed out before"

    voices.stems_report(revision, sounds)
    Job.objects.filter(pk=separation.pk).update(state=JobState.DONE)
    jobs.settle_waiting()
    assert jobs.dispatch(Stage.VOICE) == 1
    assert run(job).state == JobState.DONE


def test_it_fails_with_the_separation_and_says_so(revision):
    job = run(asked_for(revision))
    Job.objects.filter(stage=Stage.SEPARATE).update(
        state=JobState.FAILED, reason="The file is damaged."
    )
    jobs.settle_waiting()
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert "The file is damaged." in job.reason
    assert asked_for(revision).state == JobState.QUEUED, "it can be tried again"


def test_nobody_sings(revision, sounds):
    silence = np.zeros_like(sounds["vocals"])
    voices.stems_report(revision, {"vocals": silence, "other": sounds["other"]})
    assert run(asked_for(revision)).state == JobState.DONE
    voice = voice_of(selectors.report_of(revision, Stage.VOICE).document)
    assert not voice.is_singing
    assert "silent" in voice.reason


def test_the_stems_stage_asks_for_it_where_it_was_wanted(revision, sounds):
    voices.stems_report(revision, sounds)
    separation_services.FOLLOW_UPS[Stage.VOICE]([revision.pk])
    assert Job.objects.get(stage=Stage.VOICE).state == JobState.QUEUED


def test_a_job_of_an_older_model_is_asked_for_anew(revision, sounds):
    voices.stems_report(revision, sounds)
    job = asked_for(revision)
    Job.objects.filter(pk=job.pk).update(model_version="v0+timbre-0")
    ticket = uuid.uuid4()
    Job.objects.filter(pk=job.pk).update(ticket=ticket, dispatched_at=timezone.now())
    services.run(job.pk, ticket)
    assert Job.objects.get(stage=Stage.VOICE).model_version == voice_version()
    assert not Report.objects.filter(stage=Stage.VOICE).exists()


def test_without_a_model_the_page_says_so(revision, monkeypatch, tmp_path):
    (tmp_path / "timbre.json").write_text(json.dumps({"file": "gone.safetensors", "sha256": ""}))
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    client = Client()
    client.force_login(revision.artist.user, backend="django.contrib.auth.backends.ModelBackend")
    page = client.post(reverse("voice_listen", args=[revision.track_id]), follow=True)
    assert "out of order on our side" in page.content.decode()
    assert not Job.objects.filter(stage=Stage.VOICE).exists()
    # What was heard before is shown all the same.
    voices.voice_report(revision)
    page = client.get(reverse("voice", args=[revision.track_id]))
    assert "What the voice is like" in page.content.decode()
