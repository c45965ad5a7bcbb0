"""Switching versions: files, reports, re-tagging, going back, and what crashes leave behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from io import StringIO

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from analysis import selectors, voice_services
from analysis.background import WorkState
from analysis.models import Job, JobState, Stage
from analysis.neural import weights
from analysis.registry import following, materialising, retagging, serving, storing
from analysis.registry.models import (
    ModelComparison,
    ModelVersion,
    Origin,
    RetaggingRun,
    ServingChange,
)
from analysis.versions import listen_version, voice_version
from catalog.library import library_row
from sonicsite import health
from tests.analysis.registry.versions import changed_weights
from tests.factories import JobFactory, ReportFactory, RevisionFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def shipped():
    return {one.model: one for one in storing.register_shipped()}


@pytest.fixture
def candidate(tmp_path, shipped):
    return added(tmp_path, "1.1.0")


def added(tmp_path, version: str, model: str = "timbre") -> ModelVersion:
    folder = changed_weights(tmp_path / f"{model}-{version}", model, version=version)
    return storing.add_version(model, folder, origin=Origin.UPLOADED)


def compared(candidate: ModelVersion, baseline: ModelVersion, verdict: str) -> ModelComparison:
    return ModelComparison.objects.create(
        candidate=candidate,
        baseline=baseline,
        held_out_sha256="0" * 64,
        figures={},
        verdict=verdict,
    )


@pytest.fixture
def committed(django_capture_on_commit_callbacks):
    """Do something in a transaction that is committed: this machine's files follow."""

    def do(action):
        with django_capture_on_commit_callbacks(execute=True):
            return action()

    return do


def promoted(version: ModelVersion):
    return serving.promote(version, by=None, override_reason="a test")


# --- Which version serves -------------------------------------------------------------------------


def test_only_what_did_not_do_worse_is_promoted_and_each_change_is_kept(
    candidate, shipped, committed
):
    staff = UserFactory(is_staff=True)
    before = shipped["timbre"]
    with pytest.raises(serving.PromotionRefused, match="not been compared"):
        serving.promote(candidate, by=staff)
    for verdict, words in (("undecided", "could not tell"), ("worse", "did worse")):
        compared(candidate, before, verdict)
        with pytest.raises(serving.PromotionRefused, match=words):
            serving.promote(candidate, by=staff)
        with pytest.raises(serving.PromotionRefused, match="Only a superuser"):
            serving.promote(candidate, by=staff, override_reason="I like it")
    compared(candidate, before, "not_worse")
    change = committed(lambda: serving.promote(candidate, by=staff, note=" heard better "))
    assert weights.find("timbre").identity == candidate.identity
    assert weights.find("timbre").path.with_suffix(".json").is_file()
    assert voice_version() == f"v1+{candidate.identity}"
    assert (change.before, change.after, change.by_email) == (before, candidate, staff.email)
    assert (change.note, change.is_rollback) == ("heard better", False)
    assert weights.find("ears").identity == shipped["ears"].identity
    with pytest.raises(serving.PromotionRefused, match="serves already"):
        promoted(candidate)
    # What it was compared with no longer serves, so a comparison of before does not count.
    with pytest.raises(serving.PromotionRefused, match="not been compared"):
        serving.promote(before, by=staff)


def test_a_superuser_may_with_a_reason_which_is_kept(candidate):
    boss = UserFactory(is_staff=True, is_superuser=True)
    with pytest.raises(serving.PromotionRefused):
        serving.promote(candidate, by=boss, override_reason="  ")
    change = serving.promote(candidate, by=boss, override_reason="the field test")
    assert change.note == "Against the comparison: the field test"


