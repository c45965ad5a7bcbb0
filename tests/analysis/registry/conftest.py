"""A site of its own for each test: nothing promoted, no folder of the operator.

torch is imported so that files are tried in this process, not in one for each of them.
"""

from __future__ import annotations

import pytest
import torch  # noqa: F401

from analysis.neural import weights
from analysis.registry import materialising
from tests.analysis.labels.conftest import make_clip  # noqa: F401


@pytest.fixture(autouse=True)
def _nothing_promoted(settings, tmp_path, monkeypatch):
    monkeypatch.delenv("MODELS_DIR", raising=False)
    settings.DATA_DIR = tmp_path / "data"
    monkeypatch.setattr(materialising, "_failed_at", {})
    monkeypatch.setattr(weights, "_promoted_folder", [settings.DATA_DIR / "models"])
