"""Asking for stages: one, many, again; what each found."""

from __future__ import annotations

import uuid

import pytest

from analysis.models import Job, JobState, Stage
from analysis.neural.separation import engines
from analysis.versions import listen_version, lyrics_version, release_version
from catalog.partner_models import PartnerGrant, Scope
from tests.analysis.api.conftest import V1
from tests.factories import JobFactory, ReportFactory, RevisionFactory, TrackFactory


@pytest.fixture
def owner(world):
    return world.clients["owner"]


@pytest.fixture
def address(world):
    return f"{V1}revisions/{world.revision.pk}/analyses/"


@pytest.mark.parametrize("stage", Stage.values)
def test_a_stage_is_asked_for_once_however_often(world, owner, address, stage):
    first = owner.post(address, {"stage": stage}, format="json")
    assert first.status_code == 202, first.json()
    job = first.json()
    assert (job["stage"], job["state"]) == (stage, "queued")
    assert first["Location"] == f"/api/v1/jobs/{job['id']}/"
    assert owner.get(first["Location"]).json()["id"] == job["id"]
    again = owner.post(address, {"stage": stage}, format="json")
    assert again.json()["id"] == job["id"]
    assert Job.objects.filter(revision=world.revision, stage=stage, pk=job["id"]).count() == 1
    # What is done is left as it is, unless it is wanted afresh; what failed starts again.
    row = Job.objects.get(pk=job["id"])
    if stage != Stage.LISTEN:
        ReportFactory(
            content_sha256=world.revision.content_sha256,
            stage=stage,
            model_version=row.model_version,
            document={"stems": []},
        )
    for state, body, then in (
        (JobState.DONE, {}, "done"),
        (JobState.DONE, {"afresh": True}, "queued"),
        (JobState.FAILED, {}, "queued"),
    ):
        Job.objects.filter(pk=job["id"]).update(state=state, ticket=None)
        answer = owner.post(address, {"stage": stage, **body}, format="json")
        assert (answer.json()["id"], answer.json()["state"]) == (job["id"], then), (state, body)


def test_options_belong_to_their_stages(owner, address, world):
    answer = owner.post(address, {"stage": "lyrics", "language": "de"}, format="json")
    job = Job.objects.get(pk=answer.json()["id"])
    assert (job.options["language"], job.model_version) == ("de", lyrics_version("de"))
    answer = owner.post(address, {"stage": "separate", "engine": "starter"}, format="json")
    assert Job.objects.get(pk=answer.json()["id"]).options["engine"] == "starter"
    for body in ({"stage": "voice", "language": "de"}, {"stage": "mastering"}, {"stage": 1}, {}):
        answer = owner.post(address, body, format="json")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), body
    missing = next(name for name in engines.BY_QUALITY if not engines.is_present(name))
    answer = owner.post(address, {"stage": "separate", "engine": missing}, format="json")
    assert (answer.status_code, answer.json()["reason"]) == (422, "engine_missing")


def test_the_state_of_all_stages_and_the_results(world, owner, address):
    running = JobFactory(
        revision=world.revision, stage=Stage.VOICE, state=JobState.RUNNING, percent=30
    )
    found = {row["stage"]: row for row in owner.get(address).json()["results"]}
    assert list(found) == list(Stage.values)
    assert found["voice"]["job"]["id"] == str(running.pk)
    assert found["voice"]["model_version"] == "v1+test", "what was heard before stays to be read"
    assert found["release"]["job"] is found["release"]["result_url"] is None
    result = owner.get(found["separate"]["result_url"]).json()
    assert result["document"]["stems"][0]["name"] == "vocals"
    assert result["model_version"] == "s1+starter"
    assert owner.get(f"{address}release/").status_code == 404
    assert owner.get(f"{address}mastering/").status_code == 404
    assert (
        owner.get(address, headers={"If-None-Match": owner.get(address)["ETag"]}).status_code == 304
    )


def test_many_at_once_each_with_its_own_result(world, django_assert_max_num_queries):
    """A partner may write for one artist and only read for another."""
    partner = world.clients["partner"]
    PartnerGrant.objects.create(artist=world.other, partner=world.partner, scopes=[Scope.READ])
    read_only = RevisionFactory(track=TrackFactory(artist=world.other))
    hidden = RevisionFactory()
    mine = [RevisionFactory(track=TrackFactory(artist=world.artist)) for _ in range(40)]
    items = [{"revision": str(each.pk), "stage": "listen"} for each in mine]
    items += [
        {"revision": str(read_only.pk), "stage": "listen"},
        {"revision": str(hidden.pk), "stage": "listen"},
        {"revision": str(uuid.uuid4()), "stage": "listen"},
        {"revision": "x", "stage": "listen"},
        {"revision": str(mine[0].pk), "stage": "release"},
        {"revision": str(mine[0].pk), "stage": "listen"},
    ]
    with django_assert_max_num_queries(60):
        answer = partner.post(f"{V1}analyses/bulk/", {"items": items}, format="json")
    assert answer.status_code == 202, answer.json()
    body = answer.json()
    assert (body["accepted"], body["failed"]) == (42, 4)
    assert [row["status"] for row in body["results"]] == [*[202] * 40, 403, 404, 404, 400, 202, 202]
    assert [row["index"] for row in body["results"]] == list(range(46))
    assert body["results"][45]["job"] == body["results"][0]["job"], "asked for twice, done once"
    assert {row["job"]["revision"] for row in body["results"][:40]} == {str(r.pk) for r in mine}
    assert Job.objects.filter(model_version=listen_version()).count() == 40
    assert Job.objects.filter(model_version=release_version()).count() == 1
    for bad in ([], {}, None, [{}] * 1_001):
        assert partner.post(f"{V1}analyses/bulk/", {"items": bad}, format="json").status_code == 400


def test_a_call_with_a_key_is_answered_once(world, owner, address):
    headers = {"Idempotency-Key": "stems-1"}
    first = owner.post(address, {"stage": "release"}, format="json", headers=headers)
    Job.objects.filter(pk=first.json()["id"]).update(state=JobState.RUNNING)
    again = owner.post(address, {"stage": "release"}, format="json", headers=headers)
    assert again["Idempotent-Replayed"] == "true"
    assert again.content == first.content
