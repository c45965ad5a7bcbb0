"""What an artist takes away from a report: who may, and that it is what was set on the page."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import io
import json
import re
from contextlib import ExitStack
from pathlib import Path

import pytest
import soundfile
from django.core.files.base import ContentFile
from django.core.signals import request_finished
from django.db import close_old_connections, connection
from django.test import Client, RequestFactory
from django.urls import resolve, reverse
from PIL import Image

from analysis import export_views, render_slots
from analysis.mixing import load_targets, rejudge
from analysis.mixing.moves import moves_of
from analysis.models import Report
from catalog.services import sharing
from sonicsite.limits import TokenBuckets
from tests.factories import ArtistFactory, ReportFactory, RevisionFactory, TrackFactory

PRESETS = ["json", "csv", "apo", "text"]
FINDINGS = [
    ("tonal_sub", "low_shelf", 80.0, 0.7, 3.0),
    ("tonal_mids", "bell", 1_000.0, 1.2, -2.0),
]


def finding(id: str, shape: str, freq_hz: float, q: float, gain_db: float) -> dict[str, object]:
    advice = {"text": "Do it.", "type": shape, "freq_hz": freq_hz, "q": q, "gain_db": gain_db}
    return {
        "id": id,
        "category": "tonal",
        "severity": "advice",
        "title": f"About {id}",
        "explanation": "Because.",
        "where": {"low_hz": 20.0, "high_hz": 80.0, "start_s": None, "end_s": None},
        "amount_db": 2.5,
        "confidence": 0.8,
        "importance": 1.0,
        "advice": advice,
    }


@pytest.fixture(scope="module")
def listened():
    """A real song and its real document, made once."""
    from analysis.listening import listen

    spec = importlib.util.find_spec("immich_memories_music")
    path = Path(spec.origin).parent / "tracks/energetic/energetic_electronic_2.opus"
    return path.read_bytes(), listen(path).document


@pytest.fixture
def revision(db, listened):
    content, document = listened
    document = copy.deepcopy(document)
    document["mix"]["findings"] = [finding(*one) for one in FINDINGS]
    sha256 = hashlib.sha256(content).hexdigest()
    ReportFactory(content_sha256=sha256, document=document)
    artist = ArtistFactory(name="Žofie / 日本")
    return RevisionFactory(
        track=TrackFactory(artist=artist, title='Lemon "Tree"'),
        file=ContentFile(content, name="x"),
        content_sha256=sha256,
        sample_rate=48_000,
    )


@pytest.fixture(autouse=True)
def _plenty(monkeypatch):
    monkeypatch.setattr(export_views, "_EXPORTS", TokenBuckets(rate=1.0, burst=1_000))


def logged_in(artist) -> Client:
    client = Client()
    client.force_login(artist.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def owner(revision) -> Client:
    return logged_in(revision.artist)


def addresses(track) -> dict[str, str]:
    found = {kind: reverse("equaliser_preset", args=[track.pk, kind]) for kind in PRESETS}
    for name in ("equalised_wav", "equalised_plan", "report_pdf", "report_png"):
        found[name] = reverse(name, args=[track.pk])
    return found


def body(response) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def gone(response) -> None:
    """What the server does when the browser went away; the test's own database stays open."""
    request_finished.disconnect(close_old_connections)
    try:
        response.close()
    finally:
        request_finished.connect(close_old_connections)


def response_of(artist, url):
    """As the server gets it: Django's test client reads and closes streams in its own way."""
    request = RequestFactory().get(url)
    request.user = artist.user
    view, args, kwargs = resolve(url)
    return view(request, *args, **kwargs)


class TestWhoMay:
    @pytest.mark.parametrize(
        "name", [*PRESETS, "equalised_wav", "equalised_plan", "report_pdf", "report_png"]
    )
    def test_only_the_owner(self, revision, owner, name):
        url = addresses(revision.track)[name]
        taken = owner.get(url)
        assert taken.status_code == 200
        gone(taken)
        assert logged_in(ArtistFactory()).get(url).status_code == 404
        visitor = Client().get(url)
        assert visitor.status_code == 302
        assert "/accounts/login/" in visitor["Location"]
        assert owner.post(url).status_code == 405

    def test_a_discoverable_or_shared_track_is_not_to_be_taken(self, revision):
        revision.track.discoverable = True
        revision.track.save()
        link = sharing.create_share_link(revision.track, show_mix=True)
        stranger = logged_in(ArtistFactory())
        for url in addresses(revision.track).values():
            assert stranger.get(url, {"share": link.token}).status_code == 404

    def test_a_track_without_a_report_has_nothing_to_take(self, owner, revision):
        Report.objects.all().delete()
        for url in addresses(revision.track).values():
            assert owner.get(url).status_code == 404

    def test_an_unknown_kind_is_not_there(self, owner, revision):
        url = reverse("equaliser_preset", args=[revision.track.pk, "json"])
        assert owner.get(url.replace("/json/", "/yaml/")).status_code == 404


