"""Asking what a file really is, without knowing who can tell.

The catalogue does not import the analysis. Whoever can decode registers a probe here when the site
starts; the catalogue calls :func:`probe` when an upload is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProbedAudio:
    """What decoding the beginning of a file told. Durations in seconds, rates in Hz."""

    duration_s: float
    sample_rate: int
    channels: int
    codec: str
    container: str
    bit_depth: int | None
    lossless: bool


class FileRefused(Exception):
    """A file cannot be taken. ``code`` is stable; ``message`` says what is wrong and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


_probes: list[Callable[[Path], ProbedAudio]] = []


def register_probe(function: Callable[[Path], ProbedAudio]) -> None:
    """Make ``function`` the site's probe. It raises :class:`FileRefused`."""
    _probes[:] = [function]


def probe(path: Path) -> ProbedAudio:
    """Decode the beginning of ``path``; raises :class:`FileRefused`."""
    if not _probes:
        raise RuntimeError("no probe is registered: is the analysis app installed?")
    return _probes[0](path)
