"""``manage.py add_model FOLDER NAME``: take weights that lie in a folder into the registry."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis.registry import storing
from analysis.registry.candidate_files import VersionRefused
from analysis.registry.models import ModelName, Origin


class Command(BaseCommand):
    help = (
        "Take NAME.json, the safetensors file it names, and NAME.md from a folder into the "
        "registry, as a candidate. Nothing serves it until it is promoted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder")
        parser.add_argument("model", choices=ModelName.values, metavar="NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            version = storing.add_version(
                options["model"], Path(options["folder"]), origin=Origin.UPLOADED
            )
        except VersionRefused as error:
            raise CommandError(error.message) from error
        self.stdout.write(version.identity)
