"""From a folder of one's own music to a site that speaks of one's own genres."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from analysis import services
from analysis.models import Job, JobState, Report
from tests.analysis.training.music import collection, write_sound
from tests.factories import ArtistFactory, RevisionFactory, TrackFactory

ROOT = Path(__file__).resolve().parents[2]
GENRES = ["Tiefbrumm", "ドローン", "glitch & hop"]


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done


@pytest.fixture(scope="module")
def music(tmp_path_factory) -> Path:
    folder = collection(tmp_path_factory.mktemp("music"), GENRES)
    (folder / "Tiefbrumm" / "broken.flac").write_bytes(b"this is no music" * 99)
    return folder


@pytest.fixture(scope="module")
def models(music, tmp_path_factory) -> Path:
    """Ears trained on the music by two processes, as the documentation says."""
    out = tmp_path_factory.mktemp("models")
    done = run(
        *("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
        *(
            "manage.py",
            "train_genre",
            "--trunk",
            "tuned",
            "--data",
            music,
            "--run-dir",
            out / "run",
            "--out",
            out,
        ),
        *("--epochs", "2", "--device", "cpu"),
    )
    # Only one process speaks, and it says what it found.
    assert done.stdout.count("3 genres (Tiefbrumm, glitch & hop, ドローン)") == 1
    assert "12 tracks to learn from by 6 artists, 6 to check with by 3 others" in done.stdout
    assert done.stderr.count("broken.flac: This is not a sound file.") == 1
    assert "1 files are left out." in done.stderr
    return out


def test_two_processes_leave_one_run_behind(models):
    log = [json.loads(line) for line in (models / "run" / "metrics.jsonl").open()]
    assert [line["epoch"] for line in log] == [1, 2]
    assert all(0.1 < line["loss"] < 3.0 for line in log)
    assert {path.name for path in models.iterdir()} == {
        "ears.json",
        "ears.md",
        "ears.safetensors",
        "run",
    }
    manifest = json.loads((models / "ears.json").read_text())
    assert manifest["settings"]["labels"] == sorted(GENRES)
    assert manifest["figures"]["tracks"] == {"train": 12, "validation": 6}
    assert all(genre in (models / "ears.md").read_text() for genre in GENRES)


def test_analyze_answers_with_the_new_names(models, tmp_path):
    song = write_sound(tmp_path / "song.wav", 1, seconds=12, seed=5)
    done = run("manage.py", "analyze", song, "--json", MODELS_DIR=str(models))
    document = json.loads(done.stdout)
    assert sorted(document["genre"]["probabilities"]) == sorted(GENRES)
    assert sum(document["genre"]["probabilities"].values()) == pytest.approx(1.0, abs=1e-3)
    assert document["genre"]["label"] in GENRES
    assert document["mix"]["genre"] == "any"


@pytest.mark.django_db
def test_the_pages_follow_the_model(models, music, tmp_path, monkeypatch):
    from analysis.listening import listen

    monkeypatch.setenv("MODELS_DIR", str(models))
    song = write_sound(tmp_path / "song.wav", 2, seconds=12, seed=6)
    found = listen(song)
    # Two rounds teach nothing of use: what the page says of a sure answer is what is asked here.
    label = found.document["genre"]["label"]
    found.document["genre"]["decided"] = found.document["genre"]["familiar"] = True
    revision = stored(song, found)
    client = Client()
    client.force_login(revision.artist.user, backend="django.contrib.auth.backends.ModelBackend")

    page = text_of(client, revision.track.get_absolute_url())
    for genre in GENRES:
        assert genre[:1].upper() + genre[1:] in page
    assert "jazz" not in re.sub(r"<select.*?</select>", "", page, flags=re.S).lower()
    assert f"No balance has been measured for {label} yet" in page
    library = text_of(client, "/library/")
    assert f'<option value="{label}"' in library.replace("&#x27;", "'")

    # Measured on the same music and laid beside the model, the balance is judged by genre.
    call_command("measure_targets", data=music, out=models / "targets.json", run=models / "run")
    try:
        page = text_of(client, revision.track.get_absolute_url(), target=label)
        assert "No balance has been measured" not in page
        assert f"of its kind ({label})" in page
        profile = text_of(client, "/profile/")
        choices = re.findall(r'<option value="([^"]*)"', profile)
        assert set(GENRES) <= set(choices)
        assert "jazz" not in choices
    finally:
        (models / "targets.json").unlink()


def stored(song: Path, found) -> object:
    """A revision whose report stands, as the worker leaves it."""
    content = song.read_bytes()
    revision = RevisionFactory(
        track=TrackFactory(artist=ArtistFactory(), title="Mine"),
        file=ContentFile(content, name="x"),
        content_sha256=hashlib.sha256(content).hexdigest(),
    )
    services.request_listening([revision.pk])
    job = Job.objects.get()
    job.ticket, job.state, job.started_at = uuid.uuid4(), JobState.RUNNING, timezone.now()
    job.save()
    key = {
        "content_sha256": revision.content_sha256,
        "stage": job.stage,
        "model_version": job.model_version,
    }
    services._store_listening(job, key, found)
    assert Report.objects.get().genre in GENRES
    return revision


def text_of(client: Client, address: str, **query: str) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200, address
    return unescape(answer.content.decode())


def test_held_out_pictures_are_named_with_the_new_names(models, tmp_path):
    pictures = np.random.default_rng(0).integers(0, 255, (2, 128, 140), dtype=np.uint8)
    np.savez(tmp_path / "in.npz", ids=["a", "b"], mel=pictures)
    run(
        *("manage.py", "predict_mels", tmp_path / "in.npz", tmp_path / "out.npz"),
        MODELS_DIR=str(models),
    )
    with np.load(tmp_path / "out.npz") as answers:
        assert sorted(answers["labels"]) == sorted(GENRES)
        np.testing.assert_allclose(answers["probabilities"].sum(1), 1.0, atol=1e-4)
