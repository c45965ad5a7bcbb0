"""A data folder with the database made and the static files collected, once for a whole test run.

Sites under test begin with a copy of it. It is made when the first of them starts, beside the
temporary server's files, and goes with them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sonicsite import embedded_postgres

FOLDER = "SVP_TEST_PREPARED"  # the environment variable that all worker processes inherit
_KEPT = ("postgres", "static", "static.stamp")
_ROOT = Path(__file__).resolve().parent.parent


def copy_to(data_dir: Path) -> None:
    """Let a site's data folder, which does not exist yet, begin as a copy."""
    if FOLDER not in os.environ:  # not in a test: nobody would clear it away
        return
    folder = _made(Path(os.environ[FOLDER]))
    data_dir.mkdir(parents=True)
    for name in _KEPT:
        # As root, PostgreSQL's files belong to the user that it runs as: cp keeps that.
        subprocess.run(["cp", "-a", folder / name, data_dir / name], check=True)


def _made(folder: Path) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as making:
                _make(Path(making) / "data")
                shutil.move(Path(making) / "data", folder)
    return folder


def _make(folder: Path) -> None:
    with embedded_postgres.in_use(folder, durable=False) as url:
        environment = {**os.environ, "EMBEDDED_DATABASE_URL": url, "DATA_DIR": str(folder)}
        for name in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE"):
            environment.pop(name, None)
        subprocess.run(
            [sys.executable, "manage.py", "prepare"],
            cwd=_ROOT,
            env={**environment, "DEMO": "0"},
            check=True,
            capture_output=True,
        )
