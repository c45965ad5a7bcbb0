"""Reports from before tonal curves were kept: judged as they were, and heard again by a click."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from analysis.models import Job, JobState
from analysis.target_selectors import value_of
from analysis.versions import listen_version
from catalog.models import Revision
from catalog.services import sharing
from tests.analysis.mix_targets.songs import logged_in, of_tracks, older
from tests.factories import JobFactory, ReportFactory, RevisionFactory

NOTE = "Made by an older version; listen again to compare with other targets"
TONAL = {
    "id": "tonal_bass",
    "category": "tonal",
    "severity": "advice",
    "title": "Too much bass",
    "explanation": "The bass is 3.2 dB above the corridor.",
    "where": {"low_hz": 60.0, "high_hz": 250.0, "start_s": None, "end_s": None},
    "amount_db": 3.2,
    "confidence": 0.9,
    "advice": {
        "text": "Turn it down.", "type": "bell", "freq_hz": 120.0, "q": 0.9, "gain_db": -2.0
    },
    "importance": 3.0,
}  # fmt: skip


def track_of(artist, heard, *findings: dict):
    revision = RevisionFactory(track__artist=artist)
    document = older(heard.document, findings=list(findings))
    ReportFactory(content_sha256=revision.content_sha256, document=document)
    JobFactory(revision=revision, state=JobState.DONE, model_version="m2+test")
    return revision.track, document["mix"]


@pytest.mark.parametrize("target", ["", "jazz", "own"])
def test_the_judgement_of_its_time_stays_whatever_is_chosen(artist, heard, make_track, target):
    own = of_tracks(artist, make_track(), name="Night")
    track, mix = track_of(artist, heard, TONAL)
    asked = {"target": value_of(own.pk) if target == "own" else target}
    client = logged_in(artist)
    page = client.get(track.get_absolute_url(), asked)
    text = page.content.decode()
    assert page.context["doc"]["mix"] == mix
    assert "Too much bass" in text
    assert NOTE in text
    assert 'name="target"' not in text, "there is nothing to choose yet"
    assert page.context["target"] == mix["genre"]
    assert "Night" not in text.partition('id="findings"')[2].partition("</section>")[0]
    document = client.get(reverse("report_json", args=[track.pk]), asked).json()
    assert document["mix"] == json.loads(json.dumps(mix))


def test_the_default_target_does_not_judge_it_anew_either(artist, heard, make_track):
    artist.default_genre = value_of(of_tracks(artist, make_track()).pk)
    artist.save()
    track, mix = track_of(artist, heard, TONAL)
    page = logged_in(artist).get(track.get_absolute_url())
    assert page.context["doc"]["mix"] == mix
    assert page.context["own_target"] is None


def test_without_findings_nothing_is_claimed(artist, heard):
    track, _mix = track_of(artist, heard)
    text = logged_in(artist).get(track.get_absolute_url(), {"target": "jazz"}).content.decode()
    link = sharing.create_share_link(track, show_mix=True)
    shared = Client().get(reverse("shared", args=[link.token])).content.decode()
    for page in (text, shared):
        assert "No findings at the time" in page
        assert "Nothing outside the corridor" not in page
        assert "In range" not in page
    assert NOTE in text
    assert NOTE not in shared, "visitors cannot listen again"
    assert "Listen again" not in shared


def test_the_button_has_todays_version_listen(artist, heard):
    track, _mix = track_of(artist, heard, TONAL)
    client = logged_in(artist)
    text = client.get(track.get_absolute_url()).content.decode()
    button = reverse("job_retry", args=[Job.objects.get().pk])
    assert button in text.partition(NOTE)[2].partition("</form>")[0]
    client.post(button)
    revision = Revision.objects.get(track=track)
    assert revision.jobs.filter(model_version=listen_version(), state=JobState.QUEUED).count() == 1
    again = client.get(track.get_absolute_url()).content.decode()
    assert "It is being listened to again" in again
    assert button not in again.partition(NOTE)[2].partition("</section>")[0]


def test_a_report_of_today_has_no_such_note(artist, make_track):
    text = logged_in(artist).get(make_track().get_absolute_url()).content.decode()
    assert NOTE not in text
    assert 'name="target"' in text
