"""Engines are loaded once."""

from __future__ import annotations

import pytest
import torch

from analysis.neural.separation.starter import Starter
from tests.analysis.neural.separation.sounds import falcon  # noqa: F401


@pytest.fixture(autouse=True)
def _one_thread():
    """On a busy machine several threads of PyTorch mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def starter() -> Starter:
    return Starter("cpu")
