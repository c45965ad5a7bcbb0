"""How much memory this process may use, whatever the machine has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def limit_bytes(cgroups: Path = _CGROUPS, membership: Path = Path("/proc/self/cgroup")) -> int:
    """The machine's memory, or the lowest limit of the control groups that this process is in."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _limit_files(cgroups, membership):
        try:
            limits.append(int(file.read_text()))
        except (OSError, ValueError):  # none here, or "max"
            continue
    return min(limits)


def _limit_files(cgroups: Path, membership: Path) -> Iterator[Path]:
    """Of version 2 and of version 1, from the process's own group up to the root."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers == "":
            base, name = cgroups, "memory.max"
        elif "memory" in controllers.split(","):
            base, name = cgroups / "memory", "memory.limit_in_bytes"
        else:
            continue
        folder = base / group.strip("/")
        yield from (
            place / name for place in (folder, *folder.parents) if place.is_relative_to(base)
        )
