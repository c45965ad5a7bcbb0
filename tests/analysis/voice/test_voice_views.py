"""The voice's pages, previews and settings: what is shown, to whom, and what is refused."""

from __future__ import annotations

import io
import json
import uuid

import numpy as np
import pytest
import soundfile
from django.test import Client
from django.urls import reverse

from analysis import voice_preview_views
from analysis.models import Job, JobState, Stage
from analysis.render_slots import render_slot
from analysis.sound.timbre_simulation.levels import level_of
from catalog.models import Revision
from sonicsite.limits import TokenBuckets
from tests import voices
from tests.factories import ArtistFactory, JobFactory, RevisionFactory, TrackFactory

pytestmark = pytest.mark.django_db

SECONDS = 6.0


@pytest.fixture(scope="module")
def sounds() -> dict[str, np.ndarray]:
    voice = voices.sung(SECONDS)
    tone = 0.1 * np.sin(2 * np.pi * 110 * np.arange(voice.shape[1]) / voices.RATE)
    other = np.stack([tone, tone]).astype(np.float32)
    return {"vocals": voice, "drums": np.zeros_like(other), "other": other}


@pytest.fixture
def artist():
    return ArtistFactory(name="Ada")


@pytest.fixture
def revision(artist) -> Revision:
    return RevisionFactory(track=TrackFactory(artist=artist, title="Lemon Tree"))


@pytest.fixture
def heard(revision, sounds) -> Revision:
    """A version with stems and a voice report."""
    voices.stems_report(revision, sounds)
    voices.voice_report(revision, voices.document([voices.clip(0.5), voices.clip(4.6, 1.2)]))
    return revision