class TestPresets:
    def test_names_of_files_are_safe_and_readable(self, owner, revision):
        for name, url in addresses(revision.track).items():
            if name == "equalised_plan":
                continue
            response = owner.get(url)
            gone(response)
            header = response["Content-Disposition"]
            assert header.startswith("attachment; filename*=utf-8''%C5%BDofie%20-%20"), header
            assert "%E6%97%A5%E6%9C%AC%20-%20Lemon%20-Tree-%20%28" in header
            assert '"' not in header

    def test_settings_of_the_page_are_kept(self, owner, revision):
        url = addresses(revision.track)["json"]
        full = owner.get(url).json()
        assert [move["gain_db"] for move in full["moves"]] == [3.0, -2.0]
        assert full["output_gain_db"] < 0, "more low end than is taken from the middle"
        half = owner.get(url, {"amount": "50", "off": "tonal_mids"}).json()
        assert [(move["gain_db"], move["on"]) for move in half["moves"]] == [
            (1.5, True),
            (-1.0, False),
        ]
        nothing = owner.get(url, {"amount": "0"}).json()
        assert nothing["output_gain_db"] == 0.0

    def test_another_target_brings_its_own_moves(self, owner, revision):
        url = addresses(revision.track)["json"]
        document = Report.objects.get().document
        targets = load_targets()
        genre = next(name for name in targets.genres if name != document["mix"]["genre"])
        wanted = moves_of(rejudge(document, genre=genre, targets=targets))
        response = owner.get(url, {"target": genre})
        if not wanted:
            assert response.status_code == 404
        else:
            moves = response.json()["moves"]
            assert [move["freq_hz"] for move in moves] == [move.freq_hz for move in wanted]

    def test_each_version_has_its_own(self, owner, revision, listened):
        other = copy.deepcopy(Report.objects.get().document)
        other["mix"]["findings"] = [finding("tonal_sub", "low_shelf", 60.0, 0.7, -1.0)]
        ReportFactory(content_sha256="b" * 64, document=other)
        RevisionFactory(track=revision.track, number=2, content_sha256="b" * 64)
        url = addresses(revision.track)["json"]
        assert owner.get(url).json()["moves"][0]["freq_hz"] == 60.0
        assert owner.get(url, {"revision": "1"}).json()["moves"][0]["freq_hz"] == 80.0

    def test_without_moves_there_is_no_equaliser_but_a_report(self, owner, revision):
        report = Report.objects.get()
        report.document["mix"]["findings"] = []
        report.save()
        found = {
            name: owner.get(url).status_code for name, url in addresses(revision.track).items()
        }
        assert found == {
            **dict.fromkeys([*PRESETS, "equalised_wav", "equalised_plan"], 404),
            "report_pdf": 200,
            "report_png": 200,
        }


