"""The addresses of stems: who gets them, what they give, under which names."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from urllib.parse import unquote

import av
import numpy as np
import pytest
import soundfile
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from scipy.signal import resample_poly

from analysis import services, stem_downloads
from analysis.mix_models import MOST_MIXES_PER_TRACK, StemMix
from analysis.mixing.stem_mix import gains, parse
from analysis.models import Job, JobState, Stage
from tests.analysis.stems.conftest import RATE, logged_in, revision_of
from tests.factories import ArtistFactory, JobFactory

pytestmark = pytest.mark.django_db

NAMES = ["vocals", "drums", "bass", "other"]
LOUD = {"stems": {name: {"gain_db": 6.0} for name in NAMES}, "master_db": 6.0}


@pytest.fixture(autouse=True)
def _fresh_limits(monkeypatch):
    monkeypatch.setattr(stem_downloads._DOWNLOADS, "burst", 1_000)


@pytest.fixture
def browser(artist) -> Client:
    return logged_in(artist)


def body(response) -> bytes:
    return b"".join(response.streaming_content)


def manifest(browser, revision) -> dict:
    return browser.get(reverse("stems_manifest", args=[revision.track_id])).json()


def saved_name(response) -> str:
    header = response["Content-Disposition"]
    assert header.startswith("attachment; ")
    if "filename*=utf-8''" in header:
        return unquote(header.partition("filename*=utf-8''")[2])
    return header.partition('filename="')[2].rstrip('"')


def whole(report, name: str) -> np.ndarray:
    """A stem as it is stored, (n, 2)."""
    return soundfile.read(default_storage.path(services.derived_name(report, f"{name}.flac")))[0]


def addresses(track_id, report_id, mix_id) -> list[tuple[str, str]]:
    of_track, of_report = [track_id], [track_id, report_id]
    return [
        ("get", reverse("stems", args=of_track)),
        ("get", reverse("stems_status", args=of_track)),
        ("post", reverse("stems_separate", args=of_track)),
        ("post", reverse("stems_cancel", args=of_track)),
        ("get", reverse("stems_manifest", args=of_track)),
        ("get", reverse("stem_mixes", args=of_track)),
        ("post", reverse("stem_mixes", args=of_track)),
        ("post", reverse("stem_mix", args=[track_id, mix_id])),
        ("delete", reverse("stem_mix", args=[track_id, mix_id])),
        ("get", reverse("stem_file", args=[*of_report, "vocals.000.flac"])),
        ("get", reverse("stem_download", args=[*of_report, "vocals"])),
        ("get", reverse("stems_zip", args=of_report)),
        ("get", reverse("stems_render_plan", args=of_report)),
        ("get", reverse("stems_render", args=of_report)),
    ]


def test_other_artists_find_nothing_and_strangers_log_in(revision, stems):
    mix = StemMix.objects.create(
        track=revision.track, artist=revision.artist, name="Mine", settings={}
    )
    other = ArtistFactory()
    own = revision_of(other, b"another sound")
    thief = logged_in(other)
    for method, address in addresses(revision.track_id, stems.pk, mix.pk):
        assert getattr(thief, method)(address).status_code == 404, address
        assert getattr(Client(), method)(address)["Location"].startswith("/accounts/login/")
    # Nor through a track of their own.
    for method, address in addresses(own.track_id, stems.pk, mix.pk):
        if str(stems.pk) in address or str(mix.pk) in address:
            assert getattr(thief, method)(address).status_code == 404, address
    assert StemMix.objects.filter(pk=mix.pk, name="Mine").exists()
    assert not Job.objects.exists()


def test_the_manifest_leads_to_every_file(browser, revision, stems):
    found = manifest(browser, revision)
    assert found["chunk_samples"] == 10 * RATE
    assert [stem["name"] for stem in found["stems"]] == NAMES
    for stem in found["stems"]:
        pieces = [browser.get(url) for url in stem["chunks"]]
        assert {piece["Content-Type"] for piece in pieces} == {"audio/flac"}
        assert all(piece["Cache-Control"].startswith("private") for piece in pieces)
        lengths = [len(soundfile.read(io.BytesIO(body(piece)))[0]) for piece in pieces]
        assert sum(lengths) == found["n_samples"]
        waveform = json.loads(body(browser.get(stem["waveform_url"])))
        assert waveform["columns"] == len(waveform["min"]) == len(waveform["max"]) == 1_800
        assert 20 * np.log10(max(map(abs, waveform["max"] + waveform["min"]))) <= stem["peak_dbfs"]
    part = browser.get(found["stems"][0]["chunks"][0], headers={"range": "bytes=0-3"})
    assert (part.status_code, body(part)) == (206, b"fLaC")
    for name in ("vocals.flac", "vocals.002.flac", "../x", "report.json"):
        base = found["stems"][0]["chunks"][0].partition("vocals.000.flac")[0]
        assert browser.get(base + name).status_code == 404


def test_a_stem_is_saved_under_a_name_that_says_what_it_is(browser, revision, stems):
    found = manifest(browser, revision)
    answer = browser.get(found["stems"][0]["download_url"])
    assert saved_name(answer) == "Björk & Söhne - Zitrone-Öl (vocals) [starter].flac"
    assert len(body(answer)) == int(answer["Content-Length"]) == found["stems"][0]["bytes"]
    missing = reverse("stem_download", args=[revision.track_id, stems.pk, "guitar"])
    assert browser.get(missing).status_code == 404


def test_all_stems_in_one_archive(browser, revision, stems):
    answer = browser.get(manifest(browser, revision)["zip_url"])
    assert saved_name(answer) == "Björk & Söhne - Zitrone-Öl (stems) [starter].zip"
    content = body(answer)
    assert len(content) == int(answer["Content-Length"])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            f"Björk & Söhne - Zitrone-Öl ({name}) [starter].flac" for name in NAMES
        ]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        stored = archive.read(archive.namelist()[2])
    with default_storage.open(services.derived_name(stems, "bass.flac")) as file:
        assert stored == file.read()


SETTINGS = {
    "stems": {
        "vocals": {"gain_db": -3.0, "pan": 0.5, "mute": False, "solo": False},
        "drums": {"gain_db": 0.0, "pan": 0.0, "mute": True, "solo": False},
        "bass": {"gain_db": 2.5, "pan": -0.25, "mute": False, "solo": False},
    },
    "master_db": -1.0,
}


@pytest.mark.parametrize("name", ["wav", "flac"])
def test_a_mix_is_the_sum_of_the_stems_as_they_were_set(browser, revision, stems, name):
    url = manifest(browser, revision)["render_url"]
    answer = browser.get(url, {"settings": json.dumps(SETTINGS), "format": name})
    assert saved_name(answer) == f"Björk & Söhne - Zitrone-Öl (mix) [starter].{name}"
    content = body(answer)
    assert len(content) == int(answer["Content-Length"])
    sound, rate = soundfile.read(io.BytesIO(content))
    assert (rate, soundfile.info(io.BytesIO(content)).subtype) == (RATE, "PCM_24")
    master = 10 ** (-1 / 20)
    vocals = np.sqrt(2) * np.array([np.cos(1.5 * np.pi / 4), np.sin(1.5 * np.pi / 4)])
    bass = np.sqrt(2) * np.array([np.cos(0.75 * np.pi / 4), np.sin(0.75 * np.pi / 4)])
    expected = master * (
        10 ** (-3 / 20) * vocals * whole(stems, "vocals")
        + 10 ** (2.5 / 20) * bass * whole(stems, "bass")
        + whole(stems, "other")
    )
    np.testing.assert_allclose(sound, expected, atol=2e-7)


@pytest.mark.parametrize(
    ("name", "codec", "rate"), [("mp3", "mp3float", RATE), ("opus", "opus", 48_000)]
)
def test_lossy_files_hold_the_mix_too(browser, revision, stems, name, codec, rate):
    url = manifest(browser, revision)["instrumental_url"].replace("format=flac", f"format={name}")
    answer = browser.get(url)
    assert saved_name(answer) == f"Björk & Söhne - Zitrone-Öl (instrumental) [starter].{name}"
    with av.open(io.BytesIO(body(answer))) as file:
        assert file.streams.audio[0].codec_context.name == codec
        tags = {**file.metadata, **file.streams.audio[0].metadata}
        sound = np.concatenate([frame.to_ndarray() for frame in file.decode(audio=0)], axis=1)
    assert {key.lower(): text for key, text in tags.items()}["artist"] == "Björk & Söhne"
    expected = sum(whole(stems, one) for one in NAMES[1:])
    expected = resample_poly(expected, 160, 147, axis=0).T if rate != RATE else expected.T
    assert abs(sound.shape[1] - expected.shape[1]) < 0.06 * rate
    length = min(sound.shape[1], expected.shape[1])
    alike = np.corrcoef(sound[0, :length], expected[0, :length])[0, 1]
    assert alike > 0.99


def test_what_would_clip_is_lowered_and_said(browser, revision, stems):
    found = manifest(browser, revision)
    wish = {"settings": json.dumps(LOUD)}
    total = sum(whole(stems, name) for name in NAMES) * 10 ** (12 / 20)
    peak_db = 20 * np.log10(np.abs(resample_poly(total, 8, 1, axis=0)).max())
    assert peak_db > 3.0, "the example must be too loud"
    plan = browser.get(found["render_plan_url"], wish).json()
    assert plan["true_peak_dbtp"] == pytest.approx(peak_db, abs=0.1)
    assert plan["sample_peak_dbfs"] == pytest.approx(20 * np.log10(np.abs(total).max()), abs=0.01)
    assert plan["lowered_db"] == pytest.approx(-plan["true_peak_dbtp"], abs=0.01)
    lossy = browser.get(found["render_plan_url"], {**wish, "format": "mp3"}).json()
    assert lossy["lowered_db"] == pytest.approx(plan["lowered_db"] - 1.0, abs=0.01)
    sound = soundfile.read(io.BytesIO(body(browser.get(found["render_url"], wish))))[0]
    np.testing.assert_allclose(sound, total * 10 ** (plan["lowered_db"] / 20), atol=2e-3)
    kept = {**wish, "peaks": "keep"}
    sound = soundfile.read(io.BytesIO(body(browser.get(found["render_url"], kept))))[0]
    assert np.abs(sound).max() == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_allclose(sound, total / np.abs(total).max(), atol=1e-4)
    quiet = browser.get(found["render_plan_url"], {"settings": json.dumps(SETTINGS)}).json()
    assert quiet["lowered_db"] == 0.0


def test_what_cannot_be_mixed_is_refused(browser, revision, stems, monkeypatch):
    found = manifest(browser, revision)
    for wish, said in [
        ({"settings": "{"}, "no JSON"),
        ({"settings": "[" * 3_000}, "no JSON"),
        ({"settings": '{"x": 1}'}, "unknown entry"),
        ({"format": "exe"}, "format must be one of"),
        ({"preset": "karaoke"}, "preset must be one of"),
        ({"settings": " " * 5_000}, "too long"),
    ]:
        answer = browser.get(found["render_plan_url"], wish)
        assert answer.status_code == 422, wish
        assert said in answer.json()["detail"]
        assert browser.get(found["render_url"], wish).status_code == 422
    assert browser.get(found["render_url"], {"mix": "x"}).status_code == 404
    assert browser.get(found["render_url"], {"mix": str(uuid.uuid4())}).status_code == 404
    monkeypatch.setattr(stem_downloads, "MOST_ENCODED_S", 5)
    assert browser.get(found["render_plan_url"]).status_code == 200
    answer = browser.get(found["render_plan_url"], {"format": "opus"})
    assert (answer.status_code, "WAV or FLAC" in answer.json()["detail"]) == (413, True)
    monkeypatch.setattr(stem_downloads, "MOST_RENDERED_S", 5)
    assert browser.get(found["render_url"]).status_code == 413
    monkeypatch.setattr(stem_downloads._DOWNLOADS, "wait_s", lambda account: 7.2)
    for address in (found["zip_url"], found["render_url"]):
        answer = browser.get(address)
        assert answer.status_code in (413, 429)
    assert answer.status_code == 413


def test_mixes_are_saved_changed_and_deleted(browser, revision, stems):
    url = manifest(browser, revision)["mix_save_url"]

    def send(address, content, method="post"):
        return getattr(browser, method)(address, json.dumps(content), content_type="text/json")

    saved = send(url, {"name": "  Night\u202e mix ", "settings": SETTINGS})
    assert saved.status_code == 201
    mix = saved.json()
    assert mix["name"] == "Night mix"
    assert gains(parse(mix["settings"]), NAMES).tolist() == gains(parse(SETTINGS), NAMES).tolist()
    assert manifest(browser, revision)["mixes"] == [mix]
    for content, said in [
        ({"name": "NIGHT MIX", "settings": SETTINGS}, "already has a mix of this name"),
        ({"name": " ", "settings": SETTINGS}, "Give the mix a name"),
        ({"name": "x"}, "must be a JSON object"),
        ({"name": "x", "settings": {"stems": {"vocals": {"gain_db": 99}}}}, "from -60 to 6"),
        ({"name": "x", "settings": {}, "artist": 3}, "is needed"),
        ("x", "is needed"),
    ]:
        answer = send(url, content)
        assert answer.status_code == 422, content
        assert said in answer.json()["detail"]
    changed = send(mix["url"], {"name": "Day mix"}).json()
    assert (changed["name"], changed["settings"]) == ("Day mix", mix["settings"])
    changed = send(mix["url"], {"settings": LOUD}).json()
    assert changed["settings"]["master_db"] == 6.0
    answer = browser.get(manifest(browser, revision)["render_url"], {"mix": mix["id"]})
    assert saved_name(answer) == "Björk & Söhne - Zitrone-Öl (Day mix) [starter].wav"
    assert len(body(answer)) == int(answer["Content-Length"])
    assert browser.delete(mix["url"]).status_code == 204
    assert browser.get(url).json() == {"mixes": []}
    StemMix.objects.bulk_create(
        StemMix(track=revision.track, artist=revision.artist, name=f"m{i}", settings={})
        for i in range(MOST_MIXES_PER_TRACK)
    )
    assert "up to 50 mixes" in send(url, {"name": "one more", "settings": {}}).json()["detail"]


def test_asking_stopping_and_asking_again(browser, revision):
    def post(name, **data):
        return browser.post(reverse(name, args=[revision.track_id]), data)

    status = reverse("stems_status", args=[revision.track_id])
    assert post("stems_separate", engine="htdemucs_ft").status_code == 302
    assert not Job.objects.exists(), "an engine that is not here"
    answer = post("stems_separate")
    assert answer["Location"].endswith("?revision=1&engine=starter")
    job = Job.objects.get()
    assert (job.stage, job.state) == (Stage.SEPARATE, JobState.QUEUED)
    page = browser.get(status).content.decode()
    assert "Waiting to be taken apart" in page
    assert reverse("stems_cancel", args=[revision.track_id]) in page
    post("stems_cancel")
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert browser.get(status)["HX-Refresh"] == "true"
    post("stems_separate", engine="starter")
    job.refresh_from_db()
    assert job.state == JobState.QUEUED


def test_the_page_knows_its_engines(browser, revision, stems, monkeypatch):
    from analysis.stem_page import stems_page

    context = stems_page(revision.track, revision)
    assert [one.name for one in context["engines"]] == [
        *("htdemucs_ft", "htdemucs", "htdemucs_6s", "starter"),
    ]
    starter = context["engines"][-1]
    assert (starter.is_available, starter.is_best, starter.made) == (True, True, True)
    assert starter.estimate_s == pytest.approx(0.15 * revision.duration_s)
    assert context["is_starter"]
    JobFactory(
        revision=revision, stage=Stage.SEPARATE, state=JobState.DONE, run_seconds=22.0,
        options={"engine": "starter"}, finished_at=stems.created_at,
    )  # fmt: skip
    assert stems_page(revision.track, revision)["engines"][-1].estimate_s == pytest.approx(22.0)
