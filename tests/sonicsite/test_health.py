"""What monitors see."""

from __future__ import annotations

import time

import pytest
from django.core.cache import cache
from django.db import OperationalError

from analysis.neural import weights
from sonicsite import health
from sonicsite.cluster import heartbeat_key


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    monkeypatch.setattr(health, "_answer", health._Answer())


@pytest.fixture
def all_well(db, monkeypatch):
    """Workers gave a sign of life and the weights are there."""
    cache.set(heartbeat_key("listen"), time.time(), 30)
    cache.set(heartbeat_key("heavy"), time.time(), 30)
    monkeypatch.setattr(weights, "check", lambda: {"ears": None})


def test_alive_needs_no_database(client):
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.content == b"ok\n"


@pytest.mark.usefixtures("all_well")
def test_ready(client, settings):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "checks": {"database": "ok", "queue": "ok", "storage": "ok", "models": "ok"},
    }
    assert not [file for file in settings.MEDIA_ROOT.rglob("*") if file.is_file()]
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.usefixtures("all_well")
def test_missing_workers_are_named(client):
    cache.delete(heartbeat_key("heavy"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["queue"] == "no workers on heavy"


@pytest.mark.usefixtures("all_well")
def test_queue_without_workers_by_setting_is_not_missed(client, settings):
    settings.HEAVY_WORKERS = 0
    cache.delete(heartbeat_key("heavy"))
    assert client.get("/readyz").json()["checks"]["queue"] == "ok"


@pytest.mark.usefixtures("all_well")
def test_details_of_a_failure_are_not_told(client, monkeypatch):
    def refuse() -> None:
        raise OperationalError("connection to 10.0.0.7 failed: password=hunter2")

    monkeypatch.setitem(health.CHECKS, "database", refuse)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "unavailable"
    assert b"hunter2" not in answer.content
    assert b"10.0.0.7" not in answer.content


@pytest.mark.usefixtures("all_well")
def test_storage_that_cannot_be_written(client, settings, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    settings.MEDIA_ROOT = tmp_path / "file"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["storage"] == "unavailable"


@pytest.mark.usefixtures("all_well")
def test_damaged_weights(client, monkeypatch):
    monkeypatch.setattr(weights, "check", lambda: {"ears": "/srv/models/ears: wrong checksum"})
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["models"] == "weights not in order: ears"


@pytest.mark.usefixtures("all_well")
def test_asking_often_runs_the_checks_once(client, monkeypatch):
    runs = []
    monkeypatch.setitem(health.CHECKS, "database", lambda: runs.append(1))
    for _ in range(5):
        assert client.get("/readyz").status_code == 200
    assert len(runs) == 1
