"""How well stems are separated: ``manage.py evaluate_separation MULTITRACK…``."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis.neural.separation import engines


class Command(BaseCommand):
    help = (
        "Separate mixes whose true stems are known, and print the SDR of every stem beside doing "
        "nothing and plain HPSS."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "tracks",
            type=Path,
            nargs="+",
            metavar="MULTITRACK",
            help=".stem.mp4 files, or folders with mixture.wav, vocals.wav, drums.wav, bass.wav "
            "and other.wav",
        )
        parser.add_argument(
            "--engine", default=engines.AUTO, choices=(engines.AUTO, *engines.BY_QUALITY)
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        from analysis.training.separation_figures import (
            NotAMultitrack,
            medians,
            read_multitrack,
            separation_figures,
        )

        try:
            engine = engines.load(options["engine"])
            figures = {}
            for path in options["tracks"]:
                figures[str(path)] = separation_figures(read_multitrack(path), engine)
                if not options["json"]:
                    self._show(path.name, figures[str(path)])
        except (NotAMultitrack, engines.EngineUnavailable) as error:
            raise CommandError(str(error)) from error
        middle = medians(list(figures.values()))
        if options["json"]:
            self.stdout.write(json.dumps({"tracks": figures, "median": middle}))
        elif len(figures) > 1:
            self._show("median", middle)

    def _show(self, name: str, methods: Mapping[str, Mapping[str, float]]) -> None:
        for method, stems in methods.items():
            told = "  ".join(f"{stem} {value:6.2f}" for stem, value in stems.items())
            self.stdout.write(f"{name}  {method:<12}  {told}")
