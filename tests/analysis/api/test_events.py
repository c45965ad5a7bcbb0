"""Server-sent events: what a stream says, when it ends, who may listen, and how many."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from analysis.api import streams
from analysis.api.problems import Problem
from analysis.models import Job, JobState
from catalog.models import PartnerGrant
from catalog.partner_tokens import create_token, revoke_token
from tests.factories import JobFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Seconds become hundredths; what happens in between, each test says itself."""
    monkeypatch.setattr(streams, "LASTS_S", 0.6)
    monkeypatch.setattr(streams, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(streams, "HEARTBEAT_EVERY_S", 0.03)
    monkeypatch.setattr(streams, "PLACES", streams.Places())
    yield
    assert streams.PLACES.total() == 0, "every place is given back"


@pytest.fixture
def job():
    return JobFactory()


@pytest.fixture
def partner(job):
    partner = UserFactory(role="partner")
    PartnerGrant.objects.create(artist=job.artist, partner=partner, scopes=["read"])
    return partner


class Listener:
    def __init__(self, client, user):
        self.client = client
        self.token, self.secret = self._made(user)

    def _made(self, user):
        made = create_token(user, name="test", scopes=["read"])
        return made.token, made.secret

    def __call__(self, path, **headers):
        headers = {
            "Authorization": f"Bearer {self.secret}",
            "Accept": "text/event-stream",
            **headers,
        }
        return self.client.get(f"/api/v1/{path}", headers=headers)


@pytest.fixture
def listen(client, partner):
    return Listener(client, partner)


def close(response):
    """What the server does when the other side has gone; response.close() itself would also close
    the test's database."""
    for closer in response._resource_closers:
        closer()


def parts_of(response):
    """Events, comments and the wish to come back, in their order."""
    text = b"".join(response.streaming_content).decode()
    return [block for block in text.split("\n\n") if block]


def documents(blocks):
    return [
        json.loads(line.removeprefix("data: "))
        for block in blocks
        for line in block.split("\n")
        if line.startswith("data: ")
    ]


def next_job(stream):
    """The next event's document; heartbeats may come before it."""
    return next(found[0] for block in stream if (found := documents([block.decode()])))


def ids(blocks):
    return [
        line.removeprefix("id: ")
        for block in blocks
        for line in block.split("\n")
        if line.startswith("id: ")
    ]


def test_a_job_from_waiting_to_done(listen, job):
    response = listen(f"jobs/{job.pk}/events/")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/event-stream")
    assert response["X-Accel-Buffering"] == "no"
    stream = iter(response.streaming_content)
    assert next(stream) == b"retry: 2000\n\n"
    first = next(stream).decode()
    assert first.startswith("id: ")
    assert "\nevent: job\n" in first
    assert documents([first])[0]["state"] == "queued"
    Job.objects.update(state=JobState.RUNNING, percent=40, message="Measuring loudness")
    second = next_job(stream)
    assert (second["state"], second["percent"]) == ("running", 40)
    Job.objects.update(state=JobState.DONE, percent=100, finished_at=timezone.now())
    rest = [block.decode() for block in stream]
    assert [one["state"] for one in documents(rest)] == ["done"]
    # It is over: a browser is told not to come back, a newcomer still hears the end.
    assert listen(f"jobs/{job.pk}/events/", **{"Last-Event-ID": ids(rest)[-1]}).status_code == 204
    again = parts_of(listen(f"jobs/{job.pk}/events/"))
    assert [one["state"] for one in documents(again)] == ["done"]


def test_quiet_streams_beat_end_and_go_on_without_repeating(listen, job):
    blocks = parts_of(listen(f"jobs/{job.pk}/events/"))
    assert blocks.count(": still here") >= 3
    assert len(documents(blocks)) == 1
    again = parts_of(listen(f"jobs/{job.pk}/events/", **{"Last-Event-ID": ids(blocks)[-1]}))
    assert documents(again) == []
    Job.objects.update(percent=7)
    again = parts_of(listen(f"jobs/{job.pk}/events/", **{"Last-Event-ID": ids(blocks)[-1]}))
    assert [one["percent"] for one in documents(again)] == [7]


def test_a_track_tells_of_all_its_jobs_and_of_new_ones(listen, job):
    response = listen(f"events/?track={job.revision.track_id}")
    stream = iter(response.streaming_content)
    next(stream)
    assert next_job(stream)["id"] == str(job.pk)
    other = JobFactory(revision=job.revision, stage="voice")
    assert next_job(stream)["id"] == str(other.pk)
    close(response)
    blocks = parts_of(listen(f"events/?track={job.revision.track_id}"))
    assert {one["id"] for one in documents(blocks)} == {str(job.pk), str(other.pk)}
    assert len(ids(blocks)) == 1, "cut off before the last one, all come again"


def test_who_may_listen(client, listen, job):
    stranger = Listener(client, UserFactory())
    assert stranger(f"jobs/{job.pk}/events/").status_code == 404
    assert stranger(f"events/?track={job.revision.track_id}").status_code == 404
    assert client.get(f"/api/v1/jobs/{job.pk}/events/").status_code == 401
    assert listen("events/").status_code == 400
    assert listen("events/?track=nonsense").status_code == 400
    assert listen(f"events/?track={job.revision.track_id}&more=1").status_code == 400


@pytest.mark.parametrize("what", ["grant", "token", "account"])
def test_what_is_revoked_in_the_middle_ends_it(listen, job, partner, what):
    response = listen(f"jobs/{job.pk}/events/")
    stream = iter(response.streaming_content)
    next_job(stream)
    if what == "grant":
        PartnerGrant.objects.update(revoked_at=timezone.now())
    elif what == "token":
        revoke_token(listen.token)
    else:
        type(partner).objects.filter(pk=partner.pk).update(is_active=False)
    Job.objects.update(message="a secret")
    rest = b"".join(stream).decode()
    assert "event: end\n" in rest
    after = rest[rest.index("still here") :] if "still here" in rest else rest
    assert after.count("event: job") == 0


def test_places_are_limited_for_each_caller_and_in_all(client, listen, job, settings):
    settings.API_STREAMS_PER_TOKEN, settings.API_STREAMS_PER_PROCESS = 2, 3
    path = f"jobs/{job.pk}/events/"
    one, two = listen(path), listen(path)
    refused = listen(path)
    assert refused.status_code == 503
    assert int(refused["Retry-After"]) > 0
    assert refused.json()["code"] == "unavailable"
    other = Listener(client, job.artist.user)
    three = other(path)
    assert three.status_code == 200
    assert other(path).status_code == 503, "all places are taken"
    close(one)  # also one that nobody has read from
    four = other(path)
    assert four.status_code == 200, "its place was given back"
    for response in (two, three, four):
        close(response)


def test_a_stream_that_is_closed_twice_frees_one_place():
    places = streams.Places()
    made = [
        streams.Stream("me", list, checked=lambda: None, is_over=lambda found: True, places=places)
        for _ in range(2)
    ]
    made[0].close()
    made[0].close()
    assert places.total() == 1
    list(made[1])
    made[1].close()
    assert places.total() == 0


def test_what_may_no_longer_be_told_ends_a_stream():
    def look():
        raise Problem("not_found")

    stream = streams.Stream(
        "me", look, checked=lambda: None, is_over=lambda found: False, places=streams.Places()
    )
    assert b"".join(stream).decode().endswith('event: end\ndata: {"code": "not_found"}\n\n')
