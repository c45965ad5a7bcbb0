"""Demucs for real, with a small HTDemucs of random weights in a local folder of models."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import yaml

from analysis.neural.separation import demucs_files, engines
from analysis.neural.separation.engine import EngineUnavailable
from analysis.neural.separation.separate import separate
from tests.analysis.neural.separation.sounds import RATE, level_db, read_stems, song, whole


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a bag ``htdemucs`` of one small model."""
    from demucs.htdemucs import HTDemucs
    from demucs.states import save_with_checksum

    torch.manual_seed(5)
    settings = {
        "sources": ["drums", "bass", "other", "vocals"],
        "channels": 8,
        "nfft": 1024,
        "t_layers": 1,
        "bottom_channels": 32,
        "segment": 4,
    }
    model = HTDemucs(**settings)
    models = tmp_path / "models"
    models.mkdir()
    package = {
        "klass": HTDemucs,
        "args": (),
        "kwargs": settings,
        "state": {name: value.half() for name, value in model.state_dict().items()},
    }
    save_with_checksum(package, models / "abcd1234.th")
    (models / "htdemucs.yaml").write_text(yaml.safe_dump({"models": ["abcd1234"]}))
    monkeypatch.setenv("DEMUCS_DIR", str(models))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return models


def test_auto_takes_demucs_where_it_is_present(folder):
    assert engines.available() == ["htdemucs", "starter"]
    engine = engines.load("auto", device="cpu")
    assert engine.name == "htdemucs"
    assert engine.stems == ("drums", "bass", "other", "vocals")


def test_auto_takes_the_starter_without_it(monkeypatch, tmp_path):
    monkeypatch.delenv("DEMUCS_DIR", raising=False)
    monkeypatch.setattr(demucs_files, "in_hub_cache", lambda name: False)
    assert engines.load("auto", device="cpu").name == "starter"


def test_a_model_with_a_missing_part_is_not_present(folder):
    (folder / "htdemucs_ft.yaml").write_text(yaml.safe_dump({"models": ["abcd1234", "feed0001"]}))
    assert engines.available() == ["htdemucs", "starter"]


def test_four_files_that_add_up(folder, tmp_path):
    mix = song(6.0)
    made = separate([mix], tmp_path / "out", engine="auto", device="cpu", sample_rate=RATE)
    assert made.engine == "htdemucs"
    stems = read_stems(made.files)
    assert list(stems) == ["drums", "bass", "other", "vocals"]
    assert level_db(sum(stems.values()) - mix, mix) < -60
    assert all(stem.any() for stem in stems.values())


def test_a_stem_is_what_the_package_itself_makes(folder):
    from demucs.api import Separator

    mix = song(6.0)
    padded = np.pad(mix, ((0, 0), (4 * RATE, 28 * RATE)))
    _, expected = Separator("htdemucs", repo=folder, device="cpu", shifts=0).separate_tensor(
        torch.from_numpy(padded), RATE
    )
    found = whole(engines.load("htdemucs", device="cpu"), mix)
    np.testing.assert_allclose(
        found["drums"], expected["drums"][:, 4 * RATE : 10 * RATE].numpy(), atol=1e-5
    )


def test_windows_fade_into_each_other(folder):
    mix = song(33.0)
    stems = whole(engines.load("htdemucs", device="cpu"), mix)
    for name, stem in stems.items():
        steps = np.abs(np.diff(stem, axis=1)).max(axis=0)
        edge = 30 * RATE
        around = np.concatenate([steps[edge - RATE : edge - 5], steps[edge + 5 : edge + RATE]])
        assert steps[edge - 5 : edge + 5].max() <= around.max(), name
    assert level_db(sum(stems.values()) - mix, mix) < -100


def test_a_tampered_model_is_refused(folder):
    path = next(folder.glob("*.th"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(EngineUnavailable, match="checksum"):
        engines.load("htdemucs", device="cpu")


@pytest.mark.timeout(60)  # the hub would be asked again and again
def test_without_files_and_network_it_says_so_soon(monkeypatch):
    monkeypatch.delenv("DEMUCS_DIR", raising=False)
    monkeypatch.setattr(demucs_files, "in_hub_cache", lambda name: False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(EngineUnavailable, match="DEMUCS_DIR"):
        engines.load("htdemucs", device="cpu")


def test_an_unknown_engine_is_named():
    with pytest.raises(ValueError, match="no engine is called lalal"):
        engines.load("lalal")
