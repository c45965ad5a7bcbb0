"""Train the listening model: ``manage.py train_genre --data PATH`` (docs/training.md)."""

from __future__ import annotations

import json
import logging
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

if TYPE_CHECKING:
    from analysis.training.corpora import Collection


class Command(BaseCommand):
    help = (
        "Train trunk, genre head and embedding head on music of any genres; goes on where a killed "
        "run stopped. Writes ears.safetensors, its manifest and its model card to --out; with "
        "MODELS_DIR set to that folder, the site uses them. Works under torchrun."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--data",
            required=True,
            help="folder with one folder of sound files per genre; or CSV with path, genre and "
            "perhaps artist, split; or folder with train.npz, valid.npz, tracks.csv",
        )
        parser.add_argument(
            "--sound",
            nargs="+",
            default=[],
            metavar="FOLDER",
            help="with pictures: folders with sound of their tracks, in files named after them, to "
            "fit what the tagger adds where there is sound",
        )
        # torchrun stops at --run: it takes it for one of its own options, cut short.
        parser.add_argument(
            "--run",
            "--run-dir",
            default="runs/ears",
            help="pictures, checkpoints, metrics; under torchrun write --run-dir",
        )
        parser.add_argument("--out", default="runs/ears", help="where the trained files go")
        parser.add_argument("--model-version", default="1.0.0", help="version of the weights")
        parser.add_argument(
            "--init",
            nargs="+",
            metavar="ears|none|FILE",
            help="trunk to start from: that of the model that serves, none, or a safetensors file "
            "(the mean of several); default: ears for sound files, none for pictures",
        )
        parser.add_argument(
            "--trunk",
            choices=("kept", "tuned"),
            help="leave the trunk as it is and fit the heads alone (seconds; better for fewer "
            "than some thousand tracks), or train it, too. Default: kept, if there is one to "
            "start from",
        )
        parser.add_argument(
            "--on-all",
            action="store_true",
            help="after measuring, ship weights that have learned from the validation tracks, too; "
            "the measured ones stay in --run",
        )
        parser.add_argument(
            "--register",
            action="store_true",
            help="enter the new ears into the site's registry as a candidate, and compare them "
            "with those that serve",
        )
        parser.add_argument("--epochs", type=int)
        parser.add_argument("--seed", type=int)
        parser.add_argument("--learning-rate", type=float)
        parser.add_argument(
            "--validation-share", type=float, default=0.25, help="of the tracks (%(default)s)"
        )
        parser.add_argument(
            "--excerpts", type=int, default=3, help="of 30 s from each file at most (%(default)s)"
        )
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
        parser.add_argument("--threads", type=int, help="CPU threads")

    def handle(self, *args: Any, **options: Any) -> None:
        import torch

        from analysis.training.checkpoints import OtherRun
        from analysis.training.distributed import pick_device, processes
        from analysis.training.ears_training import EarsPlan, open_plan, train_ears

        if options["threads"]:
            torch.set_num_threads(options["threads"])
        plan = EarsPlan(
            data=Path(options["data"]),
            run=Path(options["run"]),
            out=Path(options["out"]),
            version=options["model_version"],
            sound=tuple(Path(folder) for folder in options["sound"]),
            init=tuple(options["init"]) if options["init"] else None,
            trunk=options["trunk"],
            on_all=options["on_all"],
            epochs=options["epochs"],
            seed=options["seed"],
            learning_rate=options["learning_rate"],
            validation_share=options["validation_share"],
            excerpts=options["excerpts"],
            device=options["device"],
        )
        if options["register"] and plan.on_all:
            raise CommandError(
                "--register compares the new ears with those that serve on tracks that neither has "
                "heard, and with --on-all there are none left. Leave one of them out."
            )
        try:
            with processes(pick_device(plan.device)) as together:
                level = logging.INFO if together.is_first else logging.WARNING
                logging.getLogger("analysis").setLevel(level)
                collection = together.in_turn(lambda: open_plan(plan))
                if together.is_first:
                    self._tell(collection)
                manifest = train_ears(plan, collection, processes=together, warn=self.stderr.write)
        except (ValueError, OtherRun, FloatingPointError) as error:
            raise CommandError(str(error)) from error
        if manifest is None:
            return
        accuracy = json.loads(manifest.read_text(encoding="utf-8"))["figures"]["accuracy"]
        self.stdout.write(f"validation accuracy {accuracy:.3f}; {manifest}")
        if options["register"]:
            self._register(plan.out, collection)

    def _register(self, folder: Path, collection: Collection) -> None:
        """Take the new ears into the registry, and compare them with those that serve."""
        from analysis.registry.ears_comparing import compare_on
        from analysis.registry.foreground import TrainingFailed, take_in

        try:
            version = take_in("ears", folder)
        except TrainingFailed as error:
            raise CommandError(str(error)) from error
        comparison = compare_on(version, collection.validation)
        self.stdout.write(
            f"{version.identity} is a candidate ({comparison.get_verdict_display().lower()}): "
            f"{comparison.figures['why']}"
        )
        self.stdout.write(f"manage.py promote_model {version.identity} lets it serve.")

    def _tell(self, collection: Collection) -> None:
        """Say what the collection holds, and what of it is left out."""
        train, validation = collection.train, collection.validation
        self.stdout.write(
            f"{len(train.names)} genres ({', '.join(train.names)}): {len(train)} tracks to learn "
            f"from by {len(set(train.artists))} artists, {len(validation)} to check with by "
            f"{len(set(validation.artists))} others"
        )
        for line in collection.left_out:
            self.stderr.write(f"left out: {line}")
        if collection.left_out:
            self.stderr.write(f"{len(collection.left_out)} files are left out.")
        for remark in collection.remarks:
            self.stderr.write(remark)
