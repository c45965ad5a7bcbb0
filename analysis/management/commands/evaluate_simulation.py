"""Does the timbre model hear what the simulation does? ``manage.py evaluate_simulation``."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = (
        "Push clips of singers toward each tag and print in how many of them the timbre model that "
        "serves agrees; fails where a tag at its full amount rises in fewer than 90 per cent."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--voices",
            required=True,
            type=Path,
            help="folder or CSV as of train_timbre; of a CSV with splits the valid ones are taken",
        )
        parser.add_argument(
            "--singers",
            default="",
            help="only these, with commas between: those that the model was not trained on",
        )
        parser.add_argument(
            "--clips", type=int, default=4, help="of each recording, at most (%(default)s)"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument("--threads", type=int, default=1)

    def handle(self, *args: Any, **options: Any) -> None:
        import torch

        from analysis.neural.timbre.model import load
        from analysis.neural.weights import WeightsUnavailable
        from analysis.training.timbre import simulation_figures as figures
        from analysis.training.timbre.voices import UnusableVoices, from_folder, from_table

        torch.set_num_threads(options["threads"])
        path: Path = options["voices"]
        try:
            voices = from_table(path) if path.is_file() else from_folder(path)
            model = load()
        except (UnusableVoices, WeightsUnavailable) as error:
            raise CommandError(str(error)) from error
        wanted = {name.strip() for name in options["singers"].split(",") if name.strip()}
        if wanted:
            voices = [voice for voice in voices if voice.singer in wanted]
        else:
            voices = [voice for voice in voices if voice.split == "valid"] or voices
        clips = list(figures.clips_of(voices, most_per_voice=options["clips"]))
        if not clips:
            raise CommandError("no singing was found in these recordings")
        found = figures.simulation_figures(clips, model.tag_probabilities)
        self.stdout.write(json.dumps(found) if options["json"] else figures.described(found))
        if short := figures.falls_short(found):
            raise CommandError("; ".join(short))