def test_going_back_twice_goes_back_two_versions(tmp_path, candidate, shipped, committed):
    second = added(tmp_path, "1.2.0")
    committed(lambda: promoted(candidate))
    committed(lambda: promoted(second))
    with pytest.raises(serving.PromotionRefused, match="Meanwhile"):
        serving.roll_back("timbre", by=None, instead_of=candidate.pk)
    committed(lambda: serving.roll_back("timbre", by=None, instead_of=second.pk))
    assert weights.find("timbre").identity == candidate.identity
    change = committed(lambda: serving.roll_back("timbre", by=None))
    assert (change.is_rollback, change.after) == (True, shipped["timbre"])
    assert weights.find("timbre").origin == "shipped"
    with pytest.raises(serving.PromotionRefused, match="no earlier"):
        serving.roll_back("timbre", by=None)
    committed(lambda: promoted(second))
    assert serving.rollback_target("timbre") == shipped["timbre"]


def test_the_operators_folder_comes_first_and_nothing_is_promoted_then(
    tmp_path, candidate, monkeypatch
):
    folder = changed_weights(tmp_path / "own", version="9.0.0")
    monkeypatch.setenv("MODELS_DIR", str(folder))
    for act in (lambda: promoted(candidate), lambda: serving.roll_back("timbre", by=None)):
        with pytest.raises(serving.PromotionRefused, match="MODELS_DIR"):
            act()
    assert weights.find("timbre").version == "9.0.0"
    assert materialising.problems() == {}


# --- Files ----------------------------------------------------------------------------------------


def test_a_crash_between_the_rows_and_the_files_heals_by_itself(candidate):
    promoted(candidate)  # never committed, as far as this machine's files know
    assert weights.find("timbre").origin == "shipped"
    assert "serves instead of" in materialising.problems()["timbre"]
    assert serving.materialise() == {}
    assert weights.find("timbre").identity == candidate.identity
    assert materialising.problems() == {}
    before = weights.find("timbre").path.stat().st_mtime_ns
    serving.materialise()
    assert weights.find("timbre").path.stat().st_mtime_ns == before, "nothing is copied twice"


def test_a_process_killed_while_it_copies_leaves_the_old_version_serving(candidate, monkeypatch):
    promoted(candidate)
    code = (
        "import os, sys; from pathlib import Path; from analysis.registry import materialising\n"
        "with materialising._replacing(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), 9)"
    )
    folder = materialising.folder() / candidate.identity
    folder.mkdir(parents=True)
    setup = "import os, django; os.environ['DJANGO_SETTINGS_MODULE']='sonicsite.settings';"
    killed = subprocess.run(
        [sys.executable, "-c", f"{setup}django.setup()\n{code}", folder / "timbre.safetensors"],
        check=False,
    )
    assert killed.returncode == -9
    assert [path.name.startswith(".part-") for path in folder.iterdir()] == [True]
    assert weights.find("timbre").origin == "shipped"
    assert serving.materialise() == {}
    assert weights.find("timbre").identity == candidate.identity


def test_damaged_files_here_are_passed_over_at_once_and_mended_in_the_next_round(
    candidate, committed, caplog
):
    committed(lambda: promoted(candidate))
    path = weights.find("timbre").path
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert weights.find("timbre").origin == "shipped"
    assert "damaged" in caplog.text
    serving.materialise()
    assert weights.find("timbre").identity == candidate.identity
    (materialising.folder() / "timbre.json").write_text("{")
    assert weights.find("timbre").origin == "shipped"
    serving.materialise()
    assert weights.find("timbre").identity == candidate.identity


def test_where_the_storage_lost_a_version_the_one_before_serves_and_health_says_so(
    tmp_path, candidate, committed, client, monkeypatch, shipped
):
    second = added(tmp_path, "1.2.0")
    committed(lambda: promoted(candidate))
    committed(lambda: promoted(second))
    default_storage.delete(f"{second.folder}/timbre.safetensors")
    weights.find("timbre").path.unlink()
    assert f"{candidate.identity} serves" in serving.materialise()["timbre"]
    assert weights.find("timbre").identity == candidate.identity
    monkeypatch.setattr(health, "_answer", health._Answer())
    monkeypatch.setattr(health, "_remarks", health._Answer())
    answer = client.get("/readyz").json()
    assert answer["checks"]["models"] == "ok"
    assert answer["notes"]["timbre"] == f"{candidate.identity} serves instead of {second.identity}"
    default_storage.delete(f"{candidate.folder}/timbre.safetensors")
    weights.find("timbre").path.unlink()
    serving.materialise()
    assert weights.find("timbre").identity == shipped["timbre"].identity
    with pytest.raises(serving.PromotionRefused, match="missing or damaged"):
        serving.roll_back("timbre", by=None)


