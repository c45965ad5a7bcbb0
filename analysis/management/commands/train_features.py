"""Fit the feature head: ``manage.py train_features --audio FOLDER... --data FOLDER``."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = (
        "Measure excerpts of music and fit the head for energy, danceability, acousticness and "
        "valence on the trunk of trained ears. What was measured is kept in --run: a killed run "
        "goes on where it stopped, and another trunk needs no measuring."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--audio", nargs="+", required=True, help="folders of music")
        parser.add_argument(
            "--data", required=True, help="folder with train.npz, valid.npz: the reference corpus"
        )
        parser.add_argument("--run", default="runs/features", help="keeps what was measured")
        parser.add_argument("--weights", help="folder of the ears to fit on; default: as served")
        parser.add_argument("--out", default="runs/features", help="where the new ears go")
        parser.add_argument("--most", type=int, default=100, help="excerpts of each folder")
        parser.add_argument("--threads", type=int, help="CPU threads")

    def handle(self, *args: Any, **options: Any) -> None:
        import torch

        from analysis.neural.weights import WeightsUnavailable, find, read_from
        from analysis.training.datasets import load_gtzan
        from analysis.training.excerpts import collect
        from analysis.training.features import FeatureData, fit_features
        from analysis.training.head_shipping import load_network, with_features

        logging.getLogger("analysis").setLevel(logging.INFO)
        if options["threads"]:
            torch.set_num_threads(options["threads"])
        folder = Path(options["data"])
        try:
            splits = [load_gtzan(folder, split) for split in ("train", "valid")]
            chosen = options["weights"]
            weights = read_from(Path(chosen), "ears") if chosen else find("ears")
            network = load_network(weights)
            excerpts = collect(
                [Path(name) for name in options["audio"]],
                run_dir=Path(options["run"]),
                artists={
                    track: artist
                    for split in splits
                    for track, artist in zip(split.ids, split.artists, strict=True)
                },
                most_per_folder=options["most"],
            )
        except (OSError, ValueError, KeyError, RuntimeError, WeightsUnavailable) as error:
            raise CommandError(f"These cannot be used: {error}") from error
        fit = fit_features(
            network,
            FeatureData.measured(excerpts),
            reference=[picture for split in splits for picture in split.pictures()],
            corpus="GTZAN",
            genres=len(splits[0].names),
        )
        manifest = with_features(weights, network, fit, out=Path(options["out"]))
        for name, figures in fit.figures.items():
            self.stdout.write(f"{name}: {figures}")
        self.stdout.write(f"Written to {manifest}.")
