"""Train the timbre model: ``manage.py train_timbre --voices PATH`` (docs/voice.md), or with this
site's labels: ``manage.py train_timbre --labels`` (docs/models.md)."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = (
        "Train the tags of a voice on recordings of singers, with people's labels or without; goes "
        "on where a killed run stopped. Writes timbre.safetensors, its manifest and its card to "
        "--out; with MODELS_DIR set to that folder, the site uses them. With --labels, what people "
        "labelled on this site teaches the model that serves; the candidate goes to the registry."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument(
            "--labels",
            action="store_true",
            help="train with this site's labels, in the foreground; --epochs, --seed, --device",
        )
        where.add_argument(
            "--voices",
            type=Path,
            help="folder of recordings (SINGER__title.flac, or folders of stems); or CSV with file "
            "and perhaps singer, split, and a column of labels from 0 to 1 per tag",
        )
        parser.add_argument("--run", type=Path, default=Path("runs/timbre"), help="clips, log")
        parser.add_argument("--out", type=Path, default=Path("runs/timbre"))
        parser.add_argument("--model-version", default="1.0.0")
        parser.add_argument("--source", default="", help="what the card says of the recordings")
        parser.add_argument("--tags", help="with commas; default: all with a formula or a label")
        parser.add_argument("--epochs", type=int)
        parser.add_argument("--seed", type=int)
        parser.add_argument(
            "--validation-share", type=float, default=0.25, help="of the singers (%(default)s)"
        )
        parser.add_argument(
            "--device", default="auto", choices=["auto", "cpu", "cuda"], help="for --labels"
        )
        parser.add_argument("--threads", type=int, default=1, help="CPU threads (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["labels"]:
            self._with_labels(options)
        else:
            self._with_voices(options)

    def _with_labels(self, options: dict[str, Any]) -> None:
        from analysis.registry.foreground import TrainingFailed, train_now

        logging.getLogger("analysis").setLevel(logging.INFO)
        chosen = {
            name: options[name]
            for name in ("epochs", "seed", "threads", "device")
            if options[name] is not None
        }
        try:
            comparison = train_now(chosen, say=self.stdout.write)
        except TrainingFailed as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{comparison.candidate.identity}: {comparison.get_verdict_display().lower()}. "
            f"{comparison.figures['why']}"
        )

    def _with_voices(self, options: dict[str, Any]) -> None:
        import torch

        from analysis.training.checkpoints import OtherRun
        from analysis.training.timbre import figures
        from analysis.training.timbre.shipping import ship
        from analysis.training.timbre.task import TimbreRecipe
        from analysis.training.timbre.training import train
        from analysis.training.timbre.voices import (
            UnusableVoices,
            divided,
            from_folder,
            from_table,
        )

        torch.set_num_threads(options["threads"])
        logging.getLogger("analysis").setLevel(logging.INFO)
        chosen = {name: options[name] for name in ("epochs", "seed") if options[name] is not None}
        recipe = replace(TimbreRecipe(), **chosen)
        path: Path = options["voices"]
        try:
            voices = from_table(path) if path.is_file() else from_folder(path)
            learn_from, held_out = divided(
                voices, share=options["validation_share"], seed=recipe.seed
            )
            self.stdout.write(
                f"{len(learn_from)} recordings to learn from, {len(held_out)} held out"
            )
            tags = options["tags"].split(",") if options["tags"] else None
            trained = train(learn_from, held_out, run=options["run"], recipe=recipe, tags=tags)
        except (UnusableVoices, OtherRun, FloatingPointError) as error:
            raise CommandError(str(error)) from error
        manifest = ship(
            trained.network,
            folder=options["out"],
            tags=trained.tags,
            standings=trained.standings,
            train=trained.train,
            figures=trained.figures,
            recipe=recipe,
            version=options["model_version"],
            source=options["source"] or path.name,
        )
        self.stdout.write(figures.described(trained.figures))
        for line in figures.falls_short(trained.figures):
            self.stderr.write(f"falls short: {line}")
        self.stdout.write(str(manifest))
