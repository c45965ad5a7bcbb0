"""Learning timbre: weak labels, and the direction of every known change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from analysis.neural.timbre.mfcc import FRAMES_PER_SECOND
from analysis.training.distributed import Processes
from analysis.training.loop import generators
from analysis.training.recipe import Optimisation
from analysis.training.timbre.families import NEUTRAL
from analysis.training.timbre.groups import Group
from analysis.training.timbre.weak_labels import Standings, label_rows

_LABEL, _MOVE, _STILL = 0, 1, 2
_NEUTRAL = frozenset(change.name for change in NEUTRAL)


@dataclass(frozen=True)
class TimbreRecipe(Optimisation):
    """``groups_per_batch`` clips with ``rows`` versions each (the unchanged one among them), cut to
    ``seconds``. A known change shall move a tag by ``margin`` logits; ``ranking`` weighs that
    against the labels, and ``steady`` that no tag moves where nothing changed that matters."""

    epochs: int = 9
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    seed: int = 7
    groups_per_batch: int = 6
    rows: int = 8
    seconds: float = 3.0
    margin: float = 1.0
    ranking: float = 0.8
    steady: float = 0.3


class TimbreTask:
    """Batches of clips with their changed versions, for :func:`analysis.training.loop.fit`."""

    def __init__(
        self,
        groups: Sequence[Group],
        tags: Sequence[str],
        standings: Standings,
        *,
        recipe: TimbreRecipe,
        held_out: Sequence[Group] = (),
    ) -> None:
        self.recipe = recipe
        self._groups = list(groups)
        self._targets = _targets(groups, tags, standings)
        self._held_out = list(held_out)
        self._held_out_targets = _targets(held_out, tags, standings)

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches of groups."""
        return max(1, len(self._groups) // self.recipe.groups_per_batch)

    def batches(self, epoch: int, processes: Processes) -> Iterator[tuple[Tensor, Tensor]]:
        """MFCC (n * rows, 40, frames) and targets (n * rows, tags, 3): label (NaN for none), move,
        and 1 where nothing should move.

        Row 0 of every ``rows`` is the unchanged clip of the others.
        """
        shared, own = generators(self.recipe.seed, epoch, processes)
        order = torch.randperm(len(self._groups), generator=shared).tolist()
        size = self.recipe.groups_per_batch
        for step in range(self.steps_per_epoch):
            mine = order[step * size : (step + 1) * size][processes.rank :: processes.count]
            drawn = [self._draw(index, own) for index in mine]
            yield torch.cat([row for row, _ in drawn]), torch.cat([goal for _, goal in drawn])

    def _draw(self, index: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        group, targets = self._groups[index], self._targets[index]
        frames = round(self.recipe.seconds * FRAMES_PER_SECOND)
        others = 1 + torch.randperm(len(group.changes) - 1, generator=generator)
        while len(others) < self.recipe.rows - 1:
            others = torch.cat([others, others])
        rows = torch.cat([torch.zeros(1, dtype=torch.long), others[: self.recipe.rows - 1]])
        sound = torch.from_numpy(group.coefficients)
        start = int(
            torch.randint(0, max(1, sound.shape[2] - frames + 1), (1,), generator=generator)
        )
        part = sound[rows, :, start : start + frames].float()
        while part.shape[2] < frames:
            part = torch.cat([part, part[:, :, : frames - part.shape[2]]], dim=2)
        return part, targets[rows]

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy with the labels, and a ranking loss on each known change."""
        logits = network(inputs).logits
        label, move = targets[..., _LABEL], targets[..., _MOVE]
        known = ~label.isnan()
        entropy = functional.binary_cross_entropy_with_logits(logits[known], label[known])
        base = logits.view(-1, self.recipe.rows, logits.shape[1])[:, :1]
        moved = (logits.view(base.shape[0], self.recipe.rows, -1) - base).view_as(logits)
        still = moved[targets[..., _STILL] > 0]
        if still.numel():
            entropy = entropy + self.recipe.steady * still.square().mean()
        directed = move != 0
        if not directed.any():
            return entropy
        short = self.recipe.margin - (moved * move)[directed]
        return entropy + self.recipe.ranking * functional.softplus(3.0 * short).mean() / 3.0

    @torch.inference_mode()
    def measure(self, network: nn.Module, epoch: int) -> dict[str, float]:
        """On held-out singers: the labels' cross entropy and the share of changes heard rightly."""
        if not self._held_out:
            return {}
        network.eval()
        right: list[Tensor] = []
        entropy: list[Tensor] = []
        for group, targets in zip(self._held_out, self._held_out_targets, strict=True):
            logits = network(torch.from_numpy(group.coefficients).float()).logits
            label, move = targets[..., _LABEL], targets[..., _MOVE]
            entropy.append(
                functional.binary_cross_entropy_with_logits(logits[0], label[0].nan_to_num(0.5))
            )
            right.append(((logits - logits[:1]) * move > 0)[move != 0].float())
        return {
            "held_out_entropy": float(torch.stack(entropy).mean()),
            "right_direction": float(torch.cat(right).mean()),
        }


def _targets(groups: Sequence[Group], tags: Sequence[str], standings: Standings) -> list[Tensor]:
    found = []
    for group in groups:
        labels, moves = label_rows(group, tags, standings)
        still = np.zeros(labels.shape)
        still[[name in _NEUTRAL for name in group.changes]] = 1.0
        found.append(torch.from_numpy(np.stack([labels, moves, still], axis=2)).float())
    return found


def normalisation(groups: Sequence[Group]) -> tuple[Tensor, Tensor]:
    """Mean and spread (40,) of each coefficient over all rows."""
    total, squares, count = np.zeros(40), np.zeros(40), 0
    for group in groups:
        values = group.coefficients.astype(np.float64)
        total += values.sum(axis=(0, 2))
        squares += (values**2).sum(axis=(0, 2))
        count += values.shape[0] * values.shape[2]
    mean = total / count
    spread = np.sqrt(np.maximum(squares / count - mean**2, 1e-6))
    return torch.from_numpy(mean).float(), torch.from_numpy(spread).float()


def fingerprint(groups: Sequence[Group], tags: Sequence[str], recipe: TimbreRecipe) -> str:
    """Stands for all that the outcome of a training depends on."""
    digest = hashlib.sha256(repr((sorted(asdict(recipe).items()), list(tags))).encode())
    for group in groups:
        digest.update(group.coefficients.tobytes())
        digest.update(repr(sorted(group.labels.items())).encode())
    return digest.hexdigest()
