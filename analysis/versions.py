"""Which version of measurements and weights serves now. Cheap to import: no networks here."""

from __future__ import annotations

from importlib.metadata import version

from analysis.neural.weights import find

# Raised whenever the same file would give another document for a reason other than the weights.
MEASUREMENTS_VERSION = "3"


# Raised whenever the release check measures or encodes otherwise.
RELEASE_CHECK_VERSION = "1"


def listen_version() -> str:
    """Identity of everything that decides the outcome of the listening stage."""
    return f"m{MEASUREMENTS_VERSION}+{find('ears').identity}"


def release_version() -> str:
    """Identity of everything that decides the outcome of the release check: PyAV holds the
    encoders."""
    return f"r{RELEASE_CHECK_VERSION}+av{version('av')}"