def test_a_storage_that_is_away_leaves_the_old_version_serving(candidate, monkeypatch, shipped):
    promoted(candidate)

    def away(name):
        raise RuntimeError("Could not connect to the endpoint")

    with monkeypatch.context() as patch:
        patch.setattr(default_storage, "exists", away)
        assert "Could not connect" in serving.materialise()["timbre"]
        assert weights.find("timbre").identity == shipped["timbre"].identity
    materialising._failed_at.clear()
    assert serving.materialise() == {}
    assert weights.find("timbre").identity == candidate.identity


def test_a_machine_looks_every_few_seconds_and_follows(
    candidate, monkeypatch, django_assert_max_num_queries
):
    promoted(candidate)
    monkeypatch.setattr(following, "_advanced_at", -9.0)
    following.look_after_models()
    assert weights.find("timbre").identity == candidate.identity
    with django_assert_max_num_queries(0):
        following.look_after_models()  # somebody looked a moment ago
    serving.roll_back("timbre", by=None)
    long_ago = time.time() - 60
    os.utime(materialising.folder() / ".looked", (long_ago, long_ago))
    following.look_after_models()
    assert weights.find("timbre").origin == "shipped"


# --- Reports --------------------------------------------------------------------------------------


def test_pages_show_the_serving_versions_report_and_else_the_newest(tmp_path, committed, shipped):
    revision = RevisionFactory()
    sha = {"content_sha256": revision.content_sha256}
    today = ReportFactory(**sha, model_version=listen_version(), genre="jazz")
    ears = added(tmp_path, "9.9.9", "ears")
    committed(lambda: promoted(ears))
    assert selectors.report_of(revision) == today, "old tags stay while nothing newer is there"
    assert genre_in_library(revision) == "jazz"
    new = ReportFactory(**sha, model_version=listen_version(), genre="R&B")
    assert selectors.report_of(revision) == new
    assert genre_in_library(revision) == "R&B"
    committed(lambda: serving.roll_back("ears", by=None))
    assert selectors.report_of(revision) == today, "going back shows its reports at once"
    assert genre_in_library(revision) == "jazz"
    assert list(selectors.shown_reports(type(new).objects, Stage.LISTEN)) == [today]


def genre_in_library(revision) -> str:
    return library_row(revision.artist, revision.track_id).report_genre


# --- Re-tagging -----------------------------------------------------------------------------------


def heard(stage: str, version: str, **fields):
    revision = RevisionFactory(**fields)
    ReportFactory(content_sha256=revision.content_sha256, stage=stage, model_version=version)
    if stage == Stage.VOICE:
        ReportFactory(content_sha256=revision.content_sha256, stage=Stage.SEPARATE)
    JobFactory(revision=revision, stage=stage, model_version=version, state=JobState.DONE)
    return revision


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(retagging, "BATCH", 3)
    monkeypatch.setattr(retagging, "FEW_WAIT", 2)


