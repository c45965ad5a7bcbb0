"""Pages of reports: who may see what, and what they say."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import uuid
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from analysis import presentation, services
from analysis.mixing import load_targets
from analysis.models import Job, JobState, Report, Stage
from catalog.models import ShareLink
from catalog.services import sharing
from tests.factories import (
    ArtistFactory,
    JobFactory,
    ReportFactory,
    RevisionFactory,
    TrackFactory,
    UserFactory,
    document,
)

BASE_DIR = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def listened():
    """The real report of a real song, made once."""
    from analysis.listening import listen

    spec = importlib.util.find_spec("immich_memories_music")
    path = Path(spec.origin).parent / "tracks/happy/happy_acoustic_2.opus"
    return path.read_bytes(), listen(path)


@pytest.fixture
def artist(db):
    return ArtistFactory()


def logged_in(artist) -> Client:
    client = Client()
    client.force_login(artist.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def revision(artist, listened):
    """A revision whose report stands, as the worker leaves it."""
    content, found = listened
    made = RevisionFactory(
        track=TrackFactory(artist=artist, title="Lemon <b>Tree</b>"),
        file=ContentFile(content, name="x"),
        content_sha256=hashlib.sha256(content).hexdigest(),
    )
    services.request_listening([made.pk])
    job = Job.objects.get()
    job.ticket = uuid.uuid4()
    job.state = JobState.RUNNING
    job.started_at = timezone.now()
    job.save()
    for name, data in found.pictures.items():
        services.default_storage.save(services.derived_name(job, name), ContentFile(data))
    key = {
        "content_sha256": made.content_sha256,
        "stage": job.stage,
        "model_version": job.model_version,
    }
    services._store_listening(job, key, found)
    return made


@pytest.fixture
def link(revision):
    return sharing.create_share_link(
        revision.track,
        label="press",
        show_audio=False,
        show_genre=True,
        show_features=False,
        show_mix=False,
        valid_for=None,
    )


class TestReport:
    def test_it_shows_what_was_measured(self, artist, revision):
        page = logged_in(artist).get(revision.track.get_absolute_url())
        text = page.content.decode()
        doc = Report.objects.get().document
        assert page.status_code == 200
        assert "E major" in text
        assert f"{doc['tempo']['bpm']:.0f}" in text
        assert f"{doc['loudness']['integrated_lufs']:.1f}".replace("-", "−") in text
        assert "Lemon &lt;b&gt;Tree&lt;/b&gt;" in text
        assert "<b>Tree</b>" not in text

    @pytest.mark.parametrize("manifest", [None, '{"file": "ears.safetensors", "sha256": "0"}', "{"])
    def test_it_is_shown_while_the_weights_are_missing_or_damaged(
        self, artist, revision, link, tmp_path, monkeypatch, manifest
    ):
        monkeypatch.setattr("analysis.neural.weights.SHIPPED_DIR", tmp_path)
        if manifest is not None:
            (tmp_path / "ears.json").write_text(manifest)
            (tmp_path / "ears.safetensors").write_bytes(b"torn")
        page = logged_in(artist).get(revision.track.get_absolute_url())
        text = page.content.decode()
        assert page.status_code == 200
        assert "E major" in text
        assert "estimates are sometimes wrong" in text
        assert "points off on average" not in text
        assert Client().get(reverse("shared", args=[link.token])).status_code == 200

    def test_it_says_how_often_the_model_is_right(self, artist, revision):
        figures = json.loads((BASE_DIR / "analysis/weights/ears.json").read_text())["figures"]
        text = logged_in(artist).get(revision.track.get_absolute_url()).content.decode()
        assert f"right {figures['accuracy']:.0%} times in 100".replace("%", "") in text
        points = round(100 * figures["ece_15_bins_cross_fitted"])
        assert f"{points} points off on average" in text

    def test_another_target_is_judged_anew(self, artist, revision):
        client = logged_in(artist)
        url = revision.track.get_absolute_url()
        metal = client.get(url, {"target": "metal"}).context["doc"]["mix"]
        jazz = client.get(url, {"target": "jazz"}).context["doc"]["mix"]
        assert (metal["genre"], jazz["genre"]) == ("metal", "jazz")
        assert metal["bands"][0]["median"] != jazz["bands"][0]["median"]
        unknown = client.get(url, {"target": "<script>"}).context["doc"]["mix"]
        assert unknown == Report.objects.get().document["mix"]

    def test_the_artists_default_target_is_used(self, artist, revision):
        artist.default_genre = "metal"
        artist.save()
        page = logged_in(artist).get(revision.track.get_absolute_url())
        assert page.context["target"] == "metal"

    def test_pictures_and_json_are_served_to_the_owner(self, artist, revision):
        client = logged_in(artist)
        picture = client.get(reverse("derived_file", args=[revision.pk, "spectrogram.png"]))
        assert picture["Content-Type"] == "image/png"
        assert b"".join(picture.streaming_content).startswith(b"\x89PNG")
        answer = client.get(reverse("report_json", args=[revision.track.pk])).json()
        assert answer == Report.objects.get().document

    def test_three_genres_are_explained_each_with_its_picture(self, artist, revision):
        client = logged_in(artist)
        page = client.get(revision.track.get_absolute_url())
        text = page.content.decode()
        for number, one in enumerate(page.context["doc"]["genre"]["explanations"], 1):
            name = "heat.png" if number == 1 else f"heat-{number}.png"
            address = reverse("derived_file", args=[revision.pk, name])
            assert address in text
            assert client.get(address).status_code == 200
            assert one["sentence"] in text
            assert f'data-region="{number}-1"' in text
        assert text.count("data-evidence-choice") == 3

    def test_without_scripts_the_likeliest_genre_is_shown(self, artist, revision):
        text = logged_in(artist).get(revision.track.get_absolute_url()).content.decode()
        shown = re.findall(r'<div class="evidence" data-evidence="(\d)"( hidden)?>', text)
        assert shown == [("1", ""), ("2", " hidden"), ("3", " hidden")]

    def test_a_report_made_before_there_were_several_explanations_is_shown(self, artist, revision):
        report = Report.objects.get()
        genre = report.document["genre"]
        for key in ("explanations", "stems"):
            genre.pop(key, None)
        for key in ("bands", "sections"):
            genre["attention"].pop(key)
        genre["sentence"] = "Jazz mainly because of 60–250 Hz (bass)."
        report.save()
        page = logged_in(artist).get(revision.track.get_absolute_url())
        text = page.content.decode()
        assert page.status_code == 200
        assert genre["sentence"] in text
        assert reverse("derived_file", args=[revision.pk, "heat.png"]) in text
        assert "heat-2.png" not in text
        assert "data-region=" not in text

    def test_stems_are_shown_where_there_are_any(self, artist, revision):
        url = revision.track.get_absolute_url()
        assert 'id="stems"' not in logged_in(artist).get(url).content.decode()
        report = Report.objects.get()
        effects = [("bass", 0.34, 0.47), ("drums", 0.83, -0.02)]
        report.document["genre"]["stems"] = {
            "left_over_db": None,
            "genres": [
                {
                    "label": "hiphop",
                    "probability": 0.81,
                    "sentence": "Take the bass away and hiphop falls from 81 % to 34 %.",
                    "stems": [
                        {"name": name, "without": without, "drop": drop, "alone": 0.5, "weight": 0}
                        for name, without, drop in effects
                    ],
                }
            ],
        }
        report.save()
        text = logged_in(artist).get(url).content.decode()
        assert "Take the bass away and hiphop falls from 81 % to 34 %." in text
        cells = [re.sub(r"<[^>]+>|\s+", " ", cell) for cell in re.findall(r"<td.*?</td>", text)]
        assert [" ".join(cell.split()) for cell in cells[:2]] == ["34 % −47", "83 % +2"]

    def test_separated_stems_tell_what_each_is_worth_to_the_genre(self, artist, revision):
        ears = Report.objects.get().document["models"]["ears"]
        sentence = "Take the bass away and hiphop falls from 81 % to 34 %."
        effect = {"name": "bass", "without": 0.34, "drop": 0.47, "alone": 0.5, "weight": 0.1}
        one = {"label": "hiphop", "probability": 0.81, "sentence": sentence, "stems": [effect]}
        stems = ReportFactory(
            content_sha256=revision.content_sha256,
            stage=Stage.SEPARATE,
            document={"genre": {"ears": ears, "left_over_db": None, "genres": [one]}},
        )
        client, url = logged_in(artist), revision.track.get_absolute_url()
        assert sentence in client.get(url).content.decode()
        stems.document["genre"]["ears"] = "0.9.0"
        stems.save()
        assert sentence not in client.get(url).content.decode(), "other ears said so"

    def test_the_voice_is_judged_as_soon_as_there_are_stems(self, artist, revision, link):
        client = logged_in(artist)
        url = revision.track.get_absolute_url()
        before = client.get(url, {"target": "rock"}).content.decode()
        assert "Voice against the band" not in before
        assert reverse("stems", args=[revision.track.pk]) in before
        voice = {"ratio_lu": -14.0, "sung_share": 0.5, "buried_at_s": 9.0, "leading_at_s": 21.0}
        levels = {"vocals": [-20.0] * 24, "drums": [-12.0] * 24}
        ReportFactory(
            content_sha256=revision.content_sha256,
            stage=Stage.SEPARATE,
            document={"engine": "starter", "mix": {"stems_db": levels, "vocals": voice}},
        )
        page = client.get(url, {"target": "rock"})
        text = page.content.decode()
        assert "Voice against the band" in text
        assert "The voice is buried" in text
        assert 'data-seek-to="9.0"' in text
        usual = load_targets().of("rock").vocals
        shown = page.context["doc"]["mix"]["vocals"]
        assert shown["outside_db"] == pytest.approx(-14.0 - usual.p10_lu, abs=0.01)
        link.show_mix = True
        link.save()
        shared = Client().get(reverse("shared", args=[link.token])).content.decode()
        assert "Voice against the band" in shared
        assert reverse("stems", args=[revision.track.pk]) not in shared

    def test_the_least_confidence_comes_from_the_model_not_from_the_page(
        self, artist, revision, monkeypatch
    ):
        monkeypatch.setattr(presentation, "UNDECIDED_BELOW", 0.55)
        text = logged_in(artist).get(revision.track.get_absolute_url()).content.decode()
        assert "Below 55 % no genre is named" in text

    def test_nothing_else_is_served_from_there(self, artist, revision):
        for name in ("..%2F..%2Fsecret_key", "secret_key", "waveform.json.bak"):
            url = f"/reports/{revision.pk}/{name}"
            assert logged_in(artist).get(url).status_code == 404

    def test_no_page_loads_anything_inline(self, artist, revision):
        text = logged_in(artist).get(revision.track.get_absolute_url()).content.decode()
        assert not re.search(r'<[^>]+\sstyle="', text)
        assert not re.search(r"<script(?![^>]*(src=|application/json))", text)


class TestWhoMaySee:
    @pytest.mark.parametrize(
        ("name", "key"),
        [
            ("track", "track"),
            ("track_status", "track"),
            ("report_json", "track"),
            ("derived_file", "revision"),
        ],
    )
    def test_another_artist_finds_nothing(self, revision, name, key):
        args = [revision.track.pk] if key == "track" else [revision.pk, "heat.png"]
        url = reverse(name, args=args)
        assert logged_in(ArtistFactory()).get(url).status_code == 404
        anonymous = Client().get(url)
        assert anonymous.status_code == 302
        assert reverse("account_login") in anonymous["Location"]

    def test_a_discoverable_tracks_report_stays_the_owners(self, revision):
        revision.track.discoverable = True
        revision.track.save()
        url = revision.track.get_absolute_url()
        assert logged_in(ArtistFactory()).get(url).status_code == 404

    def test_a_superuser_may(self, revision):
        client = Client()
        client.force_login(
            UserFactory(is_superuser=True, is_staff=True),
            backend="django.contrib.auth.backends.ModelBackend",
        )
        assert client.get(revision.track.get_absolute_url()).status_code == 200

    def test_listening_again_without_a_model_is_answered_in_words(
        self, revision, tmp_path, monkeypatch
    ):
        job = Job.objects.get()
        monkeypatch.setattr("analysis.neural.weights.SHIPPED_DIR", tmp_path)
        url = reverse("job_retry", args=[job.pk])
        page = logged_in(revision.artist).post(url, follow=True)
        assert page.status_code == 200
        assert "out of order on our side" in page.content.decode()
        assert Job.objects.get().state == job.state

    def test_only_the_owner_retries(self, revision):
        job = Job.objects.get()
        Job.objects.update(state=JobState.FAILED)
        url = reverse("job_retry", args=[job.pk])
        assert logged_in(ArtistFactory()).post(url).status_code == 404
        assert logged_in(revision.artist).get(url).status_code == 405
        assert Job.objects.get().state == JobState.FAILED
        assert logged_in(revision.artist).post(url).status_code == 302
        assert Job.objects.get().state == JobState.QUEUED


class TestProgress:
    def test_place_and_message_are_shown(self, artist):
        job = JobFactory(revision__track__artist=artist)
        url = reverse("track_status", args=[job.revision.track.pk])
        assert "Next in line" in logged_in(artist).get(url).content.decode()
        Job.objects.update(state="running", percent=40, message="Hearing the genre")
        text = logged_in(artist).get(url).content.decode()
        assert "Hearing the genre" in text
        assert 'value="40"' in text

    def test_a_finished_job_reloads_the_page(self, artist):
        job = JobFactory(revision__track__artist=artist, state=JobState.DONE)
        answer = logged_in(artist).get(reverse("track_status", args=[job.revision.track.pk]))
        assert answer["HX-Refresh"] == "true"

    def test_a_failure_says_why_and_offers_a_retry(self, artist):
        job = JobFactory(
            revision__track__artist=artist, state=JobState.FAILED, reason="Only silence in it."
        )
        text = logged_in(artist).get(job.revision.track.get_absolute_url()).content.decode()
        assert "Only silence in it." in text
        assert reverse("job_retry", args=[job.pk]) in text

    def test_without_javascript_a_waiting_page_reloads_itself(self, artist):
        job = JobFactory(revision__track__artist=artist)
        text = logged_in(artist).get(job.revision.track.get_absolute_url()).content.decode()
        assert '<noscript><meta http-equiv="refresh"' in text


class TestSharing:
    def test_only_the_chosen_parts_are_shown(self, revision, link):
        page = Client().get(reverse("shared", args=[link.token]))
        text = page.content.decode()
        assert page.status_code == 200
        assert set(page.context["doc"]) == {"file", "models", "genre"}
        assert "LUFS" not in text
        assert str(revision.pk) not in text, "the sound's address is not given away"

    def test_files_follow_the_choice(self, link):
        client = Client()
        for name in ("heat.png", "heat-2.png", "heat-3.png"):
            picture = client.get(reverse("shared_file", args=[link.token, name]))
            assert picture.status_code == 200
        page = client.get(reverse("shared", args=[link.token])).content.decode()
        assert reverse("shared_file", args=[link.token, "heat-2.png"]) in page
        assert "Hear the hottest places" not in page, "there is no sound to hear"
        ShareLink.objects.update(show_genre=False, show_features=True)
        hidden = reverse("shared_file", args=[link.token, "heat-2.png"])
        assert client.get(hidden).status_code == 404
        peaks = reverse("shared_file", args=[link.token, "waveform.json"])
        assert client.get(peaks).status_code == 404

    def test_revoked_expired_and_made_up_links_are_gone(self, link):
        client = Client()
        assert client.get("/s/made-up/").status_code == 404
        ShareLink.objects.update(expires_at=timezone.now())
        assert client.get(reverse("shared", args=[link.token])).status_code == 404
        ShareLink.objects.update(expires_at=None)
        assert client.get(reverse("shared", args=[link.token])).status_code == 200
        sharing.revoke_share_link(link)
        assert client.get(reverse("shared", args=[link.token])).status_code == 404
        assert client.get(reverse("shared_file", args=[link.token, "heat.png"])).status_code == 404

    def test_search_engines_are_kept_out(self, link):
        assert Client().get(reverse("shared", args=[link.token]))["X-Robots-Tag"] == "noindex"


def test_sections_without_figures_are_not_an_error():
    shared = presentation._shared_part(document(), ShareLink(show_mix=True, show_genre=False))
    assert "mix" in shared
    assert "genre" not in shared
