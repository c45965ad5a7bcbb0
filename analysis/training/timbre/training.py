"""A whole training of the timbre network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from analysis.neural.timbre.network import TimbreNetwork
from analysis.training.loop import fit
from analysis.training.timbre import groups as group_building
from analysis.training.timbre.figures import of_model
from analysis.training.timbre.groups import Group
from analysis.training.timbre.shipping import reference_measures
from analysis.training.timbre.task import TimbreRecipe, TimbreTask, fingerprint, normalisation
from analysis.training.timbre.voices import UnusableVoices, Voice
from analysis.training.timbre.weak_labels import FORMULAS, Standings


@dataclass(frozen=True)
class Trained:
    """A network with all that is shipped with it."""

    network: TimbreNetwork
    tags: list[str]
    standings: Standings
    train: list[Group]
    figures: dict[str, Any]


def tags_of(voices: Sequence[Voice]) -> list[str]:
    """The tags with a formula, and those that people labelled."""
    labelled = {tag for voice in voices for tag in voice.labels}
    return [*FORMULAS, *sorted(labelled - FORMULAS.keys())]


def train(
    learn_from: Sequence[Voice],
    held_out: Sequence[Voice],
    *,
    run: Path,
    recipe: TimbreRecipe,
    tags: Sequence[str] | None = None,
) -> Trained:
    """Build or read the clips in ``run``, train (or go on), and measure on the held-out singers.

    Raises UnusableVoices where the recordings hold too little singing, OtherRun where ``run`` is
    another training's.
    """
    wanted = list(tags or tags_of(learn_from))
    known = {*FORMULAS, *(tag for voice in learn_from for tag in voice.labels)}
    if unknown := [tag for tag in wanted if tag not in known]:
        raise UnusableVoices(f"nothing says what {', '.join(unknown)} is: no formula, no label")
    clips = run / "clips"
    seed = recipe.seed
    train_groups = group_building.build(learn_from, cache=clips, seed=seed, held_out=False)
    check_groups = group_building.build(held_out, cache=clips, seed=seed, held_out=True)
    for side, found, fewest in (("learn from", train_groups, 4), ("hold out", check_groups, 1)):
        if len(found) < fewest:
            raise UnusableVoices(
                f"too little singing was found in the recordings to {side}: {len(found)} clips"
            )
    standings = Standings.over(reference_measures(train_groups))
    torch.manual_seed(recipe.seed)
    network = TimbreNetwork(len(wanted))
    mean, spread = normalisation(train_groups)
    network.mean.copy_(mean)
    network.spread.copy_(spread)
    task = TimbreTask(train_groups, wanted, standings, recipe=recipe, held_out=check_groups)
    average = fit(
        network,
        task,
        recipe=recipe,
        run_dir=run,
        fingerprint=fingerprint(train_groups, wanted, recipe),
        device=torch.device("cpu"),
    )
    trained = cast(TimbreNetwork, average)
    # What ships has sixteen bits: the figures are those of what ships.
    trained.half().float()
    figures = of_model(trained, wanted, standings, groups=check_groups, voices=held_out)
    return Trained(trained, wanted, standings, train_groups, figures)
