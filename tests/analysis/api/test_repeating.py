"""Calls that are sent again: done once, answered alike; also at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from time import sleep

import pytest
from django.db import connection
from django.utils.timezone import now
from rest_framework.response import Response
from rest_framework.test import APIClient

from analysis.api import idempotency
from analysis.api.idempotency import Way
from analysis.api.problems import Problem
from analysis.services import HOUSEKEEPING
from catalog.models import Album, Track
from catalog.partner_models import IdempotencyRecord, RateWindow
from catalog.partner_tokens import create_token
from tests.analysis.api.conftest import V1
from tests.factories import ArtistFactory

KEY = {"Idempotency-Key": "order-1"}


def test_the_same_call_is_done_once_and_answered_alike(world):
    owner = world.clients["owner"]
    body = {"title": "New"}
    first = owner.post(f"{V1}albums/", body, headers=KEY, format="json")
    again = owner.post(f"{V1}albums/", body, headers=KEY, format="json")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again["Location"] == first["Location"]
    assert again["ETag"] == first["ETag"]
    assert again["Content-Type"] == "application/json"
    assert (again["Idempotent-Replayed"], first.get("Idempotent-Replayed")) == ("true", None)
    assert Album.objects.filter(title="New").count() == 1


def test_another_call_under_the_same_key_is_refused(world):
    owner = world.clients["owner"]
    owner.post(f"{V1}albums/", {"title": "New"}, headers=KEY, format="json")
    other = owner.post(f"{V1}albums/", {"title": "Else"}, headers=KEY, format="json")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    elsewhere = owner.post(f"{V1}tracks/", {"title": "New"}, headers=KEY, format="json")
    assert elsewhere.status_code == 422
    assert not Album.objects.filter(title="Else").exists()


def test_refusals_are_kept_too_and_leave_nothing_behind(world):
    owner = world.clients["owner"]
    body = {
        "title": "New",
        "album": str(world.artist.user.pk).zfill(8) + "-0000-4000-8000-" + "0" * 12,
    }
    answers = [owner.post(f"{V1}tracks/", body, headers=KEY, format="json") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[1]["Idempotent-Replayed"] == "true"
    assert answers[1]["Content-Type"] == "application/problem+json"
    assert Track.objects.count() == 1


def test_keys_are_everybodys_own_and_free_again_after_a_day(world):
    for name in ("owner", "other artist"):
        answer = world.clients[name].post(
            f"{V1}albums/", {"title": "New"}, headers=KEY, format="json"
        )
        assert answer.status_code == 201
    assert Album.objects.filter(title="New").count() == 2
    IdempotencyRecord.objects.update(created_at=now() - timedelta(hours=25))
    world.clients["owner"].post(f"{V1}albums/", {"title": "Later"}, headers=KEY, format="json")
    assert Album.objects.filter(title="Later").exists()
    assert idempotency.tidy in HOUSEKEEPING, "what is old goes by itself"
    assert idempotency.tidy() == 1


def test_bulk_creation_has_a_result_for_each_item(world, django_assert_max_num_queries):
    items = [{"title": f"Song {index}", "album": str(world.album.pk)} for index in range(998)]
    items.insert(5, {"title": ""})
    items.append({"title": "Theirs", "artist": world.other.pk})
    owner = world.clients["owner"]
    with django_assert_max_num_queries(60):
        answer = owner.post(f"{V1}tracks/bulk/", {"items": items}, headers=KEY, format="json")
    body = answer.json()
    assert (answer.status_code, body["created"], body["failed"]) == (200, 998, 2)
    assert [each["index"] for each in body["results"]] == list(range(1_000))
    assert body["results"][5]["problem"]["errors"][0]["field"] == "title"
    assert body["results"][999]["status"] == 400
    assert [each["track"]["position"] for each in body["results"][:5]] == [2, 3, 4, 5, 6]
    again = owner.post(f"{V1}tracks/bulk/", {"items": items}, headers=KEY, format="json")
    assert again.content == answer.content
    assert Track.objects.filter(title__startswith="Song").count() == 998
    items.append({"title": "One too many"})
    assert owner.post(f"{V1}tracks/bulk/", {"items": items}, format="json").status_code == 400


@pytest.mark.django_db(transaction=True)
def test_many_at_the_same_moment():
    """Real threads, real connections: one key makes one album; calls are counted exactly."""
    artist = ArtistFactory()
    secret = create_token(artist.user, name="Server", scopes=["read", "write"]).secret
    together = Barrier(6)

    def call(index: int):
        client = APIClient(headers={"Authorization": f"Bearer {secret}", **KEY})
        together.wait()
        try:
            return client.post(f"{V1}albums/", {"title": "New"}, format="json")
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(call, range(6)))
    assert [answer.status_code for answer in answers] == [201] * 6
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer for answer in answers) == 5
    assert Album.objects.count() == 1
    assert sum(row.calls for row in RateWindow.objects.all()) in (6, 5, 4, 3, 2, 1)
    left = sorted(int(answer["RateLimit"].split(";r=")[1].split(";")[0]) for answer in answers)
    assert left == list(range(594, 600)) or RateWindow.objects.get().calls < 6


@pytest.mark.django_db(transaction=True)
def test_a_call_whose_process_died_may_be_made_again_at_once():
    """What goes under a mark, not in one transaction: under way while its holder lives."""
    done: list[str] = []

    def answer() -> Response:
        done.append("done")
        return Response({"made": len(done)}, status=201)

    def call(mark: str = "mark") -> Response:
        return idempotency.once("user 1", "key", mark, Way.MARK, answer)

    # A mark without an answer, as a call leaves it in the middle.
    IdempotencyRecord.objects.create(principal="user 1", key="key", fingerprint="mark")
    holder = connection.copy()
    try:
        with holder.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended('idempotency user 1 key', 0))")
        with pytest.raises(Problem, match="Wait for the first"):
            call()
        with pytest.raises(Problem, match="another key"):
            call("another mark")
        assert done == []
    finally:
        holder.close()
    for _ in range(200):  # The server notices the end of a connection a moment later.
        if not held_locks():
            break
        sleep(0.05)
    assert call().status_code == 201
    assert call()["Idempotent-Replayed"] == "true"
    assert done == ["done"]
    assert held_locks() == 0, "nothing is held when the call has ended"


def held_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database"
            " WHERE locktype = 'advisory' AND datname = current_database()"
        )
        return cursor.fetchone()[0]
