"""Train the listening model: ``manage.py train_genre --data FOLDER``."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = (
        "Train trunk, genre head and embedding head on mel pictures; goes on where a killed run "
        "stopped. Writes ears.safetensors, its manifest and its model card to --out."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", required=True, help="folder with train.npz, valid.npz")
        parser.add_argument("--run", default="runs/ears", help="checkpoints and metrics")
        parser.add_argument("--out", default="runs/ears", help="where the trained files go")
        parser.add_argument("--model-version", default="1.0.0", help="version of the weights")
        parser.add_argument("--epochs", type=int)
        parser.add_argument("--seed", type=int)
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
        parser.add_argument("--threads", type=int, help="CPU threads")

    def handle(self, *args: Any, **options: Any) -> None:
        import torch

        from analysis.training.datasets import check_artists_apart, load_gtzan
        from analysis.training.genre import Recipe, train_trunk
        from analysis.training.heads import EmbeddingRecipe
        from analysis.training.shipping import fit_and_measure, ship

        logging.getLogger("analysis").setLevel(logging.INFO)
        if options["threads"]:
            torch.set_num_threads(options["threads"])
        folder = Path(options["data"])
        try:
            train, validation = load_gtzan(folder, "train"), load_gtzan(folder, "valid")
            check_artists_apart(train, validation)
        except (OSError, ValueError, KeyError) as error:
            raise CommandError(f"{folder} cannot be used: {error}") from error
        changes = {key: options[key] for key in ("epochs", "seed") if options[key] is not None}
        recipe = replace(Recipe(), **changes)
        embedding_recipe = EmbeddingRecipe(seed=recipe.seed)
        network = train_trunk(
            train,
            recipe=recipe,
            run_dir=Path(options["run"]),
            validation=validation,
            device=options["device"],
        )
        evaluated = fit_and_measure(network, train, validation, recipe=embedding_recipe)
        manifest = ship(
            evaluated,
            folder=Path(options["out"]),
            labels=train.names,
            version=options["model_version"],
            source="GTZAN as mel pictures, fault-filtered and artist-filtered split.",
            recipe=recipe,
            embedding_recipe=embedding_recipe,
        )
        self.stdout.write(f"validation accuracy {evaluated.figures['accuracy']:.3f}; {manifest}")