class TestWav:
    def test_it_is_the_song_as_loud_as_before(self, owner, revision, listened, tmp_path):
        from analysis.sound.measure import measure

        response = owner.get(addresses(revision.track)["equalised_wav"])
        content = body(response)
        assert int(response["Content-Length"]) == len(content)
        path = tmp_path / "out.wav"
        path.write_bytes(content)
        info = soundfile.info(path)
        file = listened[1]["file"]
        assert (info.subtype, info.samplerate, info.channels) == ("PCM_24", 48_000, 2)
        assert info.duration == pytest.approx(file["duration_s"], abs=0.001)
        plan = owner.get(addresses(revision.track)["equalised_plan"]).json()
        measured = measure(path)
        before = listened[1]["loudness"]
        loudness = measured.loudness.integrated_lufs - plan["lowered_db"]
        assert loudness == pytest.approx(before["integrated_lufs"], abs=0.1)
        assert measured.loudness.true_peak_dbtp <= -0.95
        low = {band.name: band.level_db for band in measured.spectrum.bands}
        was = {band["name"]: band["level_db"] for band in listened[1]["spectrum"]["bands"]}
        assert low["sub"] - low["mids"] > was["sub"] - was["mids"] + 3.0

    def test_it_is_measured_once_and_sent_when_it_is_known(self, owner, revision, monkeypatch):
        urls = addresses(revision.track)
        first = owner.get(urls["equalised_plan"], {"amount": "40"}).json()

        def never(*_args, **_kwargs):
            raise AssertionError("measured twice")

        monkeypatch.setattr(export_views, "measure_render", never)
        assert owner.get(urls["equalised_plan"], {"amount": "40"}).json() == first
        content = body(owner.get(urls["equalised_wav"], {"amount": "40"}))
        assert first["bytes"] < len(content) < first["bytes"] + 1_000

    def test_too_many_renders_are_told_when_to_come_back(self, owner, revision, monkeypatch):
        monkeypatch.setattr(export_views, "_EXPORTS", TokenBuckets(rate=0.01, burst=1))
        url = addresses(revision.track)["equalised_wav"]
        assert body(owner.get(url))
        refused = owner.get(url)
        assert refused.status_code == 429
        assert 50 < int(refused["Retry-After"]) <= 100
        plan = owner.get(addresses(revision.track)["equalised_plan"], {"amount": "10"})
        assert plan.status_code == 429
        assert "Try again in" in plan.json()["detail"]
        assert owner.get(addresses(revision.track)["json"]).status_code == 200

    @pytest.mark.parametrize("is_known", [False, True])
    def test_a_file_that_is_gone_is_not_found(self, owner, revision, is_known):
        urls = addresses(revision.track)
        if is_known:
            assert owner.get(urls["equalised_plan"]).status_code == 200
        revision.file.storage.delete(revision.file.name)
        assert owner.get(urls["equalised_wav"]).status_code == 404

    @pytest.mark.parametrize("is_known", [False, True])
    def test_a_file_that_broke_is_explained(self, owner, revision, is_known):
        urls = addresses(revision.track)
        if is_known:
            assert owner.get(urls["equalised_plan"]).status_code == 200
        Path(revision.file.path).write_bytes(b"not a song")
        plan = owner.get(urls["equalised_plan"], {"amount": "70"})
        assert plan.status_code == 422
        assert plan.json()["detail"]
        page = owner.get(urls["equalised_wav"])
        assert page.status_code == 422
        assert plan.json()["detail"] in page.content.decode()
        assert revision.track.get_absolute_url() in page.content.decode()

    @pytest.mark.parametrize(
        "facts", [{"duration_s": 601.0}, {"duration_s": 500.0, "channels": 8}], ids=["long", "wide"]
    )
    def test_what_would_take_minutes_is_refused_in_words(self, owner, revision, facts):
        report = Report.objects.get()
        report.document["file"].update(facts)
        report.save()
        urls = addresses(revision.track)
        plan = owner.get(urls["equalised_plan"])
        assert plan.status_code == 413
        assert "up to 10 minutes" in plan.json()["detail"]
        assert "as a preset" in plan.json()["detail"]
        page = owner.get(urls["equalised_wav"])
        assert page.status_code == 413
        assert plan.json()["detail"] in page.content.decode()
        assert owner.get(urls["json"]).status_code == 200


