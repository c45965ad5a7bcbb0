"""How tests are shared out among worker processes (``pytest -n 2``): a plugin.

The tests of one file stay together, because they share fixtures; but those that empty the database
after themselves (with transactions of their own) come after all that need what migrations wrote
there, as pytest-django orders them. All journeys in the browser stay together, because they share
whole sites. Networks run on one thread each: two that want every core only wait for each other.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

JOURNEYS = "tests/e2e/"

if "PYTEST_XDIST_WORKER" in os.environ:  # before anything loads PyTorch
    os.environ.setdefault("OMP_NUM_THREADS", "1")


class ByFile(LoadScopeScheduling):
    """A worker takes all tests of one file that come one after the other, or all journeys."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self._scopes: dict[str, str] = {}
        self._stretches: Counter[str] = Counter()
        self._last = ""

    def _split_scope(self, nodeid: str) -> str:
        """Asked for every test in the order of the collection first, and again later."""
        if nodeid.startswith(JOURNEYS):
            return JOURNEYS
        if nodeid not in self._scopes:
            file = nodeid.partition("::")[0]
            if file != self._last:
                self._stretches[file] += 1
                self._last = file
            self._scopes[nodeid] = f"{file} {self._stretches[file]}"
        return self._scopes[nodeid]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """In place of xdist's own ways to share out."""
    return ByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest, the journeys, come first; the order of the others stays."""
    items.sort(key=lambda item: not item.nodeid.startswith(JOURNEYS))
