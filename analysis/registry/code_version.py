"""Which code trained a model: the commit where there is one, and a checksum of the training code
always, because a working tree may differ from its commit. Never fails."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
# What the outcome of a training of the timbre model comes from.
_TRAINS = (
    "training/*.py",
    "training/timbre/*.py",
    "neural/timbre/*.py",
    "sound/equaliser.py",
    "sound/voice/*.py",
)
_GIT_TIMEOUT_S = 5.0


@cache
def code_version() -> str:
    """``COMMIT+CHECKSUM``, or the checksum alone where the product was installed without git."""
    commit = _commit()
    return f"{commit}+{training_code_sha256()[:12]}" if commit else training_code_sha256()[:12]


def training_code_sha256() -> str:
    """Checksum of the files that a training runs."""
    digest = hashlib.sha256()
    for pattern in _TRAINS:
        for path in sorted(_PACKAGE.glob(pattern)):
            digest.update(f"{path.relative_to(_PACKAGE)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    try:
        found = subprocess.run(
            [git, "-C", str(_PACKAGE), "rev-parse", "--short=12", "HEAD"],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return found.stdout.strip()[:40] if found.returncode == 0 else ""
