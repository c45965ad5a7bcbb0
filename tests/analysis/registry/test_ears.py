"""New ears from a folder of one's own: trained, compared, promoted, and heard with."""

from __future__ import annotations

import numpy as np
import pytest
from django.core.management import call_command

from analysis import background
from analysis.background import WorkState
from analysis.neural import weights
from analysis.registry import ears_training, serving
from analysis.registry.comparison_runs import start as start_comparing
from analysis.registry.models import ComparisonRun, ModelVersion, TrainingRun, Verdict
from analysis.training import ears_training as shared
from analysis.training.ears_comparison import sign_flip_p
from tests.analysis.long_work import worked
from tests.analysis.training.music import collection

pytestmark = pytest.mark.django_db

GENRES = ["R&B", "Drone", "Buzz"]


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    root = tmp_path_factory.mktemp("music")
    collection(root / "mine", GENRES, artists=8, tracks=3)
    collection(root / "few", GENRES, artists=4, tracks=2)
    return root


@pytest.fixture
def root(music, settings):
    settings.TRAINING_DATA_DIR = str(music)
    return music


@pytest.mark.usefixtures("no_queue")
def test_new_genres_are_trained_compared_promoted_and_heard(
    root, monkeypatch, django_capture_on_commit_callbacks
):
    run = ears_training.start(by=None, data="mine", version="5.0.0")
    # Killed when all is trained, before anything is stored: the next attempt ends with the same.
    with monkeypatch.context() as patch:
        patch.setattr(ears_training.storing, "add_version", _killed)
        assert worked(run).state == WorkState.QUEUED
    assert worked(run).state == WorkState.DONE, run.reason or run.detail
    version = ModelVersion.objects.get(trained_by=run)
    assert version.manifest["settings"]["labels"] == sorted(GENRES)
    assert version.manifest["data"]["path"] == str(root / "mine")
    comparison = version.comparisons.get()
    assert comparison.verdict == Verdict.BETTER, comparison.figures["why"]
    genres = comparison.figures["genres"]
    assert (genres["common"], genres["new"]) == ([], sorted(GENRES))
    assert set(genres["lost"]) == set(weights.find("ears").settings["labels"])
    assert "does not know" in comparison.figures["why"]
    held_out = comparison.figures["all"]
    assert held_out["serving"]["mean"] == 0.0
    assert held_out["candidate"]["low"] > held_out["commonest"]
    with django_capture_on_commit_callbacks(execute=True):
        serving.promote(version, by=None)
    assert weights.find("ears").settings["labels"] == sorted(GENRES)


def _killed(*_args: object, **_options: object) -> None:
    raise MemoryError("as if the machine had run out of it")


@pytest.mark.usefixtures("no_queue")
def test_music_that_teaches_nothing_is_refused_in_words(root, tmp_path):
    one = collection(root / "one genre", ["Drone"], artists=1)
    run = worked(ears_training.start(by=None, data=one.name, version="5.0.0"))
    assert (run.state, run.reason_code) == (WorkState.FAILED, "music")
    assert "at least two" in run.reason
    assert not ModelVersion.objects.filter(model="ears", origin="trained").exists()
    with pytest.raises(ears_training.CannotTrain, match="no 'elsewhere'"):
        ears_training.start(by=None, data="elsewhere", version="1.0.0")


@pytest.mark.usefixtures("no_queue")
def test_a_stopped_run_stores_nothing(root, monkeypatch):
    run = ears_training.start(by=None, data="mine", version="5.0.0")

    def stop_at_once(plan, **_options):
        background.cancel(TrainingRun.objects.get(pk=run.pk))
        raise background.Lost("stopped")

    monkeypatch.setattr(shared, "open_plan", stop_at_once)
    assert worked(run).state == WorkState.CANCELLED
    assert not ModelVersion.objects.filter(trained_by=run).exists()


@pytest.mark.usefixtures("no_queue")
def test_train_genre_registers_a_candidate_that_can_be_compared_again(root, tmp_path):
    call_command(
        "train_genre",
        data=str(root / "few"),
        run=str(tmp_path / "run"),
        out=str(tmp_path / "out"),
        model_version="6.0.0",
        register=True,
        device="cpu",
    )
    version = ModelVersion.objects.get(version="6.0.0")
    first = version.comparisons.get()
    done = worked(start_comparing(version, by=None))
    assert isinstance(done, ComparisonRun)
    assert (done.state, version.comparisons.count()) == (WorkState.DONE, 2)
    assert version.comparisons.first().figures == first.figures
    # An uploaded manifest may not send the site to other folders of the machine.
    version.origin = "uploaded"
    version.manifest["data"]["path"] = "/etc"
    version.save()
    refused = worked(start_comparing(version, by=None))
    assert (refused.state, refused.reason_code) == (WorkState.FAILED, "no_data")


def test_the_paired_test_is_the_binomial_one_where_that_is_known():
    """Ten artists, all better by the same: 2 of 1024 signs are as far from 0."""
    p = sign_flip_p(np.full(10, 0.3), [f"artist {n}" for n in range(10)])
    assert p == pytest.approx(2 / 1024, abs=0.001)
    mixed = np.array([0.3, -0.3] * 5)
    assert sign_flip_p(mixed, [f"artist {n}" for n in range(10)]) > 0.99
