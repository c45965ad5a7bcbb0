"""The page of similar tracks: what can be started from, what it shows, verdicts on pairs."""

from __future__ import annotations

import csv
import io
import uuid

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from analysis.discovery import sections
from analysis.discovery.gallery_models import PairFeedback
from analysis.discovery.gallery_selectors import volumes
from analysis.models import Report
from catalog.models import Track
from tests.analysis.discovery.catalogue import at, heard
from tests.factories import AlbumFactory, ArtistFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(client):
    """An asker with a start and a near track; another artist with a farther and a hidden one."""
    asker, other = ArtistFactory(name="Asker"), ArtistFactory(name="Other")
    album = AlbumFactory(artist=asker, title="Longplayer")
    quiet, loud = {"integrated_lufs": -20.0}, {"integrated_lufs": -14.0}
    made = {
        "start": heard(asker, at(0), title="Start here", album=album, report=quiet),
        "near": heard(asker, at(20), title="Quite near", report=loud),
        "far": heard(other, at(60), title="Farther off", discoverable=True, report=loud),
        "hidden": heard(other, at(10), title="Kept secret"),
    }
    client.force_login(asker.user)
    return made


def page(client, **query):
    return client.get(reverse("discover"), query)


def order(response):
    """The titles of the hits as they stand on the page."""
    return [one.hit.track.title for one in response.context["page"].found]


def test_from_a_track_an_album_and_an_artist_the_nearest_come_first(client, world):
    start = world["start"]
    for seed in (f"track-{start.pk}", f"album-{start.album_id}"):
        response = page(client, add=seed)
        assert response.status_code == 200
        assert order(response) == ["Quite near", "Farther off"]
        assert 'value="any"' not in response.content.decode()
        assert "Kept secret" not in response.content.decode()
    assert order(page(client, add=f"artist-{world['far'].artist_id}")) == [
        "Quite near",
        "Start here",
    ]


def test_taking_a_sound_away_turns_the_order(client, world):
    third = heard(world["start"].artist, at(-50), title="The other way")
    start, near = world["start"], world["near"]
    before = order(page(client, add=f"track-{start.pk}"))
    assert before.index("The other way") < before.index("Farther off")
    after = order(page(client, add=f"track-{near.pk}", less=f"track-{third.pk}"))
    assert after[0] == "Farther off"


def test_filters_stand_in_the_address_and_narrow(client, world):
    Report.objects.filter(embedding__isnull=False).update(genre_decided=True)
    seed = f"track-{world['start'].pk}"
    assert order(page(client, add=seed, whose="others")) == ["Farther off"]
    assert order(page(client, add=seed, without_own="yes")) == ["Farther off"]
    nothing = page(client, add=seed, energy_low="0.99")
    assert "Nothing found" in nothing.content.decode()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"add": "track-nonsense"}, 400),
        ({"add": "planet-3"}, 400),
        ({"add": f"track-{uuid.uuid4()}"}, 404),
        ({"add": f"artist-{10**9 - 1}"}, 404),
        ({"add": "artist-99999999999999999999"}, 400),
        ({"less": "START"}, 400),
        ({"add": "START", "page": "9999"}, 400),
        ({"add": "START", "tempo_low": "1e999"}, 400),
        ({"add": "START", "key": "H\0 minor"}, 400),
        ({"add": "START", "q": "a\0b" * 200}, 200),
    ],
)
def test_odd_addresses_get_words_not_errors(client, world, query, status):
    start = f"track-{world['start'].pk}"
    query = {name: start if value == "START" else value for name, value in query.items()}
    response = page(client, **query)
    assert response.status_code == status


def test_what_is_hidden_can_neither_be_started_from_nor_found_by_name(client, world):
    assert page(client, add=f"track-{world['hidden'].pk}").status_code == 404
    for words in ("secret", "farther"):
        told = client.get(reverse("discover_choices"), {"q": words}).content.decode()
        assert ("Farther off" in told) == (words == "farther")
        assert "Kept secret" not in told
    client.logout()
    assert page(client).status_code == 302


def test_alike_sections_can_be_played_at_one_loudness(client, world):
    for name, degrees in (("start", (0, 80)), ("near", (81, 160))):
        report = Report.objects.get(content_sha256=world[name].revisions.get().content_sha256)
        vectors = np.stack([at(d) for d in degrees])
        sections.store(report, _Sections([0.0, 41.0], [10.0, 51.0], vectors))
    text = page(client, add=f"track-{world['start'].pk}").content.decode()
    assert "0:00–0:10 is like 0:41–0:51 of Start here" in text
    # The start is 6 dB quieter: the other is turned down to it, by half.
    assert 'data-a-volume="1.0"' in text
    assert 'data-b-volume="0.5012"' in text
    assert volumes(None, -9.0) == (1.0, 1.0)


class _Sections:
    def __init__(self, start_s, end_s, vectors):
        self.start_s, self.end_s, self.vectors = start_s, end_s, vectors


def test_a_verdict_is_kept_turned_and_taken_back(client, world):
    a, b = world["start"].pk, world["near"].pk

    def say(verdict, one=a, two=b):
        return client.post(
            reverse("discover_verdict"), {"a": one, "b": two, "verdict": verdict}
        ).status_code

    assert say("similar") == 302
    assert say("not_similar", b, a) == 302
    row = PairFeedback.objects.get()
    assert (row.track_a_id, row.track_b_id) == tuple(sorted((a, b)))
    assert (row.verdict, row.model_version) == ("not_similar", "test-1")
    text = page(client, add=f"track-{a}").content.decode()
    assert 'value="not_similar" aria-pressed="true"' in text
    assert say("not_similar") == 302
    assert not PairFeedback.objects.exists()
    assert say("similar", a, a) == 400
    assert say("perhaps") == 400
    assert say("similar", a, world["hidden"].pk) == 404


def test_only_pairs_with_consent_of_both_artists_leave_for_training(client, world, tmp_path):
    for b in ("near", "far"):
        client.post(
            reverse("discover_verdict"),
            {"a": world["start"].pk, "b": world[b].pk, "verdict": "similar"},
        )
    artist = world["start"].artist
    artist.may_train = True
    artist.save()
    Track.objects.update(may_train=True)
    out = tmp_path / "pairs.csv"
    told = io.StringIO()
    call_command("export_pair_feedback", str(out), stdout=told)
    rows = list(csv.DictReader(out.open()))
    contents = {world[n].revisions.get().content_sha256 for n in ("start", "near")}
    assert len(rows) == 1
    assert {rows[0]["content_a_sha256"], rows[0]["content_b_sha256"]} == contents
    assert (rows[0]["verdict"], rows[0]["rater"]) == ("1", "1")
    assert "1 verdicts written, 1 withheld" in told.getvalue()


def test_a_snippet_that_is_no_sound_is_refused_in_words(client, world):
    file = SimpleUploadedFile("noise.wav", b"\0\xff" * 500)
    response = client.post(reverse("discover_snippet"), {"sound": file}, follow=True)
    assert response.status_code == 200
    assert [str(m) for m in response.context["messages"]]
    assert (
        client.post(reverse("discover_snippet"), {"sound": "text"}, follow=True).status_code == 200
    )


def test_who_has_nothing_is_told_kindly(client):
    client.force_login(ArtistFactory().user)
    assert "Nothing to discover yet" in page(client).content.decode()
