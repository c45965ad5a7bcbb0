"""What holds for every call: pages, fields, conditions, limits, problems, usage, secrets."""

from __future__ import annotations

import gzip
import json
import logging

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from analysis.api import rates
from analysis.discovery import playlists
from catalog.models import Album, Track
from catalog.partner_models import PartnerToken, UsageDay
from catalog.partner_tokens import create_token, hash_of, revoke_token, rotate_token
from tests.analysis.api.conftest import V1, client_of
from tests.factories import AlbumFactory, JobFactory, RevisionFactory, TrackFactory


@pytest.fixture
def owner(world) -> APIClient:
    return world.clients["owner"]


def test_pages_are_complete_and_stable_while_rows_come_and_go(world, owner):
    for index in range(7):
        TrackFactory(artist=world.artist, title=f"Song {index}")
    # Made in one moment, as a bulk call does: only the id tells them apart.
    Track.objects.filter(title__startswith="Song").update(created_at=world.track.created_at)
    expected = {str(pk) for pk in Track.objects.values_list("pk", flat=True)}
    seen, url, pages = [], f"{V1}tracks/?limit=3", 0
    while url:
        answer = owner.get(url)
        seen += [row["id"] for row in answer.json()["results"]]
        url, pages = answer.json()["next"], pages + 1
        if url:
            assert answer["Link"] == f'<{url}>; rel="next"'
        if pages == 1:
            TrackFactory(artist=world.artist, title="Came later")
            Track.objects.filter(pk=seen[0]).delete()
    assert len(seen) == len(set(seen))
    assert set(seen) == expected
    assert pages == 3


