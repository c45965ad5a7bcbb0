"""``manage.py roll_back_model NAME [--note TEXT]``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis.registry import serving
from analysis.registry.models import ModelName


class Command(BaseCommand):
    help = "Let the version of a model serve again that served before the present one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", choices=ModelName.values)
        parser.add_argument("--note", default="", help="kept in the history")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            change = serving.roll_back(options["model"], by=None, note=options["note"])
        except serving.PromotionRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{change.before_identity} -> {change.after_identity}")
