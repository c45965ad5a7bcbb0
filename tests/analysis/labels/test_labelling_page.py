"""The pages of labelling, and what they ask the server for."""

from __future__ import annotations

import json
import uuid

import pytest
from django.test import Client
from django.urls import reverse

from analysis.labels import label_settings, labelling_requests
from analysis.labels.models import Ballot, LabelSettings, TimbreTag, VoiceClip
from sonicsite.limits import TokenBuckets
from tests.analysis.labels.test_queue import rows, wish
from tests.factories import UserFactory

NEXT, HOLD, BALLOTS = "/labels/work/next/", "/labels/work/hold/", "/labels/work/ballots/"


@pytest.fixture
def rater(db):
    return UserFactory(role="labeller")


@pytest.fixture
def browser(client: Client, rater) -> Client:
    client.force_login(rater)
    return client


@pytest.fixture
def clips(db) -> list[VoiceClip]:
    wish(control_share=0.0)
    return rows([0.2, 0.5, 0.8], predicted={"warm": 0.8123, "rough": 0.4321}, predicted_by="m-7")


def post(browser: Client, address: str, body: object):
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return browser.post(address, text, content_type="application/json")


def next_of(browser: Client, holding=()) -> dict | None:
    answer = post(browser, NEXT, {"holding": list(holding)})
    assert answer.status_code == 200
    return answer.json()["clip"]


def ballot_for(clip: dict, **changes: object) -> dict:
    sent = {"ballot": str(uuid.uuid4()), "clip": clip["id"], "votes": {"warm": "yes"}, "seconds": 3}
    return {**sent, **changes}


def test_from_clip_to_vote_to_undo(browser, clips):
    first = next_of(browser)
    second = next_of(browser, [first["id"]])
    assert first["id"] != second["id"]
    assert first == {
        "id": first["id"],
        "audio": reverse("voice_clip_audio", args=[first["id"]]),
        "picture": reverse("voice_clip_spectrogram", args=[first["id"]]),
        "seconds": 3.0,
    }
    sent = ballot_for(first)
    assert post(browser, BALLOTS, sent).json() == {"ballot": sent["ballot"], "guess": None}
    assert post(browser, BALLOTS, sent).status_code == 200
    before = browser.get(f"{BALLOTS}before/").json()["ballot"]
    assert (before["id"], before["votes"]) == (sent["ballot"], {"warm": "yes"})
    assert browser.get(f"{BALLOTS}before/?ballot={sent['ballot']}").json() == {"ballot": None}
    changed = {"votes": {"warm": "no"}, "seconds": 1.5}
    assert post(browser, f"{BALLOTS}{sent['ballot']}/change/", changed).status_code == 200
    assert browser.get(f"{BALLOTS}{sent['ballot']}/").json()["ballot"]["votes"] == {"warm": "no"}
    assert post(browser, f"{BALLOTS}{sent['ballot']}/undo/", {}).status_code == 200
    assert not Ballot.objects.filter(skipped=False).exists()


def test_what_the_model_thinks_reaches_nobody_before_the_vote(browser, rater, clips):
    """Neither its figures nor their names nor the reason of the draw, in no page and no answer."""
    pages = browser.get("/labels/").content + browser.get("/labels/work/").content
    seen = b""
    answer = post(browser, NEXT, {"holding": []})
    first = answer.json()["clip"]
    seen += answer.content
    seen += post(browser, HOLD, {"clips": [first["id"]]}).content
    skipped = post(browser, BALLOTS, ballot_for(first, votes={}, skipped=True, guess=True))
    seen += skipped.content
    seen += browser.get(f"{BALLOTS}before/").content
    second = next_of(browser)
    silent = post(browser, BALLOTS, ballot_for(second))
    seen += silent.content
    for secret in (b"0.81", b"81 %", b"81%", b"0.43", b"43 %", b"m-7", b"predict"):
        assert secret not in pages + seen, secret
    for reason in (b"uncertain", b"balance", b"control", b"strategy"):
        assert reason not in seen, reason
    third = next_of(browser)
    told = post(browser, BALLOTS, ballot_for(third, guess=True)).json()["guess"]
    assert told == {"warm": 0.812, "rough": 0.432}


def test_leaving_gives_the_clips_back_with_a_token_in_the_form(rater, clips):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(rater)
    token = strict.get("/labels/work/").cookies["csrftoken"].value
    VoiceClip.objects.update(locked_by=rater, locked_until="2100-01-01T00:00Z")
    names = json.dumps([str(clip.pk) for clip in clips])
    release = "/labels/work/release/"
    assert strict.post(release, {"clips": names}).status_code == 403
    assert strict.post(NEXT, "{}", content_type="application/json").status_code == 403
    sent = {"clips": names, "csrfmiddlewaretoken": token}
    assert strict.post(release, sent).status_code == 204
    assert not VoiceClip.objects.filter(locked_by__isnull=False).exists()


