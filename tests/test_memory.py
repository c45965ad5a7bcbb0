"""The lowest limit counts: the machine's, or that of a group the process is in."""

from __future__ import annotations

import os

import pytest

from sonicsite.memory import limit_bytes

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.fixture
def groups(tmp_path):
    """Says in which groups the process is; returns their root and the file that says so."""

    def write(membership: str) -> tuple:
        joined = tmp_path / "membership"
        joined.write_text(membership)
        return tmp_path, joined

    return write


def test_without_a_limit_it_is_the_machine(groups, tmp_path):
    assert limit_bytes(*groups("0::/site\n")) == MACHINE
    assert limit_bytes(tmp_path, tmp_path / "none") == MACHINE


def test_a_group_above_limits_too(groups):
    cgroups, joined = groups("0::/site/web\n")
    (cgroups / "site" / "web").mkdir(parents=True)
    (cgroups / "site" / "web" / "memory.max").write_text("max\n")
    (cgroups / "site" / "memory.max").write_text("300000000\n")
    assert limit_bytes(cgroups, joined) == 300_000_000


def test_version_one(groups):
    cgroups, joined = groups("5:cpu:/site\n4:memory,hugetlb:/site\n")
    folder = cgroups / "memory" / "site"
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text("200000000\n")
    assert limit_bytes(cgroups, joined) == 200_000_000
