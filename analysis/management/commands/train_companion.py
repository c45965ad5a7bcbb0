"""Fit what a tagger adds to trained ears where there is sound: ``manage.py train_companion``."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = (
        "Fit the heads by which a tagger (MusiCNN) hears beside the trunk, on the sound that there "
        "is of a corpus of pictures, and on the pictures, and put them into the files of trained "
        "ears. Trunk and other heads stay as they are."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--data", type=Path, required=True, help="folder with train.npz, valid.npz, tracks.csv"
        )
        parser.add_argument(
            "--sound",
            type=Path,
            nargs="+",
            required=True,
            metavar="FOLDER",
            help="sound of these tracks, in files named after them",
        )
        parser.add_argument(
            "--measured",
            type=Path,
            required=True,
            metavar="DIR",
            help="ears that were trained without the validation tracks: the weight of both "
            "listeners is found with them, and they get their heads, too, to be measured",
        )
        parser.add_argument(
            "--weights",
            type=Path,
            metavar="DIR",
            help="ears that learned from all tracks, to be given heads that did; default: those "
            "that serve",
        )
        parser.add_argument(
            "--picture-tagger",
            type=Path,
            nargs="+",
            default=[],
            metavar="FILE",
            help="teacher.safetensors of pretrain_trunk: this tagger, retrained to hear pictures; "
            "a MusiCNN, and perhaps a YAMNet. They are put into both files, and hear where there "
            "is no sound",
        )
        parser.add_argument("--out", type=Path, required=True, help="where their files go")
        parser.add_argument("--run", type=Path, default=Path("runs/companion"))
        parser.add_argument("--model-version", required=True, help="version of the new weights")

    def handle(self, *args: Any, **options: Any) -> None:
        from analysis.neural.weights import WeightsUnavailable, find, read_from
        from analysis.neural.yamnet import YAMNet
        from analysis.training.companion_heads import (
            fit_companions,
            tagged_pictures,
            weigh_companions,
        )
        from analysis.training.corpora import open_collection
        from analysis.training.ears_training import sounds_of
        from analysis.training.head_shipping import load_network, with_companions
        from analysis.training.held_out import together
        from analysis.training.picture_teacher import tagger_of_pictures

        logging.getLogger("analysis").setLevel(logging.INFO)
        version = options["model_version"]
        try:
            measured = read_from(options["measured"], "ears")
            folder = options["weights"]
            weights = read_from(folder, "ears") if folder else find("ears")
            if measured.settings.get("trained_on") != "train":
                raise CommandError(
                    f"{options['measured']} was not trained on the split train alone"
                )
            taggers = [tagger_of_pictures(file) for file in options["picture_tagger"]]
            taggers.sort(key=lambda tagger: isinstance(tagger, YAMNet))
            collection = open_collection(options["data"], cache=options["run"])
            sounds = sounds_of(collection, options["sound"], cache=options["run"])
            train = validation = every_picture = None
            if taggers:
                train = tagged_pictures(taggers, collection.train)
                validation = tagged_pictures(taggers, collection.validation)
                every_picture = together({"train": train, "valid": validation})

            network = load_network(measured)
            fit_companions(network, sounds.train, pictures=train, taggers=taggers)
            agreed = weigh_companions(network, sounds.validation, validation)
            with_companions(measured, network, *agreed, version=version, out=options["measured"])

            network = load_network(weights)
            every_sound = together({"train": sounds.train, "valid": sounds.validation})
            fit_companions(
                network, every_sound, pictures=every_picture, taggers=taggers, agreed=agreed
            )
            manifest = with_companions(
                weights, network, *agreed, version=version, out=options["out"]
            )
        except (WeightsUnavailable, OSError, KeyError, ValueError, RuntimeError) as error:
            raise CommandError(str(error)) from error
        for heard, agreement in zip(("sound", "pictures"), agreed, strict=True):
            if agreement is not None:
                self.stdout.write(
                    f"on {heard} the tagger counts {agreement.share:.2f} times beside the trunk, "
                    f"temperature {agreement.temperature:.2f}"
                )
        self.stdout.write(str(manifest))
