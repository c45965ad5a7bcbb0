"""How well damage to the tone of a mix is found: ``manage.py evaluate_mixing``."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = (
        "Filter bells and shelves into the demo tracks, and into GTZAN's recordings where they "
        "are at hand, and print how often they are found in the right place and healed."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--data",
            type=Path,
            default=Path(settings.BASE_DIR).parent / "shared" / "data",
            help="folder with gtzan_audio (%(default)s)",
        )
        parser.add_argument(
            "--voices",
            type=int,
            default=0,
            metavar="N",
            help="also turn the voices of N of those recordings up and down and separate the new "
            "mixes: about 20 s each (%(default)s)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        from analysis.sound.mono import mono_of_file
        from analysis.training.demo_tracks import demo_tracks
        from analysis.training.mixing_figures import (
            figures_against_genres,
            figures_against_themselves,
        )

        try:
            tracks = demo_tracks()[::3]
        except PackageNotFoundError as error:
            raise CommandError(f"The demo tracks are not installed: {error}.") from error
        figures = figures_against_themselves(
            {track.path.name: mono_of_file(track.path) for track in tracks}
        )
        paths = sorted((options["data"] / "gtzan_audio").rglob("*.flac"))
        if paths:
            figures |= figures_against_genres({path.stem: mono_of_file(path) for path in paths})
        if options["voices"]:
            from analysis.training.vocal_figures import vocal_figures

            chosen = paths[:: max(1, len(paths) // options["voices"])][: options["voices"]]
            figures |= vocal_figures((path.stem.partition(".")[0], path) for path in chosen)
        if options["json"]:
            self.stdout.write(json.dumps(figures))
            return
        for name, values in figures.items():
            told = ", ".join(
                f"{value:.2f} {what}" if isinstance(value, float) else f"{value} {what}"
                for what, value in values.items()
            )
            self.stdout.write(f"{name}: {told}")
