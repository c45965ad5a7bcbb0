"""``manage.py export_pair_feedback OUT.csv``: what people think of pairs, for training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.discovery import gallery_feedback


class Command(BaseCommand):
    help = (
        "Write verdicts on pairs of tracks (1 similar, 0 not) as CSV: "
        + ", ".join(gallery_feedback.COLUMNS)
        + ". Only pairs whose artists allow training with both."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("out", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["out"]
        try:
            with path.open("w", newline="", encoding="utf-8") as file:
                told = gallery_feedback.export(file)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
        self.stdout.write(
            f"{told.written} verdicts written, {told.withheld} withheld: "
            "not all artists allow training with their tracks."
        )
