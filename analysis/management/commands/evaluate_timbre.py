"""Measure the timbre model on singers it never heard: ``manage.py evaluate_timbre --voices PATH``,
or against people's labels on this site's held-out singers: ``--labels``."""

from __future__ import annotations

import json
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = (
        "Print what known changes (breath, clipping, shelves, gain) do to the tags of the timbre "
        "model that serves, on recordings of singers; fails where it breaks a promise. With "
        "--labels, how well a version agrees with people on the singers that are held out."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument(
            "--labels", action="store_true", help="against this site's held-out labels"
        )
        where.add_argument(
            "--voices",
            type=Path,
            help="folder or CSV as of train_timbre; of a CSV with splits the valid ones are taken",
        )
        # The argument of its own name is Django's.
        parser.add_argument(
            "--version-id",
            default="",
            help="with --labels: id or identity of another version than the one that serves",
        )
        parser.add_argument("--cache", type=Path, help="keep the clips here for the next time")
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument("--threads", type=int, default=1)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["labels"]:
            self._of_labels(options)
        else:
            self._of_voices(options)

    def _of_labels(self, options: dict[str, Any]) -> None:
        import torch

        from analysis.registry.foreground import TrainingFailed, agreement_of, described

        torch.set_num_threads(options["threads"])
        try:
            found = agreement_of(options["version_id"])
        except TrainingFailed as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(found) if options["json"] else described(found))

    def _of_voices(self, options: dict[str, Any]) -> None:
        import torch

        from analysis.neural.timbre.model import load
        from analysis.neural.weights import WeightsUnavailable
        from analysis.training.timbre import figures
        from analysis.training.timbre.groups import build
        from analysis.training.timbre.task import TimbreRecipe
        from analysis.training.timbre.voices import UnusableVoices, from_folder, from_table
        from analysis.training.timbre.weak_labels import Standings

        torch.set_num_threads(options["threads"])
        path: Path = options["voices"]
        try:
            voices = from_table(path) if path.is_file() else from_folder(path)
            model = load()
        except (UnusableVoices, WeightsUnavailable) as error:
            raise CommandError(str(error)) from error
        voices = [v for v in voices if v.split == "valid"] or voices
        with tempfile.TemporaryDirectory() as folder:
            cache = options["cache"] or Path(folder)
            seed = TimbreRecipe().seed
            groups = build(voices, cache=cache, seed=seed, held_out=True)
        if not groups:
            raise CommandError("no singing was found in these recordings")
        found = figures.of_model(
            model.network,
            model.tags,
            Standings.from_settings(model.weights.settings),
            groups=groups,
            voices=voices,
        )
        self.stdout.write(json.dumps(found) if options["json"] else figures.described(found))
        if short := figures.falls_short(found):
            raise CommandError("; ".join(short))
