"""Train the listening model: ``manage.py train_genre --data PATH`` (docs/training.md)."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

if TYPE_CHECKING:
    from torch import Tensor

    from analysis.neural.listener import ListeningNetwork
    from analysis.training.corpora import Collection
    from analysis.training.datasets import MelCorpus
    from analysis.training.features import FeatureData
    from analysis.training.recipe import Recipe
    from analysis.training.shipping import Provenance


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

        from analysis.training import held_out
        from analysis.training.checkpoints import OtherRun
        from analysis.training.corpora import open_collection
        from analysis.training.distributed import pick_device, processes
        from analysis.training.genre import train_trunk
        from analysis.training.genre_head import KEPT_TRUNK, HeadRecipe
        from analysis.training.shipping import Provenance

        if options["threads"]:
            torch.set_num_threads(options["threads"])
        run = Path(options["run"])
        try:
            with processes(pick_device(options["device"])) as together:
                level = logging.INFO if together.is_first else logging.WARNING
                logging.getLogger("analysis").setLevel(level)
                collection = together.in_turn(
                    lambda: open_collection(
                        Path(options["data"]),
                        cache=run / "pictures",
                        excerpts=options["excerpts"],
                        validation_share=options["validation_share"],
                        seed=options["seed"] or 7,
                    ),
                )
                if together.is_first:
                    self._tell(collection)
                trunk = _trunk(options["init"] or ["ears" if collection.is_sound else "none"])
                keep = options["trunk"] == "kept" or (options["trunk"] is None and bool(trunk))
                if keep and trunk is None:
                    raise ValueError("--trunk kept needs a trunk to start from: see --init")
                recipe = _recipe(options, pretrained=trunk is not None)

                def learn(corpus: MelCorpus, part: str) -> ListeningNetwork:
                    if keep and trunk is not None:
                        return _with_head(trunk, corpus)
                    return train_trunk(
                        corpus,
                        recipe=recipe,
                        run_dir=run / part,
                        validation=collection.validation,
                        device=options["device"],
                        init_from=trunk,
                        processes=together,
                    )

                network = learn(collection.train, "")
                everything = None
                if options["on_all"]:
                    sides = {"train": collection.train, "valid": collection.validation}
                    everything = held_out.together(sides)
                    on_all = learn(everything, "on_all")
        except (ValueError, OtherRun, FloatingPointError) as error:
            raise CommandError(str(error)) from error
        if together.is_first:
            how = {"head": asdict(HeadRecipe())} if keep else {"trunk": asdict(recipe)}
            made = Provenance(
                version=options["model_version"],
                source=collection.source,
                recipe=how,
                trunk=KEPT_TRUNK if keep else "tuned",
            )
            last = (on_all, everything) if everything else None
            self._ship(network, collection, made, options, last=last)

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

    def _ship(
        self,
        network: ListeningNetwork,
        collection: Collection,
        made: Provenance,
        options: Mapping[str, Any],
        *,
        last: tuple[ListeningNetwork, MelCorpus] | None,
    ) -> None:
        """Fit what stands on the trunk, measure, and write the files that the product loads."""
        from analysis.neural.weights import read_from
        from analysis.training.feature_shipping import with_features
        from analysis.training.features import fit_features
        from analysis.training.heads import EmbeddingRecipe
        from analysis.training.shipping import Evaluated, fit_and_measure, refit_on_all, ship

        # Before anything is written: it may be in the place of the ears that serve.
        features = self._features(collection)
        recipe = EmbeddingRecipe(seed=options["seed"] or 7)
        train, validation = collection.train, collection.validation
        made = replace(made, recipe={**made.recipe, "embedding": asdict(recipe)})

        def write(evaluated: Evaluated, folder: Path, trained_on: str) -> Path:
            how = replace(made, trained_on=trained_on)
            manifest = ship(evaluated, folder=folder, labels=train.names, made=how)
            if features is not None:
                fit = fit_features(
                    evaluated.network,
                    features,
                    reference=features.pictures,
                    corpus=Path(options["data"]).stem,
                    genres=len(train.names),
                )
                with_features(read_from(folder, "ears"), evaluated.network, fit, out=folder)
            return manifest

        evaluated = fit_and_measure(network, train, validation, recipe=recipe)
        out = Path(options["out"])
        if last is None:
            manifest = write(evaluated, out, "train")
        else:
            # For evaluate_ears: these have not seen the validation tracks.
            write(evaluated, Path(options["run"]) / "measured", "train")
            manifest = write(refit_on_all(evaluated, *last, recipe=recipe), out, "train+valid")
        self.stdout.write(f"validation accuracy {evaluated.figures['accuracy']:.3f}; {manifest}")

    def _features(self, collection: Collection) -> FeatureData | None:
        """Energy and its like as the serving model hears them, for the new trunk to learn."""
        from analysis.neural.ears import load_ears
        from analysis.neural.weights import WeightsUnavailable
        from analysis.training.features import FeatureData

        sides = (collection.train, collection.validation)
        pictures = [picture for side in sides for picture in side.pictures()]
        artists = [artist for side in sides for artist in side.artists]
        try:
            return FeatureData.heard(load_ears(), pictures, artists)
        except WeightsUnavailable as error:
            self.stderr.write(
                "There are no ears to learn energy, danceability, acousticness and valence from "
                f"({error}). Fit these with manage.py train_features before the site can use the "
                "new ones."
            )
            return None


def _with_head(trunk: Mapping[str, Tensor], corpus: MelCorpus) -> ListeningNetwork:
    """A network on a trunk that stays as it is, its genre head fitted on a corpus."""
    from analysis.neural.listener import ListeningNetwork, to_channels_last
    from analysis.training.genre_head import HeadRecipe, examples_of, fit_genre_head
    from analysis.training.transfer import load_trunk

    recipe = HeadRecipe()
    network = ListeningNetwork(len(corpus.names))
    load_trunk(network, trunk)
    to_channels_last(network)
    pieces = list(corpus.pieces())
    examples = examples_of(network, [picture for _, picture in pieces], recipe=recipe)
    rows = [row for row, _ in pieces]
    fit_genre_head(network, examples, corpus.labels[rows], recipe=recipe)
    return network.eval()


def _trunk(init: list[str]) -> Mapping[str, Tensor] | None:
    """The pretrained trunk that ``--init`` names; of several, their mean."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from analysis.neural.weights import WeightsUnavailable, find
    from analysis.training.transfer import mean_of, trunk_of

    if init == ["none"]:
        return None
    try:
        return mean_of(
            [trunk_of(find("ears")) if name == "ears" else load_file(name) for name in init]
        )
    except (WeightsUnavailable, OSError, SafetensorError) as error:
        raise ValueError(f"no trunk to start from: {error}") from error


def _recipe(options: Mapping[str, Any], *, pretrained: bool) -> Recipe:
    from analysis.training.recipe import FINE_TUNING, Recipe

    names = ("epochs", "seed", "learning_rate")
    changes = {name: options[name] for name in names if options[name] is not None}
    return replace(FINE_TUNING if pretrained else Recipe(), **changes)