@pytest.mark.parametrize("role", ["artist", "partner"])
def test_only_labellers_and_staff_may_label(client, clips, role):
    addresses = ["/labels/", "/labels/work/", f"{BALLOTS}before/"]
    assert client.get("/labels/").status_code == 302
    assert post(client, NEXT, {}).status_code == 302
    client.force_login(UserFactory(role=role))
    for address in addresses:
        assert client.get(address).status_code == 403
    for address in (NEXT, HOLD, BALLOTS, f"{BALLOTS}{uuid.uuid4()}/undo/", "/labels/work/release/"):
        assert post(client, address, {}).status_code == 403
    assert "Labelling" not in client.get("/library/").content.decode()


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        "[" * 5_000,
        "[1]",
        '{"holding": "all"}',
        '{"holding": ["a\\u0000b"]}',
        json.dumps({"holding": [str(uuid.uuid4())] * 51}),
        " " * 20_001,
    ],
)
def test_hostile_requests_are_refused_in_words(browser, clips, body):
    answer = post(browser, NEXT, body)
    assert answer.status_code in (400, 413)
    assert answer.json()["detail"]
    assert not VoiceClip.objects.filter(locked_by__isnull=False).exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"ballot": "7"},
        {"clip": None},
        {"votes": ["warm"]},
        {"votes": {"warm": 1}},
        {"votes": {"warm\0": "yes"}},
        {"seconds": "fast"},
        {"seconds": 10**400},
        {"seconds": True},
        {"votes": {}},
        {"clip": str(uuid.uuid4())},
    ],
)
def test_hostile_answers_are_refused_in_words(browser, clips, changes):
    sent = {**ballot_for({"id": str(clips[0].pk)}), **changes}
    answer = post(browser, BALLOTS, sent)
    assert 400 <= answer.status_code < 500
    assert answer.json()["detail"]
    assert not Ballot.objects.exists()


def test_a_script_that_asks_without_end_is_told_to_wait(browser, clips, monkeypatch):
    monkeypatch.setattr(labelling_requests, "_CLIPS", TokenBuckets(rate=0.1, burst=2))
    answers = [post(browser, NEXT, {"holding": []}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2]["Retry-After"]) >= 1
    # However often it asks, it holds one clip.
    assert VoiceClip.objects.filter(locked_by__isnull=False).count() == 1


def test_home_shows_what_is_left_and_own_answers(browser, rater, clips):
    sent = ballot_for(next_of(browser), votes={"warm": "yes", "rough": "unsure"}, seconds=6.5)
    post(browser, BALLOTS, sent)
    settled = ballot_for(next_of(browser))
    post(browser, BALLOTS, settled)
    Ballot.objects.get(pk=settled["ballot"]).clip.adjudications.create(
        tag=TimbreTag.objects.get(slug="warm"), answer="yes"
    )
    page = browser.get("/labels/").content.decode()
    assert "Warm: yes" in page
    assert "Rough: can&#x27;t tell" in page
    assert f"?ballot={sent['ballot']}" in page
    assert f"?ballot={settled['ballot']}" not in page
    assert "Settled by staff" in page
    assert "For staff" not in page
    assert browser.get("/labels/settings/").status_code == 403


def test_the_page_has_a_key_for_each_tag_in_use_and_its_guideline(browser, clips):
    TimbreTag.objects.create(slug="nasal", name="Nasal", guideline="As if through the nose.")
    TimbreTag.objects.filter(slug="clean").update(retired_at="2020-01-01T00:00Z")
    page = browser.get("/labels/work/").content.decode()
    assert 'data-tag="warm" data-name="Warm" data-key="w"' in page
    assert 'data-tag="nasal"' in page
    assert "As if through the nose." in page
    assert 'data-tag="clean"' not in page


def test_staff_set_the_queue_within_bounds(client, db):
    client.force_login(UserFactory(is_staff=True))
    good = {
        "control_share": "0.25",
        "held_out_share": "0.2",
        "gold_share": "0.1",
        "overlap_share": "0.5",
        "overlap_votes": "4",
        "lock_minutes": "15",
        "train_after_labels": "0",
        "train_every_days": "7",
    }
    bad = {
        "control_share": "1.1",
        "gold_share": "0.9",
        "overlap_votes": "10",
        "lock_minutes": "0",
        "overlap_share": "nan",
        "train_after_labels": "-1",
        "held_out_share": "1e999",
    }
    for name, value in bad.items():
        answer = client.post("/labels/settings/", {**good, name: value})
        assert answer.status_code == 422, name
        assert answer.context["form"].errors.keys() == {name}
    assert LabelSettings.objects.filter(pk=1, control_share=0.2).exists()
    assert client.post("/labels/settings/", good).status_code == 302
    saved = label_settings.current()
    assert (saved.control_share, saved.overlap_votes, saved.lock_minutes) == (0.25, 4, 15)
    assert LabelSettings.objects.count() == 1
