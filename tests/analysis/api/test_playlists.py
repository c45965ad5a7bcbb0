"""Playlists over the interface: whose tracks get in, order, conditions, files, ways."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from analysis.discovery import playlists as services
from analysis.discovery.gallery_models import Playlist, PlaylistItem
from catalog.models import Revision, Track
from catalog.partner_models import PartnerGrant, Scope
from sonicsite.limits import TokenBuckets
from tests.analysis.api.conftest import V1
from tests.analysis.discovery.catalogue import at, heard
from tests.factories import ArtistFactory, TrackFactory

LIST = f"{V1}playlists/"


@pytest.fixture
def songs(world):
    """Name -> track: the artist's own, another's that may be found, and what may not be."""
    return {
        "Harbour": world.track,
        "Own": heard(world.artist, at(30), title="Own"),
        "Open": heard(world.other, at(60), title="Open", discoverable=True),
        "Far": heard(world.artist, at(90), title="Far"),
        "Hidden": heard(world.other, at(40), title="Hidden"),
        "Reference": heard(world.artist, at(50), title="Reference", is_reference=True),
        "Silent": TrackFactory(artist=world.artist, title="Silent"),
    }


@pytest.fixture
def items(world):
    return f"{LIST}{world.playlist.pk}/items/"


def ids(songs, *names):
    return [str(songs[name].pk) for name in names]


def titles(answer):
    assert answer.status_code == 200, answer.json()
    assert [row["position"] for row in answer.json()["results"]] == list(
        range(1, len(answer.json()["results"]) + 1)
    )
    return [row["title"] for row in answer.json()["results"]]


def test_made_listed_read_renamed_and_deleted(world, songs):
    owner, partner = world.clients["owner"], world.clients["partner"]
    body = {"name": " Dawn\nride ", "tracks": ids(songs, "Open", "Own", "Open")}
    key = {"Idempotency-Key": "dawn"}
    made, again = (owner.post(LIST, body, headers=key, format="json") for _ in range(2))
    assert (made.status_code, made.content) == (201, again.content)
    row = made.json()
    assert (row["name"], row["item_count"], row["artist"]) == ("Dawn ride", 2, world.artist.pk)
    address = made["Location"]
    assert partner.get(address).json() == row
    theirs = ArtistFactory()
    PartnerGrant.objects.create(artist=theirs, partner=world.partner, scopes=[Scope.READ])
    services.create(theirs, "Theirs")

    def names(query="", who=partner):
        return [each["name"] for each in who.get(f"{LIST}?{query}").json()["results"]]

    assert names() == ["Theirs", "Dawn ride", "Night drive"]
    assert names(f"artist={world.artist.pk}&limit=1") == ["Dawn ride"]
    assert names("name=DRIVE") == ["Night drive"]
    assert names(f"updated_from={row['created_at']}", owner) == ["Dawn ride"]
    assert owner.get(f"{LIST}?fields=name,item_count").json()["results"][1] == {
        "name": "Night drive",
        "item_count": 1,
    }
    first = owner.get(f"{LIST}?limit=1")
    assert first.json()["next"] in first["Link"]
    assert [r["name"] for r in owner.get(first.json()["next"]).json()["results"]] == ["Night drive"]

    tag = made["ETag"]
    renamed = owner.patch(address, {"name": "Dusk"}, headers={"If-Match": tag}, format="json")
    assert (renamed.status_code, renamed.json()["name"]) == (200, "Dusk")
    assert owner.delete(address, headers={"If-Match": tag}).status_code == 412
    for name in ("", " \u2028 ", "x" * 121, "a\0", None, 5):
        assert owner.patch(address, {"name": name}, format="json").status_code == 400, name
    # Whatever is done to its tracks changes its tag as well.
    tag = owner.get(address)["ETag"]
    owner.post(f"{address}items/", {"tracks": ids(songs, "Far")}, format="json")
    assert owner.delete(address, headers={"If-Match": tag}).status_code == 412
    assert owner.delete(address).status_code == 204
    assert not Playlist.objects.filter(pk=row["id"]).exists()
    assert Track.objects.filter(title="Far").exists()


def test_nothing_gets_in_that_the_artist_may_not_find(world, songs, items):
    """Not for a partner who sees more than the artist does, nor for staff, nor by any way in."""
    PartnerGrant.objects.create(
        artist=world.other, partner=world.partner, scopes=[Scope.READ, Scope.WRITE]
    )
    wanted = [*ids(songs, "Own", "Hidden", "Open", "Reference", "Silent"), str(uuid.uuid4())]
    for who in ("owner", "partner", "staff"):
        client = world.clients[who]
        answers = {
            "tracks": [
                client.post(items, {"tracks": wanted}, format="json"),
                client.post(
                    LIST,
                    {"name": "New", "artist": world.artist.pk, "tracks": wanted},
                    format="json",
                ),
            ],
            "items": [client.put(items, {"items": [{"track": one} for one in wanted]}, "json")],
        }
        for field, found in answers.items():
            for answer in found:
                problem = answer.json()
                assert (answer.status_code, problem["code"]) == (400, "invalid")
                assert [error["field"] for error in problem["errors"]] == [
                    f"{field}.{index}" for index in (1, 3, 4, 5)
                ]
                assert {error["code"] for error in problem["errors"]} == {"does_not_exist"}
    assert titles(world.clients["owner"].get(items)) == ["Harbour"]
    assert Playlist.objects.count() == 1, "a list whose tracks were refused was not made either"
    # The same through the page, which leaves out what cannot be.
    web = world.clients["owner"]
    web.force_login(world.artist.user)
    added = {"track": ids(songs, "Silent", "Own", "Hidden"), "playlist": str(world.playlist.pk)}
    web.post(reverse("playlist_add"), added)
    assert titles(web.get(items)) == ["Harbour", "Own"]


def test_the_whole_order_is_replaced_at_once(world, songs, items):
    owner = world.clients["owner"]
    appended = owner.post(items, {"tracks": ids(songs, "Open", "Harbour", "Own")}, format="json")
    assert appended.json() == {"added": 2, "item_count": 3}
    before = owner.get(items)
    assert titles(before) == ["Harbour", "Open", "Own"]
    item_of = {row["title"]: row["id"] for row in before.json()["results"]}
    sparse = owner.get(f"{items}?fields=title")
    assert sparse.json()["results"][0] == {"title": "Harbour"}
    assert owner.get(items, headers={"If-None-Match": before["ETag"]}).status_code == 304

    # Another artist hides what she let everybody find: its place stays, without name or id.
    Track.objects.filter(pk=songs["Open"].pk).update(discoverable=False)
    hidden = owner.get(items)
    place = hidden.json()["results"][1]
    assert (place.pop("id"), place.pop("position")) == (item_of["Open"], 2)
    assert place.keys() == before.json()["results"][1].keys() - {"id", "position"}
    assert set(place.values()) == {None}
    for secret in (b"Open", str(songs["Open"].pk).encode(), b"Elsewhere"):
        assert secret not in hidden.content
        for kind in ("m3u8", "json"):
            file = owner.get(f"{LIST}{world.playlist.pk}/files/{kind}/")
            assert (file.status_code, secret in file.content) == (200, False)

    order = [
        {"id": item_of["Open"]},
        {"track": ids(songs, "Far")[0]},
        {"track": ids(songs, "Own")[0]},
    ]
    late = owner.put(items, {"items": order}, headers={"If-Match": before["ETag"]}, format="json")
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    tag = owner.get(f"{items}?fields=title")["ETag"]
    replaced = owner.put(items, {"items": order}, headers={"If-Match": tag}, format="json")
    assert titles(replaced) == [None, "Far", "Own"]
    assert replaced["ETag"] == owner.get(items)["ETag"]
    kept = {row["title"]: row["id"] for row in replaced.json()["results"]}
    assert (kept[None], kept["Own"]) == (item_of["Open"], item_of["Own"])
    assert titles(owner.put(items, {"items": []}, format="json")) == []


def test_wrong_items_are_named_one_by_one_and_nothing_changes(world, songs, items):
    owner = world.clients["owner"]
    harbour = PlaylistItem.objects.get()
    elsewhere = services.create(world.other, "Elsewhere")
    services.add(elsewhere, [songs["Open"].pk])
    foreign = elsewhere.items.get().pk
    wrong = [
        ({"track": str(songs["Own"].pk)}, None),
        ({"id": harbour.pk}, None),
        ({"track": str(songs["Harbour"].pk)}, "twice"),
        ({"id": foreign}, "does_not_exist"),
        ({"id": 2**63 - 1}, "does_not_exist"),
    ]
    answer = owner.put(items, {"items": [item for item, _ in wrong]}, format="json")
    assert answer.status_code == 400
    assert {error["field"]: error["code"] for error in answer.json()["errors"]} == {
        f"items.{index}": code for index, (_, code) in enumerate(wrong) if code
    }
    hostile = [{}, {"id": 1, "track": str(songs["Own"].pk)}, {"id": 2**70}, {"id": True}]
    hostile += [{"track": "\0"}, {"track": None}, {"colour": 1}, 5, None]
    answer = owner.put(items, {"items": [{"id": harbour.pk}, *hostile]}, format="json")
    assert answer.status_code == 400
    places = {int(error["field"].split(".")[1]) for error in answer.json()["errors"]}
    assert places == set(range(1, len(hostile) + 1))
    for body in ({}, {"items": 5}, {"items": [], "more": 1}, []):
        assert owner.put(items, body, format="json").status_code == 400, body
    for body in ({}, {"tracks": []}, {"tracks": "all"}, {"tracks": [None]}):
        assert owner.post(items, body, format="json").status_code == 400, body
    assert titles(owner.get(items)) == ["Harbour"]


def test_a_thousand_at_once_and_not_one_more(world, items):
    made = Track.objects.bulk_create(
        Track(artist=world.artist, title=f"Song {index}") for index in range(1_001)
    )
    held = {
        field.attname: getattr(world.revision, field.attname) for field in Revision._meta.fields
    }
    Revision.objects.bulk_create(
        Revision(
            **{**held, "id": uuid.uuid4(), "track_id": track.pk, "content_sha256": f"{n:064x}"}
        )
        for n, track in enumerate(made, start=10**6)
    )
    owner = world.clients["owner"]
    order = [{"track": str(track.pk)} for track in reversed(made)]
    for too_many in ({"items": order}, {"items": [{"id": 1}] * 100_000}):
        assert owner.put(items, too_many, format="json").status_code == 400
    with CaptureQueriesContext(connection) as queries:
        answer = owner.put(items, {"items": order[1:]}, format="json")
    assert titles(answer) == [f"Song {index}" for index in range(999, -1, -1)]
    assert len(queries) < 40
    full = owner.post(items, {"tracks": [order[0]["track"]]}, format="json")
    assert (full.status_code, full.json()["reason"]) == (409, "too_many_tracks")
    assert owner.post(items, {"tracks": [order[1]["track"]]}, format="json").json()["added"] == 0


def test_no_more_lists_than_on_the_page(world, monkeypatch):
    monkeypatch.setattr(services, "MOST_PLAYLISTS", 1)
    answer = world.clients["owner"].post(LIST, {"name": "One more"}, format="json")
    assert (answer.status_code, answer.json()["reason"]) == (409, "too_many_playlists")


def test_files_are_those_of_the_page(world, songs, items):
    owner = world.clients["owner"]
    owner.post(items, {"tracks": ids(songs, "Open")}, format="json")
    files = f"{LIST}{world.playlist.pk}/files/"
    m3u8 = owner.get(f"{files}m3u8/")
    assert m3u8.content.decode().splitlines() == [
        "#EXTM3U",
        "#PLAYLIST:Night drive",
        "#EXTINF:30,Slow Light - Harbour",
        "Slow Light - Harbour.wav",
        "#EXTINF:30,Elsewhere - Open",
        "Elsewhere - Open.wav",
    ]
    assert 'filename="Night drive.m3u8"' in m3u8["Content-Disposition"]
    document = owner.get(f"{files}json/")
    assert [track["title"] for track in document.json()["tracks"]] == ["Harbour", "Open"]
    assert owner.get(f"{files}wpl/").status_code == 404
    owner.force_login(world.artist.user)
    for kind, answer in (("m3u8", m3u8), ("json", document)):
        page = owner.get(reverse(f"playlist_{kind}", args=[world.playlist.pk]))
        assert (page.content, page["Content-Type"]) == (answer.content, answer["Content-Type"])


def test_a_way_becomes_a_playlist(world, songs, monkeypatch):
    owner, address = world.clients["owner"], f"{LIST}path/"
    monkeypatch.setattr(services, "WAYS", TokenBuckets(rate=1e-3, burst=20))
    start, end = ids(songs, "Harbour", "Far")
    body = {"start": start, "end": end, "steps": 2}
    key = {"Idempotency-Key": "way"}
    made, again = (owner.post(address, body, headers=key, format="json") for _ in range(2))
    assert (made.status_code, again.content) == (201, made.content)
    assert (made.json()["name"], made.json()["item_count"]) == ("Harbour to Far", 4)
    # Past what is hidden (at 40) and the reference (at 50).
    assert titles(owner.get(f"{made['Location']}items/")) == ["Harbour", "Own", "Open", "Far"]

    def refused(**changes):
        answer = owner.post(address, {**body, **changes}, format="json")
        named = [error["field"] for error in answer.json().get("errors", [])]
        return answer.status_code, answer.json().get("reason", ""), named

    assert refused(start=ids(songs, "Hidden")[0]) == (400, "", ["start"])
    assert refused(start=str(uuid.uuid4()), end=ids(songs, "Reference")[0]) == (
        *(400, ""),
        ["start", "end"],
    )
    assert refused(end=ids(songs, "Silent")[0]) == (409, "not_heard", [])
    assert refused(end=start)[0] == 400
    assert refused(steps=0) == refused(steps=31) == (400, "", ["steps"])
    monkeypatch.setattr(services, "WAYS", TokenBuckets(rate=1e-3, burst=0))
    busy = owner.post(address, body, format="json")
    assert (busy.status_code, busy.json()["code"]) == (429, "rate_limited")
    assert int(busy["Retry-After"]) == 1_000
    assert Playlist.objects.count() == 2
