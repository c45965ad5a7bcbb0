"""Measure the listening model: ``manage.py evaluate_ears --data FOLDER``."""

from __future__ import annotations

import json
import logging
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = (
        "Measure genre, calibration, robustness, similarity and retrieval on tracks that the "
        "weights have not been trained on. --update puts the figures into the model card."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--data", type=Path, help="folder with gtzan_mel, gtzan_audio, gtzan_clips"
        )
        parser.add_argument(
            "--only",
            nargs="+",
            metavar="NAME",
            help="genre, folds, sound, robustness, similarity, retrieval, explanations, "
            "familiarity, leaky; default: all",
        )
        parser.add_argument(
            "--weights",
            nargs="+",
            type=Path,
            metavar="DIR",
            help="folder with ears.json; several make a cross-validation, in which each track is "
            "judged by weights that have not seen it. Default: the weights that serve",
        )
        parser.add_argument(
            "--trained-on", help='"train" or "train+valid", for weights that do not say it'
        )
        parser.add_argument(
            "--audio",
            nargs="+",
            default=[],
            metavar="[NAME=]FOLDER",
            help="folders of other music for the gallery of retrieval",
        )
        parser.add_argument(
            "--gallery",
            nargs="+",
            default=[],
            metavar="[NAME=]FOLDER",
            help="folders of more music for the gallery, whose copies are not looked for",
        )
        parser.add_argument("--musicnn", type=Path, help="folder of MSD_musicnn's checkpoint")
        parser.add_argument(
            "--run", type=Path, default=Path("runs/evaluate"), help="what is kept between runs"
        )
        parser.add_argument("--threads", type=int, help="CPU threads")
        parser.add_argument(
            "--card", action="store_true", help="measure nothing; render the card of --update anew"
        )
        parser.add_argument("--json", action="store_true", help="figures as JSON")
        parser.add_argument(
            "--update",
            nargs="?",
            const="",
            metavar="DIR",
            help="put the figures into ears.json and ears.md of DIR, by default of the weights "
            "that serve",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        import torch

        from analysis.neural.weights import WeightsUnavailable
        from analysis.training import evaluations, model_card
        from analysis.training.held_out import NothingHeldOut

        logging.getLogger("analysis").setLevel(logging.INFO)
        if options["threads"]:
            torch.set_num_threads(options["threads"])
        if options["data"] is None and not options["card"]:
            raise CommandError("--data names the folder with the music to measure on")
        folder = options["update"]
        if options["card"]:
            evaluations.update(self._manifest(folder or ""), {}, [])
            return
        names = options["only"] or list(evaluations.EVALUATIONS)
        unknown = sorted(set(names) - evaluations.EVALUATIONS.keys())
        if unknown:
            known = ", ".join(evaluations.EVALUATIONS)
            raise CommandError(f"no such evaluation: {', '.join(unknown)}; there are: {known}")
        try:
            bench = self._bench(options)
            results = {}
            for name in names:
                results[name] = evaluations.plain(evaluations.EVALUATIONS[name](bench))
                told = {
                    "weights": evaluations.provenance(name, bench.judges),
                    "figures": results[name],
                }
                if folder is not None:  # at once: the next one may be refused
                    done = {name: results[name]}
                    evaluations.update(self._manifest(folder), done, bench.judges)
                if not options["json"]:
                    self.stdout.write("\n\n".join(model_card.evaluated({name: told})) + "\n\n")
        except (WeightsUnavailable, NothingHeldOut, OSError, KeyError, ValueError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(results, indent=2))

    def _manifest(self, folder: str) -> Path:
        """The manifest to put figures into: a folder's, or that of the weights that serve."""
        from analysis.neural.weights import find

        return (Path(folder) if folder else find("ears").path.parent) / "ears.json"

    def _bench(self, options: dict[str, Any]) -> Any:
        """Judges, corpus and folders, as the options say."""
        from analysis.neural.ears import Ears
        from analysis.neural.weights import find, read_from
        from analysis.training import evaluations
        from analysis.training.held_out import judge

        splits = evaluations.load_splits(options["data"])
        weights = [read_from(folder, "ears") for folder in options["weights"] or []]
        judges = [
            judge(Ears(each), splits, trained_on=options["trained_on"])
            for each in weights or [find("ears")]
        ]
        return evaluations.Bench(
            judges=judges,
            splits=splits,
            data=options["data"],
            run_dir=options["run"],
            music=_folders(options["audio"]),
            beside=_folders(options["gallery"]),
            peer=options["musicnn"],
        )


def _folders(given: list[str]) -> dict[str, Path]:
    """Folders by the names that the options give them, or their own."""
    found = {}
    for one in given:
        name, _, folder = one.rpartition("=")
        if not Path(folder).is_dir():
            raise CommandError(f"{folder} is not a folder")
        found[name or Path(folder).name] = Path(folder)
    return found
