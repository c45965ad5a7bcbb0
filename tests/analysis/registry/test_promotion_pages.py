"""The pages of the models, as staff use them."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from analysis.neural import weights
from analysis.registry import serving, storing, upload_views
from analysis.registry.card_text import card_html
from analysis.registry.models import (
    ComparisonRun,
    ModelComparison,
    ModelVersion,
    Origin,
    ServingChange,
    TrainingRun,
)
from sonicsite.limits import TokenBuckets
from tests.analysis.registry.versions import changed_weights
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_uploads_yet(monkeypatch):
    monkeypatch.setattr(upload_views, "_UPLOADS", TokenBuckets(rate=0.1, burst=6))


def client_of(**flags: bool) -> Client:
    client = Client()
    user = UserFactory(**flags)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def staff() -> Client:
    return client_of(is_staff=True)


@pytest.fixture
def shipped():
    return next(one for one in storing.register_shipped() if one.model == "timbre")


@pytest.fixture
def candidate(tmp_path, shipped):
    folder = changed_weights(tmp_path / "new")
    return storing.add_version("timbre", folder, origin=Origin.UPLOADED)


def compared(candidate: ModelVersion, baseline: ModelVersion, verdict: str) -> None:
    ModelComparison.objects.create(
        candidate=candidate,
        baseline=baseline,
        held_out_sha256="0" * 64,
        figures={},
        verdict=verdict,
    )


def text(answer) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def test_staff_alone_may_look_or_do_anything(candidate):
    pages = [
        reverse("models"),
        reverse("model_history", args=["timbre"]),
        reverse("model_work", args=["timbre"]),
        reverse("model_upload", args=["timbre"]),
        *(
            reverse(name, args=[candidate.pk])
            for name in ("model_version", "model_weights", "model_manifest", "model_card")
        ),
    ]
    actions = [
        *(
            reverse(f"model_{name}", args=[candidate.pk])
            for name in ("promote", "compare", "delete")
        ),
        reverse("model_roll_back", args=["timbre"]),
        reverse("retagging_stop", args=["timbre"]),
        reverse("model_train_ears"),
        reverse("model_upload", args=["timbre"]),
    ]
    artist, staff, nobody = client_of(), client_of(is_staff=True), Client()
    for address in pages:
        assert nobody.get(address).status_code == 302
        assert artist.get(address).status_code == 403
        assert staff.get(address).status_code == 200, address
    for address in actions:
        assert nobody.post(address).status_code == 302
        assert artist.post(address).status_code == 403
    assert staff.get(actions[0]).status_code == 405
    assert not ServingChange.objects.filter(after=candidate).exists()
    for unknown in ("/models/nothing/", "/models/nothing/upload/"):
        assert staff.get(unknown).status_code == 404


def test_a_candidate_is_compared_promoted_and_taken_back(
    staff, candidate, shipped, django_capture_on_commit_callbacks
):
    page = reverse("model_version", args=[candidate.pk])
    promote = reverse("model_promote", args=[candidate.pk])
    assert "has not been compared" in text(staff.get(page))
    seen = {"instead_of": shipped.pk}
    refused = staff.post(promote, seen)
    assert (refused.status_code, "not been compared" in text(refused)) == (409, True)
    staff.post(reverse("model_compare", args=[candidate.pk]))
    assert ComparisonRun.objects.get().candidate == candidate
    assert "being compared already" in text(
        staff.post(reverse("model_compare", args=[candidate.pk]), follow=True)
    )
    ComparisonRun.objects.all().delete()
    compared(candidate, shipped, "better")
    stale = staff.post(promote, {"instead_of": candidate.pk})
    assert (stale.status_code, "Meanwhile" in text(stale)) == (409, True)
    with django_capture_on_commit_callbacks(execute=True):
        done = staff.post(promote, {**seen, "note": "warmer"}, follow=True)
    assert "1.1.0 serves from now on" in text(done)
    assert weights.find("timbre").identity == candidate.identity
    audit = text(done)
    assert "warmer" in audit
    assert ServingChange.objects.first().by_email in audit
    assert "Re-tagging" in audit
    with django_capture_on_commit_callbacks(execute=True):
        back = staff.post(
            reverse("model_roll_back", args=["timbre"]), {"instead_of": candidate.pk}, follow=True
        )
    assert f"{shipped.identity} serves again" in text(back)
    assert weights.find("timbre").origin == "shipped"
    # A second click on a page that is still open does not go back further, or forth.
    again = staff.post(
        reverse("model_roll_back", args=["timbre"]), {"instead_of": candidate.pk}, follow=True
    )
    assert "Meanwhile" in text(again)


def test_a_worse_one_only_by_a_superuser_with_a_reason(staff, candidate, shipped):
    compared(candidate, shipped, "worse")
    promote = reverse("model_promote", args=[candidate.pk])
    page = staff.get(reverse("model_version", args=[candidate.pk]))
    assert "did worse" in text(page)
    assert "override_reason" not in page.content.decode()
    refused = staff.post(promote, {"override_reason": "please"})
    assert (refused.status_code, "Only a superuser" in text(refused)) == (409, True)
    boss = client_of(is_staff=True, is_superuser=True)
    page = boss.get(reverse("model_version", args=[candidate.pk]))
    assert "Promote it all the same" in text(page)
    assert boss.post(promote, {"override_reason": "x" * 201}).status_code == 422
    assert boss.post(promote, {"override_reason": "a field test"}).status_code == 302
    assert serving.serving_version("timbre") == candidate
    assert ServingChange.objects.first().note == "Against the comparison: a field test"


def files(folder, **replaced: bytes) -> dict[str, SimpleUploadedFile]:
    names = {"weights": "timbre.safetensors", "manifest": "timbre.json", "card": "timbre.md"}
    return {
        field: SimpleUploadedFile(
            f"../../{name}", replaced.get(field, (folder / name).read_bytes())
        )
        for field, name in names.items()
    }


def test_upload_and_download_give_back_the_same_bytes(staff, shipped, tmp_path):
    folder = changed_weights(tmp_path / "new", version="3.0.0")
    upload = reverse("model_upload", args=["timbre"])
    done = staff.post(upload, files(folder), follow=True)
    assert "timbre-3.0.0" in text(done)
    assert "Nothing serves it yet" in text(done)
    version = ModelVersion.objects.get(version="3.0.0")
    got = staff.get(reverse("model_weights", args=[version.pk]))
    assert b"".join(got) == (folder / "timbre.safetensors").read_bytes()
    assert "attachment" in got["Content-Disposition"]
    again = staff.post(upload, files(folder))
    assert (again.status_code, "here already" in text(again)) == (422, True)
    first = staff.get(reverse("model_weights", args=[shipped.pk]))
    assert b"".join(first) == (weights.SHIPPED_DIR / "timbre.safetensors").read_bytes()


def test_hostile_files_are_refused_in_words(staff, shipped, tmp_path):
    folder = changed_weights(tmp_path / "new")
    upload = reverse("model_upload", args=["timbre"])
    for replaced, words in (
        ({"weights": b"\x80\x04cos\nsystem\n." * 9}, "no safetensors file"),
        ({"manifest": b"\0" * 99}, "no JSON"),
        ({"manifest": b"\xff\xfe\x00"}, "UTF-8"),
        ({"manifest": b"[" * 200_000}, "no JSON"),
        ({"card": b"\0binary"}, "NUL"),
    ):
        answer = staff.post(upload, files(folder, **replaced))
        assert (answer.status_code, words in text(answer)) == (422, True), words
    assert staff.post(upload, {}).status_code == 422
    assert staff.post(upload, files(folder)).status_code == 429, "each trial costs seconds"
    assert not ModelVersion.objects.filter(origin=Origin.UPLOADED).exists()
    checked = Client(enforce_csrf_checks=True)
    checked.force_login(
        UserFactory(is_staff=True), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert checked.post(upload, files(folder)).status_code == 403


def test_a_card_may_say_anything_and_do_nothing():
    html = card_html(
        "# Title\n\n<script>alert(1)</script> <b onclick=x>b</b> [a](javascript:alert(1)) "
        "[web](https://example.org) ![p](https://example.org/track.png)\n\n"
        "| a | b |\n|:--|--:|\n| 1 | 2 |\n"
    )
    assert "<h3>Title</h3>" in html
    assert "<td>1</td>" in html
    for bad in ("<script", "<b ", 'javascript:alert(1)"', "<img", "style="):
        assert bad not in html
    assert card_html("> " * 5_000 + "deep")


def test_the_history_costs_the_same_however_long_it_is(
    staff, candidate, shipped, django_assert_max_num_queries
):
    history = reverse("model_history", args=["timbre"])

    def versions(start: int, stop: int) -> None:
        for number in range(start, stop):
            version = ModelVersion.objects.create(
                model="timbre",
                version=f"4.{number}.0",
                identity=f"timbre-4.{number}.0-x",
                sha256="1" * 64,
                origin=Origin.TRAINED,
                folder="none",
                manifest=candidate.manifest,
                trained_by=TrainingRun.objects.create(model="timbre"),
            )
            compared(version, shipped, "better")

    versions(0, 2)
    staff.get(history)
    with django_assert_max_num_queries(30) as short:
        staff.get(history)
    versions(2, 12)
    with django_assert_max_num_queries(len(short)):
        page = staff.get(history)
    assert page.content.decode().count("Can be promoted") == 12


def test_the_operators_folder_is_named_where_it_comes_first(
    staff, candidate, monkeypatch, tmp_path
):
    monkeypatch.setenv("MODELS_DIR", str(changed_weights(tmp_path / "own", version="9.0.0")))
    assert "has set MODELS_DIR" in text(staff.get(reverse("models")))
    page = text(staff.get(reverse("model_version", args=[candidate.pk])))
    assert "Nothing can be promoted until it is taken away" in page


def test_music_is_chosen_from_the_operators_folder_alone(staff, settings, tmp_path):
    history = reverse("model_history", args=["ears"])
    assert "TRAINING_DATA_DIR" in text(staff.get(history))
    root = tmp_path / "music"
    (root / "mine").mkdir(parents=True)
    (root / "table.csv").write_text("path,genre\n")
    (root / "notes.txt").write_text("x")
    (root / "way-out").symlink_to("/etc")
    settings.TRAINING_DATA_DIR = str(root)
    page = staff.get(history).content.decode()
    assert re.findall(r'<option value="([^"]+)"', page)[:2] == ["mine", "table.csv"]
    assert "way-out" not in page
    train = reverse("model_train_ears")
    for music in ("way-out", "../music/mine", "/etc", "mine\0"):
        staff.post(train, {"music": music, "version": "5.0.0", "trunk": "kept"})
        assert not TrainingRun.objects.exists(), music
    staff.post(train, {"music": "mine", "version": "5.0.0\n", "trunk": "kept"})
    assert not TrainingRun.objects.exists()
    staff.post(train, {"music": "mine", "version": "5.0.0", "trunk": "kept"})
    run = TrainingRun.objects.get()
    assert (run.model, run.data, run.recipe["version"]) == ("ears", {"data": "mine"}, "5.0.0")
    assert "under way already" in text(
        staff.post(train, {"music": "mine", "version": "5.0.1", "trunk": "kept"}, follow=True)
    )
