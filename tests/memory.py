"""How much memory something takes at its peak."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def peak_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def growth_kb(action: Callable[[], object]) -> int:
    """By how much the peak of this process's memory rises while ``action`` runs, in KB."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from now on
    before = peak_kb()
    action()
    return peak_kb() - before
