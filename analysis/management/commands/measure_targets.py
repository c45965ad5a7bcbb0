"""Measure the genres' tonal balance on a corpus and write mixing/targets.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis.mixing.targets import TARGETS_FILE
from analysis.training.labelled_files import UnusableCorpus
from analysis.training.measure_targets import measure_targets


class Command(BaseCommand):
    help = "Measure each genre's tonal balance on a collection and write the mix targets."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--data",
            type=Path,
            required=True,
            help="sound files by genre (folders or CSV), or a folder with tracks.csv and *.npz",
        )
        parser.add_argument(
            "--voices",
            type=Path,
            help="sound files by genre whose voices are separated and measured; without them the "
            "balance of voices is not judged",
        )
        parser.add_argument(
            "--out", type=Path, default=TARGETS_FILE, help="JSON file to write (%(default)s)"
        )

        parser.add_argument(
            "--run", type=Path, default=Path("runs/targets"), help="keeps pictures of sound files"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            document = measure_targets(
                options["data"],
                out=options["out"],
                cache=options["run"] / "pictures",
                voices=options["voices"],
            )
        except FileNotFoundError as error:
            raise CommandError(f"The corpus is not there: {error.filename} is missing.") from error
        except UnusableCorpus as error:
            raise CommandError(str(error)) from error
        for genre, target in document["genres"].items():
            bands = "  ".join(
                f"{band['name']} {band['p10_db']:.1f}..{band['p90_db']:.1f}"
                for band in target["bands"]
            )
            self.stdout.write(f"{genre} ({target['n_tracks']} tracks): {bands}")
        self.stdout.write(f"Written to {options['out']}.")
