"""Engines are loaded once."""

from __future__ import annotations

import pytest
import torch

from analysis.neural.separation.starter import Starter
from tests.analysis.neural.separation.sounds import falcon  # noqa: F401


@pytest.fixture(scope="session")
def starter() -> Starter:
    torch.set_num_threads(min(2, torch.get_num_threads()))
    return Starter("cpu")
