"""``manage.py promote_model IDENTITY_OR_ID [--note TEXT] [--force REASON]``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis.registry import selectors, serving


class Command(BaseCommand):
    help = (
        "Let a version serve on all machines, and queue the re-tagging of all tracks at low "
        "priority. Refused unless its comparison with the version that serves came out better or "
        "not worse; --force promotes all the same, and its reason is kept in the history."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("version", help="identity (timbre-1.1.0-1a2b3c4d), timbre-1.1.0, or id")
        parser.add_argument("--note", default="", help="kept in the history")
        parser.add_argument("--force", metavar="REASON", default="", help="against the comparison")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            version = selectors.find_version(options["version"])
            change = serving.promote(
                version, by=None, note=options["note"], override_reason=options["force"]
            )
        except (LookupError, serving.PromotionRefused) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{change.before_identity or 'nothing'} -> {change.after_identity}")