def test_all_tracks_are_tagged_anew_behind_everything_else_a_few_at_a_time(
    candidate, committed, small_batches
):
    revisions = [heard(Stage.VOICE, voice_version()) for _ in range(5)]
    no_stems = RevisionFactory()
    ReportFactory(
        content_sha256=no_stems.content_sha256, stage=Stage.VOICE, model_version=voice_version()
    )
    heard(Stage.LISTEN, listen_version())
    committed(lambda: promoted(candidate))
    assert retagging.advance() == 3
    assert retagging.advance() == 0, "enough wait already"
    waiting = Job.objects.filter(stage=Stage.VOICE, model_version=voice_version())
    assert {(job.priority, job.state) for job in waiting} == {(-10, JobState.QUEUED)}
    assert Job.objects.filter(model_version=listen_version()).count() == 1
    for job in waiting:
        # An artist's page is calm meanwhile, and shows what there is.
        assert selectors.job_of(job.revision, Stage.VOICE).state == JobState.DONE
        ReportFactory(
            content_sha256=job.revision.content_sha256,
            stage=Stage.VOICE,
            model_version=voice_version(),
        )
    waiting.update(state=JobState.DONE)
    assert retagging.advance() == 2
    run = RetaggingRun.objects.get()
    assert (run.done, run.total, run.message) == (3, 5, "3 of 5")
    # One whose file cannot be read ends it as well as the others.
    last = list(Job.objects.filter(model_version=voice_version(), state=JobState.QUEUED))
    Job.objects.filter(pk=last[0].pk).update(state=JobState.FAILED)
    Job.objects.filter(pk=last[1].pk).update(state=JobState.DONE)
    ReportFactory(
        content_sha256=last[1].revision.content_sha256,
        stage=Stage.VOICE,
        model_version=voice_version(),
    )
    retagging.advance()
    run.refresh_from_db()
    assert (run.state, run.done, run.failed) == (WorkState.DONE, 4, 1)
    assert {job.revision for job in Job.objects.filter(priority=-10)} == set(revisions)


def test_going_back_drops_what_waits_and_leaves_what_an_artist_asked_for(
    candidate, committed, small_batches
):
    asked, *others = [heard(Stage.VOICE, voice_version()) for _ in range(3)]
    committed(lambda: promoted(candidate))
    retagging.advance()
    voice_services.request_voice([asked.pk])
    assert Job.objects.get(revision=asked, model_version=voice_version()).priority == 0
    committed(lambda: serving.roll_back("timbre", by=None))
    left = Job.objects.filter(stage=Stage.VOICE, state=JobState.QUEUED)
    assert [job.revision for job in left] == [asked]
    first, second = RetaggingRun.objects.order_by("created_at")
    assert (first.state, first.reason_code) == (WorkState.CANCELLED, "superseded")
    retagging.advance()
    second.refresh_from_db()
    assert (second.state, second.total) == (WorkState.DONE, 0), "its reports are all there still"
    assert Job.objects.filter(revision__in=others, state=JobState.QUEUED).count() == 0


def test_it_can_be_stopped_and_goes_on(candidate, committed, small_batches):
    for _ in range(3):
        heard(Stage.VOICE, voice_version())
    committed(lambda: promoted(candidate))
    retagging.advance()
    run = RetaggingRun.objects.get()
    assert retagging.stop(run)
    assert not Job.objects.filter(priority=-10).exists()
    assert retagging.advance() == 0
    assert retagging.go_on(run)
    assert retagging.advance() == 3


# --- Commands -------------------------------------------------------------------------------------


def said(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_the_commands_add_list_promote_and_go_back(tmp_path, shipped, committed):
    folder = changed_weights(tmp_path / "new")
    identity = said("add_model", str(folder), "timbre").strip()
    with pytest.raises(CommandError, match="here already"):
        said("add_model", str(folder), "timbre")
    with pytest.raises(CommandError, match="not been compared"):
        said("promote_model", identity)
    with pytest.raises(CommandError, match="no version 'timbre-7'"):
        said("promote_model", "timbre-7")
    told = committed(lambda: said("promote_model", "timbre-1.1.0", "--force", "by hand"))
    assert told.strip() == f"{shipped['timbre'].identity} -> {identity}"
    assert ServingChange.objects.first().note.endswith("by hand")
    found = json.loads(said("list_models", "--json"))
    assert found["timbre"]["serves"] == found["timbre"]["runs_here"] == identity
    assert found["timbre"]["goes_back_to"] == shipped["timbre"].identity
    assert f"* {identity}" in said("list_models")
    committed(lambda: said("roll_back_model", "timbre"))
    assert f"* {shipped['timbre'].identity}" in said("list_models")
