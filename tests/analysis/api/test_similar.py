"""Similar tracks by id and by file: who finds what, filters, reasons, snippets."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
import soundfile

from analysis.discovery import snippet as snippets
from analysis.discovery.models import Snippet
from catalog.models import Track
from tests.analysis.api.conftest import V1
from tests.analysis.discovery.catalogue import at, heard


@pytest.fixture
def found(world):
    """Titles that a caller finds near the world's track."""

    def get(query: str = "", who: str = "owner", seed: str = ""):
        base = seed or f"{V1}tracks/{world.track.pk}/similar/"
        answer = world.clients[who].get(f"{base}?{query}")
        assert answer.status_code == 200, answer.json()
        return [row["title"] for row in answer.json()["results"]]

    return get


@pytest.fixture
def catalogue(world):
    jazz = {"genre": "jazz", "genre_decided": True, "tempo_bpm": 118.0, "key": "A minor"}
    rock = {"genre": "rock", "genre_decided": True, "tempo_bpm": 60.0, "key": "F# major"}
    return [
        heard(world.artist, at(10), title="Own", report={**jazz, "energy": 0.2}),
        heard(world.other, at(20), title="Open", discoverable=True, report={**rock, "energy": 0.9}),
        heard(world.other, at(30), title="Hidden", report=jazz),
        heard(
            None,
            at(40),
            title="Far",
            discoverable=True,
            release_date=date(2026, 3, 1),
            report={**jazz, "energy": 0.6},
        ),
    ]


def test_everybody_finds_what_they_may(world, catalogue, found):
    assert found() == ["Own", "Open", "Far"]
    assert found(who="partner") == ["Own", "Open", "Far"]
    # Whoever may not find the track cannot start from it, until its artist lets everybody.
    assert (
        world.clients["other artist"].get(f"{V1}tracks/{world.track.pk}/similar/").status_code
        == 404
    )
    Track.objects.filter(pk=world.track.pk).update(discoverable=True)
    assert found(who="other artist") == ["Open", "Hidden", "Far"]
    assert found(who="staff") == ["Open", "Far"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("genre=jazz,blues", ["Own", "Far"]),
        ("tempo_from=110&tempo_to=125", ["Own", "Far"]),
        ("tempo_from=110&tempo_to=125&tempo_octaves=true", ["Own", "Open", "Far"]),
        ("key=A+minor&key_exact=true", ["Own", "Far"]),
        ("energy_from=0.5", ["Open", "Far"]),
        ("released_from=2026-01-01", ["Far"]),
        ("whose=mine", ["Own"]),
        ("without_own=true&limit=1", ["Open"]),
        ("limit=1&offset=1", ["Open"]),
    ],
)
def test_filters(catalogue, found, query, expected):
    assert found(query) == expected


def test_bad_filters_are_refused_in_words(world):
    address = f"{V1}tracks/{world.track.pk}/similar/"
    for query in (
        "key=H+dur",
        "tempo_from=x",
        "tempo_from=1e9",
        "tempo_from=nan",
        "tempo_from=9&tempo_to=8",
        "limit=0",
        "limit=101",
        "offset=501",
        "instrumental=yes",
        "whose=theirs",
        "genre=%00",
        "mood=sad",
        "per_artist=0",
    ):
        answer = world.clients["owner"].get(f"{address}?{query}")
        assert answer.status_code == 400, query
        assert answer["Content-Type"] == "application/problem+json"


def test_hits_say_why(world, catalogue):
    answer = world.clients["owner"].get(f"{V1}tracks/{world.track.pk}/similar/").json()
    own, open_, _ = answer["results"]
    assert (own["is_own"], open_["is_own"]) == (True, False)
    assert (open_["genre"], open_["tempo_bpm"]) == ("rock", 60.0)
    assert any("tempo" in reason.lower() for reason in own["reasons"]), own["reasons"]
    assert answer["model_version"] == "test-1"
    assert answer["has_more"] is False


def test_a_snippet_is_lent_polled_and_searched_from(world, catalogue, found, tmp_path):
    owner = world.clients["owner"]
    time = np.arange(3 * 22_050) / 22_050
    path = tmp_path / "hum.wav"
    soundfile.write(path, np.sin(2 * np.pi * 220 * time) * 0.3, 22_050)

    def send(key: str):
        with path.open("rb") as file:
            return owner.post(f"{V1}snippets/", {"file": file}, headers={"Idempotency-Key": key})

    answer = send("hum-1")
    assert answer.status_code == 202, answer.json()
    lent = answer.json()
    assert (lent["state"], lent["name"], lent["duration_s"]) == ("queued", "hum.wav", 3.0)
    assert owner.get(answer["Location"]).json()["state"] == "queued"
    waiting = owner.get(lent["similar_url"])
    assert (waiting.status_code, waiting.json()["reason"]) == (409, "not_heard")
    assert send("hum-1").json() == lent
    assert Snippet.objects.filter(original_name="hum.wav").count() == 1
    assert send("hum-2").json()["id"] != lent["id"]
    # As the worker leaves it.
    Snippet.objects.filter(pk=lent["id"]).update(
        state="done", vector=at(32).tolist(), model_version="test-1", file=""
    )
    # Nothing hidden, and not what is nearer than copies of one recording are ("Far").
    assert found(seed=lent["similar_url"]) == ["Open", "Own", "Harbour"]
    for who in ("partner", "other artist", "staff"):
        assert world.clients[who].get(lent["similar_url"]).status_code == 404


def test_a_snippet_that_cannot_be_taken(world, monkeypatch, tmp_path):
    owner = world.clients["owner"]
    path = tmp_path / "no.mp3"
    path.write_bytes(b"<html>\0" * 500)

    def send():
        with path.open("rb") as file:
            return owner.post(f"{V1}snippets/", {"file": file})

    refused = send()
    assert (refused.status_code, refused.json()["code"]) == (422, "refused")
    assert len(refused.json()["detail"]) > 20
    monkeypatch.setattr(snippets, "MOST_BYTES", 1_000)
    assert (send().status_code, send().json()["code"]) == (413, "too_large")
    monkeypatch.setattr(snippets, "MOST_BYTES", 10_000)
    monkeypatch.setattr(snippets, "MOST_AT_ONCE", 0)
    assert (send().status_code, send()["Retry-After"]) == (429, "600")
