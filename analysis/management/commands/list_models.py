"""``manage.py list_models [--json]``: every version of every model, and which one serves."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from analysis.registry import selectors


class Command(BaseCommand):
    help = (
        "List the versions of the models: identity, origin, verdict of the newest comparison; * "
        "serves. With --json one object, whose keys are documented in docs/models.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="machine-readable")

    def handle(self, *args: Any, **options: Any) -> None:
        states = selectors.overview()
        found: dict[str, dict[str, Any]] = {
            state.model: {
                "serves": state.serving.identity if state.serving else None,
                "runs_here": state.running.identity,
                "overridden_by": str(state.running.overridden or "") or None,
                "goes_back_to": state.back_to.identity if state.back_to else None,
                "versions": [
                    {
                        "id": str(row.version.pk),
                        "identity": row.version.identity,
                        "version": row.version.version,
                        "origin": row.version.origin,
                        "serves": row.version.is_serving,
                        "created_at": row.version.created_at.isoformat(),
                        "verdict": row.comparison.verdict if row.comparison else None,
                        "may_be_promoted": row.refusal is None,
                    }
                    for row in selectors.history(state.model)
                ],
            }
            for state in states
        }
        if options["json"]:
            self.stdout.write(json.dumps(found, indent=2))
            return
        for model, one in found.items():
            self.stdout.write(model)
            if one["overridden_by"]:
                self.stdout.write(f"  MODELS_DIR comes first: {one['runs_here']} runs here")
            elif one["runs_here"] != one["serves"]:
                self.stdout.write(f"  {one['runs_here']} runs here instead of {one['serves']}")
            for version in one["versions"]:
                mark = "*" if version["serves"] else " "
                verdict = version["verdict"] or "not compared"
                self.stdout.write(
                    f"{mark} {version['identity']:<44} {version['origin']:<9} {verdict}"
                )