def logged_in(artist) -> Client:
    client = Client()
    client.force_login(artist.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def at(revision: Revision, name: str, *more: object) -> str:
    return reverse(name, args=[revision.track_id, *more])


def sound_of(response) -> np.ndarray:
    """The FLAC of a response, shape (2, n)."""
    samples, rate = soundfile.read(io.BytesIO(response.content), dtype="float32")
    assert rate == voices.RATE
    return samples.T


class TestPage:
    def test_a_voice_with_tags_evidence_strip_and_simulation(self, artist, heard):
        page = logged_in(artist).get(at(heard, "voice")).content.decode()
        assert "Clearly bright, somewhat breathy." in page
        assert "can’t tell" in page
        assert "higher than 84 % of the reference voices" in page
        assert "learnt from weak" in page
        assert page.count("data-mark ") == 2 * 5
        assert 'name="breathy" type="range"' in page
        assert "starter engine" in page

    def test_before_it_is_asked_for_it_is_offered(self, artist, revision):
        page = logged_in(artist).get(at(revision, "voice")).content.decode()
        assert at(revision, "voice_listen") in page
        assert "data-simulation" not in page

    def test_no_singing_is_said(self, artist, revision, sounds):
        voices.stems_report(revision, sounds)
        voices.voice_report(revision, voices.document([]))
        page = logged_in(artist).get(at(revision, "voice")).content.decode()
        assert "No singing found" in page
        assert "The recording is silent." in page
        assert "data-simulation" not in page

    def test_a_report_without_stems_is_still_shown(self, artist, revision):
        voices.voice_report(revision)
        page = logged_in(artist).get(at(revision, "voice")).content.decode()
        assert "What the voice is like" in page
        assert "stems of this version are gone" in page

    def test_a_failure_is_explained_and_can_be_tried_again(self, artist, revision):
        JobFactory(
            revision=revision, stage=Stage.VOICE, state=JobState.FAILED, reason="No stems came."
        )
        page = logged_in(artist).get(at(revision, "voice")).content.decode()
        assert "No stems came." in page
        assert "Try again" in page

    def test_the_separation_it_waits_for_is_shown(self, artist, revision):
        separation = JobFactory(
            revision=revision,
            stage=Stage.SEPARATE,
            state=JobState.RUNNING,
            percent=40,
            message="Separating, 0:10 of 0:30",
        )
        JobFactory(revision=revision, stage=Stage.VOICE, waits_for=separation)
        piece = logged_in(artist).get(at(revision, "voice_status")).content.decode()
        assert "Step 1 of 2: Separating, 0:10 of 0:30." in piece
        assert 'value="40"' in piece
        assert 'hx-trigger="every 2s"' in piece

    def test_what_is_over_reloads_the_page(self, artist, revision):
        JobFactory(revision=revision, stage=Stage.VOICE, state=JobState.DONE)
        response = logged_in(artist).get(at(revision, "voice_status"))
        assert (response.status_code, response["HX-Refresh"]) == (204, "true")

    def test_stopping(self, artist, revision):
        job = JobFactory(revision=revision, stage=Stage.VOICE)
        logged_in(artist).post(at(revision, "voice_stop"))
        assert Job.objects.get(pk=job.pk).state == JobState.CANCELLED

    def test_json_is_the_document(self, artist, heard):
        found = logged_in(artist).get(at(heard, "voice_json")).json()
        assert set(found["tags"]) == set(voices.USUAL)


class TestPreview:
    def test_the_original_is_the_stem(self, artist, heard, sounds):
        response = logged_in(artist).get(
            at(heard, "voice_preview"), {"original": 1, "start": 1.5, "seconds": 2}
        )
        got = sound_of(response)
        first = round(1.5 * voices.RATE)
        wanted = sounds["vocals"][:, first : first + 2 * voices.RATE]
        assert got.shape == wanted.shape
        inner = slice(500, -500)
        assert np.abs(got - wanted)[:, inner].max() < 2.5 / 32_768, "dither of 16 bit, no more"

    def test_changed_alone_is_as_loud_and_brighter(self, artist, heard):
        client = logged_in(artist)
        stretch = {"start": 0, "seconds": 4}
        before = sound_of(client.get(at(heard, "voice_preview"), {**stretch, "original": 1}))
        response = client.get(at(heard, "voice_preview"), {**stretch, "bright": 100})
        after = sound_of(response)
        assert after.shape == before.shape
        assert level_of(after, voices.RATE).integrated_lufs == pytest.approx(
            level_of(before, voices.RATE).integrated_lufs, abs=0.1
        )
        assert abs(float(response["Loudness-Off-Lu"])) <= 0.1
        power = [np.abs(np.fft.rfft(one[0])) ** 2 for one in (before, after)]
        high = round(4_000 * before.shape[1] / voices.RATE)
        assert 10 * np.log10(power[1][high:].sum() / power[0][high:].sum()) > 3.0

    def test_in_the_mix_only_the_voice_changes(self, artist, heard, sounds):
        client = logged_in(artist)
        query = {"seconds": 3, "warm": 80}
        alone = sound_of(client.get(at(heard, "voice_preview"), query))
        mixed = sound_of(client.get(at(heard, "voice_preview"), {**query, "mix": 1}))
        rest = sounds["other"][:, : 3 * voices.RATE]
        inner = slice(500, -500)
        assert np.abs(mixed - alone - rest)[:, inner].max() < 5 / 32_768

    def test_numbers_out_of_range_are_taken_to_the_nearest(self, artist, heard):
        response = logged_in(artist).get(
            at(heard, "voice_preview"),
            {"warm": "1e9", "wet": "-3", "start": "-5", "seconds": "nan", "rough": "x"},
        )
        assert response.status_code == 200
        assert sound_of(response).shape[1] == round(SECONDS * voices.RATE)

    def test_a_stretch_behind_the_end_is_refused_in_words(self, artist, heard):
        response = logged_in(artist).get(at(heard, "voice_preview"), {"start": 1_000})
        assert response.status_code == 422
        assert b"over by then" in response.content

    def test_one_render_at_a_time(self, artist, heard):
        with render_slot(str(artist.user.pk)):
            response = logged_in(artist).get(at(heard, "voice_preview"), {"seconds": 2})
        assert response.status_code == 429
        assert int(response["Retry-After"]) >= 1

    def test_not_too_many(self, artist, heard, monkeypatch):
        monkeypatch.setattr(voice_preview_views, "_PREVIEWS", TokenBuckets(rate=0.01, burst=1))
        client = logged_in(artist)
        query = {"seconds": 2, "original": 1}
        assert client.get(at(heard, "voice_preview"), query).status_code == 200
        assert client.get(at(heard, "voice_preview"), query).status_code == 429

    def test_saved_under_a_sensible_name(self, artist, heard):
        response = logged_in(artist).get(
            at(heard, "voice_preview"), {"seconds": 2, "warm": 60, "mix": 1, "download": 1}
        )
        assert "Ada - Lemon Tree (in the mix, warm 60 %).flac" in response["Content-Disposition"]


class TestSettings:
    def test_text_names_every_filter_and_the_drive(self, artist, heard):
        response = logged_in(artist).get(
            at(heard, "voice_settings_file", "txt"), {"warm": 50, "breathy": 100, "wet": 80}
        )
        text = response.content.decode()
        assert "Warm 50 %, Breathy 100 %; 80 % wet" in text
        assert "Bell 260 Hz, +3.0 dB, Q 0.70" in text
        assert "drive +8.0 dB" in text
        assert "Lemon Tree (vocal timbre).txt" in response["Content-Disposition"]

    def test_json_holds_the_same(self, artist, heard):
        found = json.loads(
            logged_in(artist).get(at(heard, "voice_settings_file", "json"), {"bright": 50}).content
        )
        stages = {one["stage"]: one for one in found["chain"]}
        assert found["amounts"]["bright"] == 0.5
        assert {
            "type": "high_shelf",
            "freq_hz": 3_000.0,
            "gain_db": 2.75,
            "q": 0.707,
        } in stages["equaliser"]["moves"]
        assert stages["saturation"]["drive_db"] == 0.0
        assert stages["breath"]["level_db"] is None

    def test_other_kinds_are_none(self, artist, heard):
        assert logged_in(artist).get(at(heard, "voice_settings_file", "exe")).status_code == 404

    def test_the_piece_of_the_page_lists_the_steps(self, artist, heard):
        page = logged_in(artist).get(at(heard, "voice_settings"), {"rough": 100}).content.decode()
        assert "Random tremolo from 50 to 110 Hz" in page


class TestFiles:
    def test_the_stem_can_be_sought_in(self, artist, heard):
        url = at(heard, "voice_file", "vocals.flac")
        response = logged_in(artist).get(url, headers={"Range": "bytes=0-3"})
        assert response.status_code == 206
        assert b"".join(response.streaming_content) == b"fLaC"

    def test_the_waveform(self, artist, heard):
        response = logged_in(artist).get(at(heard, "voice_file", "waveform.json"))
        peaks = json.loads(b"".join(response.streaming_content))
        assert peaks["columns"] == len(peaks["max"]) > 0

    @pytest.mark.parametrize("name", ["drums.flac", "..", "vocals.000.flac"])
    def test_nothing_else(self, artist, heard, name):
        assert logged_in(artist).get(at(heard, "voice_file", name)).status_code == 404


class TestCompareAndTrend:
    def test_two_tracks_of_the_artist(self, artist, heard):
        other = RevisionFactory(track=TrackFactory(artist=artist, title="Salt"))
        voices.voice_report(other, voices.document(bright=0.2))
        page = logged_in(artist).get(at(other, "voice_compare")).content.decode()
        assert "Lemon Tree · v1" in page
        assert "too few clips to tell" in page.lower()

    def test_clear_differences_are_named(self, artist, revision):
        other = RevisionFactory(track=revision.track, number=2)
        voices.voice_report(revision, voices.document(bright=0.3))
        voices.voice_report(other, voices.document(bright=0.9))
        page = logged_in(artist).get(
            at(revision, "voice_compare"), {"revision": 1, "with": str(other.pk)}
        )
        assert "B is clearly more bright." in page.content.decode()

    def test_one_that_was_not_listened_to_is_said(self, artist, heard):
        other = RevisionFactory(track=TrackFactory(artist=artist, title="Salt"))
        page = logged_in(artist).get(at(heard, "voice_compare"), {"with": str(other.pk)})
        assert "The voice of Salt · v1 has not been listened to" in page.content.decode()

    def test_alone_it_says_what_to_do(self, artist, heard):
        page = logged_in(artist).get(at(heard, "voice_compare")).content.decode()
        assert "Nothing to compare with yet" in page

    def test_the_trend_over_the_tracks(self, artist):
        for number in range(6):
            track = TrackFactory(
                artist=artist, title=f"Song {number}", release_date=f"202{number}-05-01"
            )
            voices.voice_report(
                RevisionFactory(track=track), voices.document(warm=0.2 + 0.1 * number)
            )
        reference = TrackFactory(artist=artist, title="Not mine", is_reference=True)
        voices.voice_report(RevisionFactory(track=reference))
        page = logged_in(artist).get(reverse("voice_trend")).content.decode()
        assert "More warm from song to song, by 50 points in all." in page
        assert page.count("No clear trend.") == 2 * 4
        assert "1 May 2023" in page
        assert "Not mine" not in page

    def test_the_trend_of_nothing(self, artist):
        page = logged_in(artist).get(reverse("voice_trend")).content.decode()
        assert "No voice has been listened to yet" in page


PAGES = [
    ("voice", ()),
    ("voice_status", ()),
    ("voice_json", ()),
    ("voice_compare", ()),
    ("voice_file", ("vocals.flac",)),
    ("voice_preview", ()),
    ("voice_settings", ()),
    ("voice_settings_file", ("txt",)),
]


class TestPermissions:
    def test_others_find_nothing(self, heard):
        stranger = logged_in(ArtistFactory())
        for name, more in PAGES:
            url = at(heard, name, *more)
            assert stranger.get(url).status_code == 404, name
            response = Client().get(url)
            assert response.status_code == 302, name
            assert "login" in response["Location"]

    def test_others_start_and_stop_nothing(self, revision):
        job = JobFactory(revision=revision, stage=Stage.VOICE)
        stranger = logged_in(ArtistFactory())
        for name in ("voice_listen", "voice_stop"):
            assert stranger.post(at(revision, name)).status_code == 404
            assert logged_in(revision.artist).get(at(revision, name)).status_code == 405
        assert Job.objects.get(stage=Stage.VOICE).state == job.state

    def test_nobody_compares_with_others_voices(self, artist, heard):
        strangers = RevisionFactory()
        voices.voice_report(strangers)
        for wanted in (strangers.pk, uuid.uuid4(), "x"):
            url = f"{at(heard, 'voice_compare')}?with={wanted}"
            assert logged_in(artist).get(url).status_code == 404

    def test_the_trend_needs_an_artist(self):
        assert Client().get(reverse("voice_trend")).status_code == 302
