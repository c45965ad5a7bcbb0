"""How tests are shared out among worker processes (``pytest -n 2 --dist loadgroup``): a plugin.

The tests of one file stay together, because they share fixtures. So do all journeys in the browser,
which share whole sites. Networks run on one thread each: two that want every core only wait for
each other.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

JOURNEYS = Path(__file__).parent / "e2e"

if "PYTEST_XDIST_WORKER" in os.environ:  # before anything loads PyTorch
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name the group of each test; the longest, the journeys, come first."""
    for item in items:
        group = "e2e" if JOURNEYS in item.path.parents else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: JOURNEYS not in item.path.parents)