class TestOneRenderAtATime:
    def test_a_second_one_of_the_same_account_is_refused_until_the_first_ends(
        self, owner, revision
    ):
        urls = addresses(revision.track)
        assert owner.get(urls["equalised_plan"]).status_code == 200
        first = response_of(revision.artist, urls["equalised_wav"])
        pieces = iter(first)
        for _ in range(4):
            assert next(pieces)
        for name in ("equalised_wav", "equalised_plan"):
            refused = owner.get(urls[name])
            assert refused.status_code == 429
            assert int(refused["Retry-After"]) > 0
            assert "Another render of yours is still running" in refused.content.decode()
        for name in ("json", "report_png"):
            assert owner.get(urls[name]).status_code == 200
        assert next(pieces), "more was to come"
        gone(first)
        again = owner.get(urls["equalised_wav"])
        assert len(body(again)) == int(again["Content-Length"])
        assert owner.get(urls["equalised_plan"]).status_code == 200, "it was read to its end"

    def test_a_download_that_nobody_began_to_read_lets_go(self, owner, revision):
        url = addresses(revision.track)["equalised_wav"]
        gone(response_of(revision.artist, url))
        response = owner.get(url)
        assert response.status_code == 200
        gone(response)

    def test_another_web_process_counts_too(self, owner, revision):
        """The other process is another connection to the same database."""
        account = str(revision.artist.user.pk)
        other = connection.copy()
        try:
            with other.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"render {account}"]
                )
            for name in ("equalised_wav", "equalised_plan"):
                assert owner.get(addresses(revision.track)[name]).status_code == 429
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock_all()")
            assert owner.get(addresses(revision.track)["equalised_plan"]).status_code == 200
        finally:
            other.close()

    def test_a_process_takes_only_a_few_accounts_and_the_next_when_one_is_done(
        self, owner, revision
    ):
        url = addresses(revision.track)["equalised_plan"]
        with ExitStack() as others:
            for number in range(render_slots.MOST_AT_ONCE - 1):
                others.enter_context(render_slots.render_slot(f"other {number}"))
            with render_slots.render_slot("one more"):
                refused = owner.get(url)
                assert refused.status_code == 429
                assert "Others are having" in refused.json()["detail"]
            assert owner.get(url).status_code == 200

    def test_a_refused_or_failed_render_keeps_no_turn(self, owner, revision):
        urls = addresses(revision.track)
        content = Path(revision.file.path).read_bytes()
        Path(revision.file.path).write_bytes(b"not a song")
        for _ in range(render_slots.MOST_AT_ONCE + 1):
            assert owner.get(urls["equalised_wav"]).status_code == 422
        Path(revision.file.path).write_bytes(content)
        assert owner.get(urls["equalised_plan"]).status_code == 200

    def test_a_reader_who_takes_forever_is_left(self, owner, revision, monkeypatch):
        monkeypatch.setattr(render_slots, "SLOWEST_DOWNLOAD_S", 0.0)
        urls = addresses(revision.track)
        with pytest.raises(TimeoutError):
            body(owner.get(urls["equalised_wav"]))
        assert owner.get(urls["equalised_plan"]).status_code == 200


class TestSheets:
    def test_the_pdf_is_one(self, owner, revision):
        response = owner.get(addresses(revision.track)["report_pdf"])
        assert response["Content-Type"] == "application/pdf"
        assert response.content.startswith(b"%PDF-")
        assert 1 <= len(re.findall(rb"/Type /Page\b", response.content)) <= 2

    def test_the_picture_is_one(self, owner, revision):
        response = owner.get(addresses(revision.track)["report_png"])
        picture = Image.open(io.BytesIO(response.content))
        assert (picture.format, picture.width) == ("PNG", 1_488)
        assert picture.height > 1_500

    def test_too_many_are_told_when_to_come_back(self, owner, revision, monkeypatch):
        monkeypatch.setattr(export_views, "_EXPORTS", TokenBuckets(rate=0.01, burst=2))
        urls = addresses(revision.track)
        assert owner.get(urls["report_png"]).status_code == 200
        assert owner.get(urls["report_pdf"]).status_code == 200
        for name in ("report_png", "report_pdf"):
            refused = owner.get(urls[name])
            assert refused.status_code == 429
            assert 50 < int(refused["Retry-After"]) <= 100
            assert "Try again in" in refused.content.decode()
            assert "Content-Disposition" not in refused


class TestPage:
    def test_it_has_the_moves_the_numbers_and_links_that_keep_the_view(self, owner, revision):
        page = owner.get(revision.track.get_absolute_url(), {"revision": "1"}).content.decode()
        assert re.findall(r'data-move="([\w-]+)"', page) == ["tonal_sub", "tonal_mids"]
        numbers = re.search(r'<script id="audition-data"[^>]*>(.*?)</script>', page)
        data = json.loads(numbers[1])
        document = Report.objects.get().document
        assert data["spectrum"]["levels_db"] == document["spectrum"]["levels_db"]
        assert data["moves"][1] == {
            "key": "tonal_mids",
            "type": "bell",
            "freq_hz": 1_000.0,
            "q": 1.2,
            "gain_db": -2.0,
        }
        assert f"{addresses(revision.track)['equalised_wav']}?revision=1" in page
        assert f"{addresses(revision.track)['report_pdf']}?revision=1" in page

    def test_nothing_to_equalise_is_said_and_no_tool_is_shown(self, owner, revision):
        report = Report.objects.get()
        report.document["mix"]["findings"] = []
        report.save()
        page = owner.get(revision.track.get_absolute_url()).content.decode()
        assert "Nothing to equalise" in page
        assert "data-audition" not in page
        assert addresses(revision.track)["equalised_wav"] not in page
        assert addresses(revision.track)["report_pdf"] in page

    def test_a_shared_page_offers_nothing_to_take(self, revision):
        link = sharing.create_share_link(revision.track, show_mix=True)
        page = Client().get(reverse("shared", args=[link.token])).content.decode()
        assert "About tonal_sub" in page
        assert "equalised.wav" not in page
