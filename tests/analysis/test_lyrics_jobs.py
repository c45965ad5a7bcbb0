"""The lyrics' jobs: waiting for stems, hearing words, timing the artist's own, done twice."""

from __future__ import annotations

import hashlib
import io
import uuid
from pathlib import Path

import numpy as np
import pytest
import soundfile
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from analysis import jobs, lyrics_services, separation_services, services
from analysis.lyrics_document import lines_of
from analysis.lyrics_keeping import save_edit
from analysis.lyrics_models import LyricsVersion
from analysis.lyrics_selectors import heard_report, lyrics_page
from analysis.models import Job, JobState, Report, Stage
from analysis.versions import lyrics_version
from catalog.models import Revision
from tests.factories import JobFactory, ReportFactory, RevisionFactory

SONG = Path(__file__).resolve().parents[3] / "shared/data/lyrics_jamendo/Confession_-_Quesabe.mp3"
FROM_S, UNTIL_S = 29.0, 33.7
# The data set's own annotation (Jamendo-Lyrics, by hand), on the clock of the cut.
ANNOTATED = [
    (0.167, "si t'es là c'est pour l'meilleur et pour le pire"),
    (2.497, "j'te retiendrais pas si tu veux partir un jour"),
]

# The heart beats on a connection of its own and must see the job.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def cut() -> bytes:
    """Five seconds of sung French as FLAC; its voice is clear, so it serves as its own stem."""
    if not SONG.exists():
        pytest.skip("the research data folder is not here")
    sound, rate = soundfile.read(SONG, start=int(FROM_S * 44_100), stop=int(UNTIL_S * 44_100))
    assert rate == 44_100
    return flac(sound)


def flac(sound: np.ndarray) -> bytes:
    """(n, channels) at 44.1 kHz as the bytes of a FLAC file."""
    file = io.BytesIO()
    soundfile.write(file, sound, 44_100, format="FLAC")
    return file.getvalue()


def song_revision(content: bytes) -> Revision:
    return RevisionFactory(
        file=ContentFile(content, name="x"),
        content_sha256=hashlib.sha256(content).hexdigest(),
        duration_s=UNTIL_S - FROM_S,
    )


def with_stems(revision: Revision, voice: bytes) -> Report:
    """Stems of a revision, as far as the lyrics look at them."""
    document = {
        "engine": "starter",
        "engine_label": "Starter",
        "is_starter": True,
        "stems": [{"name": "vocals", "label": "Vocals", "file": "vocals.flac"}],
    }
    report = ReportFactory(
        content_sha256=revision.content_sha256, stage=Stage.SEPARATE, document=document, genre=""
    )
    default_storage.save(services.derived_name(report, "vocals.flac"), ContentFile(voice))
    return report


def run(job: Job) -> Job:
    """Hand the job to a worker in this process."""
    ticket = uuid.uuid4()
    Job.objects.filter(pk=job.pk).update(ticket=ticket, dispatched_at=timezone.now())
    services.run(job.pk, ticket)
    job.refresh_from_db()
    return job


def test_without_stems_it_waits_for_them(client):
    revision = RevisionFactory()
    job = run(lyrics_services.request_lyrics(revision, language="fr"))
    assert (job.state, job.ticket, job.attempts) == (JobState.QUEUED, None, 0)
    assert job.waits_for.stage == Stage.SEPARATE
    assert lyrics_page(revision).waits_for_stems
    assert jobs.dispatch(Stage.LYRICS) == 0, "it is not handed out"
    Job.objects.filter(pk=job.waits_for_id).update(state=JobState.DONE)
    jobs.settle_waiting()
    assert jobs.dispatch(Stage.LYRICS) == 1


def test_it_follows_the_stems_where_the_settings_wish_it():
    revision, stopped = RevisionFactory(), RevisionFactory()
    job = lyrics_services.request_lyrics(stopped, language="")
    jobs.cancel(job)
    follow_up = separation_services.FOLLOW_UPS[Stage.LYRICS]
    for _ in range(2):
        follow_up([revision.pk, stopped.pk])
    assert Job.objects.get(revision=revision).model_version == lyrics_version("")
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED, "what the artist stopped does not begin again by itself"


@pytest.mark.data
def test_words_are_heard_and_the_artists_own_are_timed(cut):
    revision = song_revision(cut)
    with_stems(revision, cut)
    edited = save_edit(revision, [{"start_s": 0, "end_s": 1, "text": "mine"}], base=0, author=None)
    job = run(lyrics_services.request_lyrics(revision, language="fr"))
    assert (job.state, job.detail, job.reason) == (JobState.DONE, "", "")
    document = heard_report(revision).document
    assert document["singing"]
    assert (document["language"], document["language_source"]) == ("fr", "artist")
    assert document["stems"]["engine_label"] == "Starter"
    text = " ".join(line.text for line in lines_of(document)).lower()
    sung = {word for _, line in ANNOTATED for word in line.split()}
    assert len(sung & set(text.split())) >= 5, text
    assert LyricsVersion.objects.get() == edited, "the artist's own version is left alone"

    author = revision.artist.user
    own = [line for _, line in ANNOTATED]
    job = lyrics_services.request_alignment(revision, own, language="fr", author=author)
    job = run(job)
    assert (job.state, job.detail, job.reason) == (JobState.DONE, "", "")
    aligned = lyrics_page(revision)
    assert (aligned.own.number, aligned.own.origin, aligned.own.author) == (2, "aligned", author)
    assert [line.text for line in aligned.lines] == own
    for line, (start_s, _) in zip(aligned.lines, ANNOTATED, strict=True):
        assert line.start_s == pytest.approx(start_s, abs=0.7)
    assert Report.objects.filter(stage=Stage.LYRICS).count() == 1


def test_an_instrumental_gets_no_words():
    at = np.arange(3 * 44_100) / 44_100
    mix = flac(np.stack([0.3 * np.sin(2 * np.pi * hz * at) for hz in (220.0, 330.0)], axis=1))
    revision = song_revision(mix)
    with_stems(revision, flac(np.zeros((3 * 44_100, 2))))
    assert run(lyrics_services.request_lyrics(revision, language="")).state == JobState.DONE
    page = lyrics_page(revision)
    assert (page.no_singing, page.lines) == (True, [])

    author = revision.artist.user
    job = lyrics_services.request_alignment(revision, ["la la"], language="en", author=author)
    job = run(job)
    assert (job.state, job.reason_code) == (JobState.FAILED, "not_alignable")
    assert "no singing was found" in job.reason
    assert lyrics_services.try_again(job).options["lines"] == ["la la"], "the text is kept"
    assert not LyricsVersion.objects.exists()


def test_what_was_heard_is_not_heard_again_unasked():
    revision = RevisionFactory()
    version = lyrics_version("fr")
    report = ReportFactory(
        content_sha256=revision.content_sha256, stage=Stage.LYRICS, model_version=version, genre=""
    )
    job = run(lyrics_services.request_lyrics(revision, language="fr"))
    assert job.state == JobState.DONE
    assert Report.objects.get(stage=Stage.LYRICS) == report
    assert not Job.objects.filter(stage=Stage.SEPARATE).exists()


def test_a_job_of_an_older_model_is_asked_for_anew():
    revision = RevisionFactory()
    old = JobFactory(
        revision=revision,
        stage=Stage.LYRICS,
        model_version="l0+whisper-old+fr",
        options={"language": "fr"},
    )
    ticket = uuid.uuid4()
    Job.objects.filter(pk=old.pk).update(ticket=ticket)
    services.run(old.pk, ticket)
    assert Job.objects.get().model_version == lyrics_version("fr")