@pytest.mark.parametrize("cursor", ["", "x", "bm90IG91cnM", "W10", "WyJhIiwiYiIsImMiXQ", "%00"])
def test_made_up_cursors_are_refused(owner, cursor):
    answer = owner.get(f"{V1}tracks/?cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


def test_a_cursor_belongs_to_its_list(world, owner):
    TrackFactory.create_batch(2, artist=world.artist)
    following = owner.get(f"{V1}tracks/?limit=1").json()["next"]
    assert owner.get(following).status_code == 200
    assert owner.get(f"{following}&title=a").json()["code"] == "invalid_cursor"
    assert owner.get(following.replace("/tracks/", "/albums/")).json()["code"] == "invalid_cursor"


def test_lists_take_the_same_number_of_queries_however_long_they_are(world, owner):
    lists = ("artists", "albums", "tracks", "revisions", "uploads", "jobs", "usage", "webhooks")
    lists += ("playlists", f"playlists/{world.playlist.pk}/items")
    counted = []
    owner.get(f"{V1}me/")  # the first call writes down that the token was used
    for _ in range(2):
        counts = {}
        for name in lists:
            with CaptureQueriesContext(connection) as queries:
                assert owner.get(f"{V1}{name}/").status_code == 200
            counts[name] = len(queries)
        counted.append(counts)
        for _ in range(12):
            album = AlbumFactory(artist=world.artist)
            track = TrackFactory(artist=world.artist, album=album)
            JobFactory(revision=RevisionFactory(track=track))
            playlists.add(playlists.create(world.artist, "Another"), [track.pk])
            playlists.add(world.playlist, [track.pk])
    assert counted[0] == counted[1]


def test_only_the_fields_that_were_asked_for(world, owner):
    assert owner.get(f"{V1}tracks/?fields=id,title").json()["results"] == [
        {"id": str(world.track.pk), "title": "Harbour"}
    ]
    one = owner.get(f"{V1}tracks/{world.track.pk}/?fields=revision").json()
    assert one["revision"].keys() == {"id", "number", "duration_s", "content_sha256", "created_at"}
    refused = owner.get(f"{V1}tracks/?fields=id,secret")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_parameter")


def test_unknown_parameters_are_refused(owner):
    answer = owner.get(f"{V1}tracks/?titel=Harbour")
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_parameter")
    assert owner.get(f"{V1}tracks/?title=a&title=b").status_code == 400


def test_filters_narrow(world, owner):
    silent = TrackFactory(artist=world.artist, title="Quay")

    def ids(query: str) -> list[str]:
        return [row["id"] for row in owner.get(f"{V1}tracks/?{query}").json()["results"]]

    assert ids("has_sound=false") == [str(silent.pk)]
    assert ids(f"album={world.album.pk}") == [str(world.track.pk)]
    assert ids(f"sha256={world.revision.content_sha256}") == [str(world.track.pk)]
    assert ids("title=HARB") == [str(world.track.pk)]
    assert ids("created_from=2999-01-01T00:00:00Z") == []
    # Offsets are valid that the database does not know.
    assert ids("created_from=2999-01-01T16:08:05-17:18") == []


def test_conditional_reads_and_writes(world, owner):
    address = f"{V1}albums/{world.album.pk}/"
    tag = owner.get(address)["ETag"]
    again = owner.get(address, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
    sparse = owner.get(f"{address}?fields=title")["ETag"]
    assert sparse != tag
    changed = owner.patch(address, {"title": "Day"}, headers={"If-Match": sparse}, format="json")
    assert changed.status_code == 200
    assert changed["ETag"] == owner.get(address)["ETag"] != tag
    late = owner.patch(address, {"title": "Dusk"}, headers={"If-Match": tag}, format="json")
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert owner.delete(address, headers={"If-Match": tag}).status_code == 412
    assert Album.objects.get().title == "Day"
    assert owner.get(address, headers={"If-None-Match": tag}).status_code == 200
    weak = f"W/{changed['ETag']}"  # what compression makes of it
    assert owner.delete(address, headers={"If-Match": weak}).status_code == 204


def test_limits_are_told_and_exact(world, settings):
    settings.API_CALLS_PER_MINUTE = 3
    client = client_of(world.artist.user)
    left = []
    for _ in range(5):
        answer = client.get(f"{V1}me/")
        left.append((answer.status_code, answer["RateLimit"].partition(";t=")[0]))
        assert answer["RateLimit-Policy"] == '"default";q=3;w=60'
    if len({text for _, text in left}) == 4:  # else a minute began in between
        assert left[0] == (200, '"default";r=2')
        assert [status for status, _ in left] == [200, 200, 200, 429, 429]
        assert answer.json()["code"] == "rate_limited"
        assert 1 <= int(answer["Retry-After"]) <= 60
    other = client_of(world.other.user)
    assert other.get(f"{V1}me/").status_code == 200


def test_a_window_ends(db):
    counts = [rates.count("k", rates.ORDINARY, now=moment).calls for moment in (0, 59, 60, 61, 300)]
    assert counts == [1, 2, 1, 2, 1]
    assert rates.count("k", rates.ORDINARY, now=90.0).reset_s == 30


def test_everything_under_api_is_a_problem_document(client, world, settings):
    for path in ("/api/", "/api/v2/", f"{V1}tracks", f"{V1}tracks/not-an-id/", f"{V1}nowhere/"):
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert answer["Content-Type"] == "application/problem+json"
    settings.API_REQUEST_BURST = 1
    settings.API_REQUESTS_PER_SECOND = 0.01
    flood = Client()
    flood.get(V1)
    limited = flood.get(V1)
    assert (limited.status_code, limited.json()["code"]) == (429, "rate_limited")
    assert int(limited["Retry-After"]) > 1
    assert flood.get("/").status_code == 200  # pages have their own count
    host = Client(headers={"Host": "evil.example"}).get(V1)
    assert (host.status_code, host["Content-Type"]) == (400, "application/problem+json")


def test_request_ids_come_back_and_stand_in_problems(world):
    answer = world.clients["anonymous"].get(f"{V1}me/", headers={"X-Request-ID": "abc-1"})
    assert answer["X-Request-ID"] == answer.json()["request_id"] == "abc-1"
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_answers_are_compressed(world, owner):
    TrackFactory.create_batch(5, artist=world.artist)
    answer = owner.get(f"{V1}tracks/", headers={"Accept-Encoding": "gzip"})
    assert answer["Content-Encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(answer.content))["results"]) == 6


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"title": NaN}',
        b'{"title": "a", "title": "b"}',
        b'{"title": "\\u0000"}',
        b'{"title": "\\ud800"}',
        b'{"title": 5}',
        b'{"title": ""}',
        b'{"title": "a", "artist": 1e400}',
        b'{"title": "a", "artist": 99999999999999999999}',
        b'{"title": "a", "colour": "red"}',
        b"[]",
        b"null",
        b"",
    ],
)
def test_hostile_bodies_are_refused_in_words(owner, body):
    answer = owner.generic("POST", f"{V1}tracks/", body, "application/json")
    assert answer.status_code == 400, answer.content
    assert answer.json()["code"] in {"malformed", "invalid"}
    assert Track.objects.count() == 1


