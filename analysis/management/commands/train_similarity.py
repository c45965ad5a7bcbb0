"""Let the similarity embedding learn from verdicts: ``manage.py train_similarity --out DIR``."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

if TYPE_CHECKING:
    from analysis.training.verdicts import VerdictFigures


class Command(BaseCommand):
    help = (
        "Adapt the similarity embedding of the ears that serve to what people said of pairs of "
        "tracks (only pairs whose artists allow training with both), check it on artists that the "
        "fit has not seen, and write new ears if similar pairs are surely told apart better. The "
        "trunk, the genres and the features stay as they are."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--out", type=Path, required=True, help="folder for the new ears")
        parser.add_argument("--model-version", help="version of the new weights")
        parser.add_argument("--seed", type=int, default=0, help="decides who is held out when")
        parser.add_argument(
            "--register", action="store_true", help="take the new ears in as a candidate"
        )
        parser.add_argument(
            "--even-if-unsure", action="store_true", help="write them whatever the figures say"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from analysis.discovery.verdict_data import judged_pairs
        from analysis.neural.weights import WeightsUnavailable, find
        from analysis.training.head_shipping import with_map
        from analysis.training.verdicts import TooFewVerdicts, learn
        from analysis.versions import listen_version

        try:
            weights = find("ears")
            judged = judged_pairs(listen_version())
            matrix, figures = learn(judged, seed=options["seed"])
        except (WeightsUnavailable, TooFewVerdicts) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{figures.pairs} pairs ({figures.similar} similar) of {figures.tracks} tracks by "
            f"{figures.artists} artists. On artists it has not seen, a similar pair is nearer than "
            f"another in {figures.before:.3f} of comparisons before and {figures.after:.3f} after "
            f"(gain {figures.gain:+.3f}, 95 % {figures.gain_low:+.3f} to {figures.gain_high:+.3f})."
        )
        if not figures.gain_low > 0.0 and not options["even_if_unsure"]:
            raise CommandError(
                "The gain is not sure: nothing is written. More verdicts may settle it."
            )
        version = options["model_version"] or (
            re.sub(r"-pairs\d+$", "", weights.version)[:28] + f"-pairs{figures.pairs}"
        )
        manifest = with_map(weights, matrix, figures, version=version, out=options["out"])
        self.stdout.write(f"Written to {manifest}.")
        if options["register"]:
            self._register(manifest.parent, figures)

    def _register(self, folder: Path, figures: VerdictFigures) -> None:
        from analysis.registry.ears_comparing import keep_fit
        from analysis.registry.foreground import TrainingFailed, take_in

        try:
            version = take_in("ears", folder)
        except TrainingFailed as error:
            raise CommandError(str(error)) from error
        comparison = keep_fit(version, figures)
        self.stdout.write(
            f"{version.identity} is a candidate: {comparison.get_verdict_display().lower()}. Once "
            "it is promoted, all tracks are heard again, into a space of their own, which is "
            "searched as soon as it is whole."
        )
