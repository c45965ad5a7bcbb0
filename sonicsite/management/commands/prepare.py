"""Bring database, cache table, static files and demo up to date; quick where nothing changed."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Prepare everything that the server and the workers need. Safe to run at any time."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.migrate()
        if settings.CACHES["default"]["BACKEND"].endswith("DatabaseCache"):
            call_command("createcachetable", verbosity=0)
        self.collect_static()
        if settings.DEMO:
            call_command("load_demo")

    def tell(self, line: str) -> None:
        """Say what is going on: to a person, or into the log."""
        if settings.LOG_FORMAT == "json":
            log.info(line)
        else:
            self.stdout.write(line)

    def migrate(self) -> None:
        """Apply what is missing of the schema, one process at a time on any number of machines."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtext('sonicsite.prepare'))")
            executor = MigrationExecutor(connection)
            missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if missing:
                self.tell(f"Updating the database ({len(missing)} steps) ...")
                call_command("migrate", verbosity=0, interactive=False)
            cursor.execute("SELECT pg_advisory_unlock(hashtext('sonicsite.prepare'))")

    def collect_static(self) -> None:
        """Collect static files if any of them changed since the last time."""
        stamp = Path(settings.DATA_DIR) / "static.stamp"
        wanted = static_fingerprint()
        manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
        if manifest.exists() and stamp.exists() and stamp.read_text() == wanted:
            return
        self.tell("Collecting static files ...")
        call_command("collectstatic", verbosity=0, interactive=False)
        stamp.write_text(wanted)


def static_fingerprint() -> str:
    """A hash of every static file's path, size and time of change."""
    digest = hashlib.sha256(django.get_version().encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            found = Path(storage.path(path)).stat()
            digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