def test_a_body_that_is_too_large(owner, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = settings.API_BODY_MAX_BYTES = 1_000
    body = json.dumps({"title": "a" * 2_000})
    answer = owner.generic("POST", f"{V1}tracks/", body, "application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_pages_of_the_site_need_their_csrf_token(world):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(world.artist.user)
    assert client.get(f"{V1}me/").json()["via"] == "session"
    refused = client.post(f"{V1}albums/", {"title": "New"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf")


def test_usage_is_counted_by_token_and_day(world):
    made = create_token(world.artist.user, name="Server", scopes=["read"])
    client = APIClient(headers={"Authorization": f"Bearer {made.secret}"})
    size = len(client.get(f"{V1}me/").content) + len(client.get(f"{V1}nope/").content)
    size += len(client.get(f"{V1}tracks/?nope=1").content)
    row = UsageDay.objects.get(token=made.token)
    assert (row.calls, row.errors) == (2, 1)  # an address that is none counts for nobody
    assert row.bytes_out < size
    assert client.get(f"{V1}usage/").json()["results"][0]["calls"] == 2


def test_secrets_are_kept_as_hashes_and_never_logged(world, caplog):
    caplog.set_level(logging.DEBUG)
    made = create_token(world.artist.user, name="Server", scopes=["read"])
    token = PartnerToken.objects.get(pk=made.token.pk)
    assert token.secret_sha256 == hash_of(made.secret)
    held = " ".join(str(getattr(token, field.attname)) for field in token._meta.fields)
    assert made.secret not in held
    assert made.secret not in repr(made)
    client = APIClient(headers={"Authorization": f"Bearer {made.secret}"})
    client.get(f"{V1}me/")
    client.post(f"{V1}albums/", {"title": 5}, format="json")
    assert made.secret not in caplog.text
    assert made.secret[10:] not in caplog.text


def test_rotation_overlaps_and_revocation_is_at_once(world):
    old = create_token(world.artist.user, name="Server", scopes=["read", "audio"])
    new = rotate_token(old.token)
    clients = [
        APIClient(headers={"Authorization": f"Bearer {secret}"})
        for secret in (old.secret, new.secret)
    ]
    assert [client.get(f"{V1}me/").status_code for client in clients] == [200, 200]
    assert clients[1].get(f"{V1}me/").json()["scopes"] == ["read", "audio"]
    revoke_token(old.token)
    assert [client.get(f"{V1}me/").status_code for client in clients] == [401, 200]
    assert clients[0].get(f"{V1}me/").json()["code"] == "invalid_token"
    new.token.expires_at = new.token.created_at
    new.token.save()
    assert clients[1].get(f"{V1}me/").status_code == 401


@pytest.mark.parametrize("value", ["svp_x", "Bearer", "nonsense", "é", "a b"])
def test_wrong_tokens(client, db, value):
    answer = client.get(f"{V1}me/", HTTP_AUTHORIZATION=f"Bearer {value}")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


def test_last_use_is_written_at_most_once_a_minute(world):
    made = create_token(world.artist.user, name="Server", scopes=["read"])
    client = APIClient(headers={"Authorization": f"Bearer {made.secret}"})
    client.get(f"{V1}me/")
    first = PartnerToken.objects.get(pk=made.token.pk).last_used_at
    client.get(f"{V1}me/")
    assert first is not None
    assert PartnerToken.objects.get(pk=made.token.pk).last_used_at == first
