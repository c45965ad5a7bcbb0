"""How tests are shared out among worker processes (``pytest -n 2``): a plugin.

The tests of one file stay together, because they share fixtures. So do all journeys in the browser,
which share whole sites. Networks run on one thread each: two that want every core only wait for
each other.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

JOURNEYS = "tests/e2e/"

if "PYTEST_XDIST_WORKER" in os.environ:  # before anything loads PyTorch
    os.environ.setdefault("OMP_NUM_THREADS", "1")


class ByFile(LoadScopeScheduling):
    """A worker takes all tests of one file, or all journeys."""

    def _split_scope(self, nodeid: str) -> str:
        return JOURNEYS if nodeid.startswith(JOURNEYS) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """In place of xdist's own ways to share out."""
    return ByFile(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest, the journeys, come first."""
    items.sort(key=lambda item: not item.nodeid.startswith(JOURNEYS))
