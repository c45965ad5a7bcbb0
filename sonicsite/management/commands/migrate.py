"""Django's ``migrate``, with other packages' migrations before our own, which is quicker.

Each step that changes a table's description renders anew every model related to it, and nearly all
of ours are related to the user. The hundred such steps of django-oauth-toolkit and django-q2 are
quick on a database without our models and slow on one with them; Django alone would take the
applications in the order of their names.
"""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

FIRST = ("oauth2_provider", "django_q", "account", "mfa", "admin", "sessions")
# Whoever asks for one of these does not want all of it applied, or knows the order.
_PARTIAL = ("app_label", "plan", "check_unapplied", "prune", "fake", "fake_initial")


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        if not any(options.get(name) for name in _PARTIAL):
            for label in self._unapplied(options["database"]):
                super().handle(*args, **{**options, "app_label": label, "run_syncdb": False})
        super().handle(*args, **options)

    def _unapplied(self, database: str) -> list[str]:
        """Those of FIRST that have steps to take."""
        executor = MigrationExecutor(connections[database])
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        missing = {migration.app_label for migration, _ in plan}
        return [label for label in FIRST if label in missing]
