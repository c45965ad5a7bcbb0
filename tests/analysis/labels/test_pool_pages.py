"""Staff's page of the pool, and the command that fills it."""

from __future__ import annotations

import io
import json
import uuid

import pytest
from django.core.management import call_command
from django.urls import reverse

from analysis.background import WorkState
from analysis.labels.models import Ballot, ClipState, PoolRun, VoiceClip
from analysis.labels.spectrogram_axis import axis
from analysis.models import Job, JobState
from catalog.models import Role
from tests.analysis.labels.pool_songs import with_stems
from tests.factories import ArtistFactory, RevisionFactory, TrackFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    user = UserFactory(is_staff=True)
    client.force_login(user)
    return user


def test_only_staff_see_the_pool_and_change_it(make_clip, client):
    clip = make_clip()
    pages = [
        ("get", reverse("label_pool")),
        ("post", reverse("label_pool_run")),
        ("post", reverse("voice_clip_state", args=[clip.pk])),
        ("get", reverse("vocal_takes")),
    ]
    for method, address in pages:
        client.logout()
        assert getattr(client, method)(address).status_code == 302
        for user in (ArtistFactory().user, UserFactory(role=Role.LABELLER)):
            client.force_login(user)
            assert getattr(client, method)(address).status_code == 403


def test_run_is_started_stopped_and_resumed(staff, client):
    page = client.get(reverse("label_pool")).content.decode()
    assert "No clips yet" in page
    assert "Collect clips" in page
    artist = ArtistFactory(may_train=True)
    client.post(reverse("label_pool_run"), {"action": "start", "artist": str(artist.pk)})
    run = PoolRun.objects.get()
    assert (run.created_by, run.scope) == (staff, {"artists": [artist.pk]})
    page = client.get(
        reverse("label_pool"), headers={"HX-Request": "true", "HX-Target": "pool-run"}
    )
    assert "Waiting for its turn" in page.content.decode()
    assert "<html" not in page.content.decode()
    client.post(reverse("label_pool_run"), {"action": "stop", "run": str(run.pk)})
    run.refresh_from_db()
    assert run.state == WorkState.CANCELLED
    client.post(reverse("label_pool_run"), {"action": "resume", "run": str(run.pk)})
    run.refresh_from_db()
    assert run.state == WorkState.QUEUED
    PoolRun.objects.update(counts={"tracks": 4, "cut": 1, "waiting": 3, "clips": 7})
    page = client.get(reverse("label_pool")).content.decode()
    assert "Waiting for stems" in page
    assert "1 of 4 tracks cut, 3 waiting for stems" in page
    assert "7 new clips" in page
    assert 'value="25"' in page


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 400),
        ({"action": "explode"}, 400),
        ({"action": "start", "artist": "9" * 40}, 400),
        ({"action": "start", "artist": "1; drop table"}, 400),
        ({"action": "stop", "run": "\0"}, 404),
        ({"action": "resume", "run": str(uuid.uuid4())}, 404),
    ],
)
def test_odd_requests_are_refused(staff, client, sent, status):
    assert client.post(reverse("label_pool_run"), sent).status_code == status


def test_clips_are_narrowed(staff, client, make_clip):
    artist = ArtistFactory(name="Paper Lanterns")
    first = make_clip(f"artist-{artist.pk}", artist=artist, is_held_out=True)
    second = make_clip("berta", state=ClipState.DUPLICATE, duplicate_of=first)
    third = make_clip("berta")
    Ballot.objects.create(clip=third, rater=staff)
    VoiceClip.objects.filter(pk=third.pk).update(votes=1)

    def shown(**narrow):
        page = client.get(reverse("label_pool"), narrow).content.decode()
        return {clip.pk for clip in (first, second, third) if f"clip-{clip.pk}" in page}

    assert shown() == {first.pk, second.pk, third.pk}
    assert shown(singer="berta") == {second.pk, third.pk}
    assert shown(state="duplicate") == {second.pk}
    assert shown(held_out="yes") == {first.pk}
    assert shown(labelled="yes") == {third.pk}
    assert shown(state="duplicate", held_out="yes") == set()
    assert shown(state="\0", held_out="x", labelled="'", page="9" * 30) == {
        first.pk, second.pk, third.pk,
    }  # fmt: skip
    page = client.get(reverse("label_pool")).content.decode()
    assert "Paper Lanterns" in page
    assert f"artist-{artist.pk}<" not in page
    assert reverse("voice_clip_audio", args=[first.pk]) in page
    assert "its original" in page


def test_clip_is_put_aside_and_taken_back(staff, client, make_clip):
    clip = make_clip()
    address = reverse("voice_clip_state", args=[clip.pk])
    back = reverse("label_pool") + "?state=pool"
    answer = client.post(address, {"usable": "no", "next": back})
    assert answer.url == back
    clip.refresh_from_db()
    assert clip.state == ClipState.UNUSABLE
    answer = client.post(address, {"usable": "yes", "next": "https://elsewhere.example/"})
    assert answer.url == reverse("label_pool")
    clip.refresh_from_db()
    assert clip.state == ClipState.POOL
    assert client.post(address, {"usable": "perhaps"}).status_code == 400


def test_axis_tells_where_frequencies_lie():
    found = axis()
    shares = [tick["share"] for tick in found["ticks"]]
    assert shares == sorted(shares)
    assert shares[0] > 0.0
    assert shares[-1] < 1.0
    # An octave is as high anywhere on it.
    by_hz = {tick["hz"]: tick["share"] for tick in found["ticks"]}
    assert by_hz[200] - by_hz[100] == pytest.approx(by_hz[10_000] - by_hz[5_000], abs=1e-3)
    json.dumps(found)


# --- The command ----------------------------------------------------------------------------------


def command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("prepare_vocals", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_command_fills_the_pool(db):
    artist = ArtistFactory(may_train=True, name="Paper Lanterns")
    with_stems(artist, 1)
    with_stems(ArtistFactory(may_train=True), 5)
    waiting = RevisionFactory(track=TrackFactory(artist=artist, may_train=True))
    found = json.loads(command("--artist", "paper lanterns", "--json"))
    assert (found["tracks"], found["cut"], found["waiting"], found["clips"]) == (2, 1, 1, 2)
    assert found["pool"]["clips"] == 2
    assert found["pool"]["singers"] == 1
    assert found["predicted"] == 2
    # Stems that cannot be made end the waiting: the file is none.
    text = command("--wait")
    job = Job.objects.get(revision=waiting)
    assert job.state == JobState.FAILED
    assert "4 clips of 2 singers" in text
    assert PoolRun.objects.get().state == WorkState.DONE


def test_command_refuses_in_one_line(capsys):
    ArtistFactory(name="Quiet One")
    for name, says in (("Quiet One", "does not allow"), ("nobody\0", "No artist")):
        err = io.StringIO()
        with pytest.raises(SystemExit) as ended:
            call_command("prepare_vocals", "--artist", name, stderr=err)
        assert ended.value.code == 2
        assert says in err.getvalue()
        assert err.getvalue().count("\n") == 1
    PoolRun.objects.create(state=WorkState.RUNNING, ticket=uuid.uuid4())
    err = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("prepare_vocals", stderr=err)
    assert "already" in err.getvalue()
