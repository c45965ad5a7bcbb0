"""Learning timbre from people's labels, without forgetting what is known of changes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from analysis.neural.timbre.mfcc import FRAMES_PER_SECOND
from analysis.neural.timbre.network import TimbreNetwork
from analysis.training.distributed import Processes
from analysis.training.loop import generators
from analysis.training.recipe import Optimisation
from analysis.training.timbre.clip_groups import Versions
from analysis.training.timbre.families import NEUTRAL, TRAINING
from analysis.training.timbre.label_figures import average_precision
from analysis.training.timbre.labelled import LabelledClip

_LABEL, _WEIGHT, _MOVE = 0, 1, 2
_NEUTRAL = frozenset(change.name for change in NEUTRAL)
_MOVES = {change.name: change.moves for change in TRAINING}
_MOST_DIRECTION_CLIPS = 40
_LABEL_MARGIN = 0.02

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelRecipe(Optimisation):
    """``clips_per_batch`` clips with ``rows`` versions each (the clip itself, one that sounds the
    same to people, others with a known direction), cut to ``seconds``; at least ``least_steps``
    batches make an epoch.

    Labels count by class weights of at most ``most_class_weight``. What the model that serves would
    say counts ``weak`` where people said nothing, and ``ranking`` is the weight of the known
    directions: by ``margin`` logits. Training stops ``patience`` epochs after the best one on the
    singers that are kept for that (``stopping_share`` of the clips).
    """

    epochs: int = 10
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    ema_decay: float = 0.98
    seed: int = 7
    clips_per_batch: int = 8
    rows: int = 3
    seconds: float = 3.0
    least_steps: int = 24
    weak: float = 0.15
    ranking: float = 0.2
    margin: float = 1.0
    most_class_weight: float = 4.0
    patience: int = 4
    stopping_share: float = 0.2
    threads: int = 1


class LabelTask:
    """Batches of labelled clips for :func:`analysis.training.loop.fit`. Raises what ``check``
    raises, which is called before every batch."""

    def __init__(
        self,
        clips: Sequence[LabelledClip],
        stopping: Sequence[LabelledClip],
        versions: Mapping[str, Versions],
        tags: Sequence[str],
        *,
        recipe: LabelRecipe,
        teacher: TimbreNetwork,
        teacher_tags: Sequence[str],
        check: Callable[[], object],
    ) -> None:
        self.recipe = recipe
        self.tags = list(tags)
        self._check = check
        self._versions = [versions[clip.clip] for clip in clips]
        self._stopping = [(clip, versions[clip.clip]) for clip in stopping]
        self._class_weights = class_weights(clips, tags, most=recipe.most_class_weight)
        labels = label_matrix(clips, tags)
        self.base_rates = {
            tag: float(np.nanmean(labels[:, column]))
            for column, tag in enumerate(tags)
            if np.isfinite(labels[:, column]).any()
        }
        # What weighting the classes adds to every logit that is learned.
        self.shift = self._class_weights[0].log() - self._class_weights[1].log()
        self._targets = []
        for clip, version in zip(clips, self._versions, strict=True):
            check()
            known = _teacher_logits(teacher, teacher_tags, version, tags) if recipe.weak else None
            self._targets.append(_targets(clip, version.changes, tags, known, recipe.weak))

    @property
    def steps_per_epoch(self) -> int:
        """Batches of clips; of few clips each comes several times."""
        return max(self.recipe.least_steps, len(self._versions) // self.recipe.clips_per_batch)

    def batches(self, epoch: int, processes: Processes) -> Iterator[tuple[Tensor, Tensor]]:
        """MFCC (n * rows, 40, frames) and targets (n * rows, tags, 3): label, its weight (0 where
        there is none), and which way the change moves the tag."""
        shared, own = generators(self.recipe.seed, epoch, processes)
        wanted = self.steps_per_epoch * self.recipe.clips_per_batch
        rounds = math.ceil(wanted / len(self._versions))
        order = torch.cat(
            [torch.randperm(len(self._versions), generator=shared) for _ in range(rounds)]
        )[:wanted]
        for part in order.split(self.recipe.clips_per_batch):
            self._check()
            mine = part.tolist()[processes.rank :: processes.count]
            drawn = [self._draw(index, own) for index in mine]
            yield torch.cat([row for row, _ in drawn]), torch.cat([goal for _, goal in drawn])

    def _draw(self, index: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        version = self._versions[index]
        neutral = [row for row, name in enumerate(version.changes) if name in _NEUTRAL]
        directed = [row for row, name in enumerate(version.changes) if name in _MOVES]
        order = torch.randperm(len(directed), generator=generator).tolist()
        chosen = int(torch.randint(0, len(neutral), (1,), generator=generator))
        rows = [0, neutral[chosen], *(directed[at] for at in order)][: self.recipe.rows]
        sound = version.coefficients()
        frames = round(self.recipe.seconds * FRAMES_PER_SECOND)
        latest = max(1, sound.shape[2] - frames + 1)
        start = int(torch.randint(0, latest, (1,), generator=generator))
        part = torch.from_numpy(sound[rows, :, start : start + frames].astype(np.float32))
        while part.shape[2] < frames:
            part = torch.cat([part, part[:, :, : frames - part.shape[2]]], dim=2)
        return part, self._targets[index][rows]

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """Weighted cross entropy with the labels, and a ranking loss on each known change."""
        logits = network(inputs).logits.float()
        label, weight, move = targets[..., _LABEL], targets[..., _WEIGHT], targets[..., _MOVE]
        yes, no = self._class_weights.to(logits.device)
        each = -(
            yes * label * functional.logsigmoid(logits)
            + no * (1 - label) * functional.logsigmoid(-logits)
        )
        entropy = (weight * each).sum() / weight.sum().clamp_min(1e-6)
        base = logits.view(-1, self.recipe.rows, logits.shape[1])[:, :1]
        moved = (logits.view(base.shape[0], self.recipe.rows, -1) - base).view_as(logits)
        directed = move != 0
        if not self.recipe.ranking or not directed.any():
            return entropy
        short = self.recipe.margin - (moved * move)[directed]
        return entropy + self.recipe.ranking * functional.softplus(3.0 * short).mean() / 3.0

    @torch.inference_mode()
    def measure(self, network: nn.Module, epoch: int) -> dict[str, float]:
        """On singers kept for stopping: cross entropy with the labels (mean over tags), mean
        average precision, and the share of known changes heard rightly.

        Raises FloatingPointError for answers that are no numbers.
        """
        network.eval()
        logits = self.stopping_logits(network)
        if not np.isfinite(logits).all():
            raise FloatingPointError("the network answers with what is no number")
        labels = label_matrix([clip for clip, _ in self._stopping], self.tags)
        found = {"stopping_loss": cross_entropy(logits, labels)}
        precisions = [
            value
            for column in range(len(self.tags))
            if (value := average_precision(labels[:, column], logits[:, column])) is not None
        ]
        if precisions:
            found["stopping_ap"] = float(np.mean(precisions))
        if right := self._right_direction(network):
            found["right_direction"] = float(np.mean(right))
        return found

    @torch.inference_mode()
    def stopping_logits(self, network: nn.Module) -> Array:
        """Answers (clips, tags) to the clips that training stops by, class weights taken out."""
        device = next(network.parameters()).device
        rows = []
        for _, version in self._stopping:
            self._check()
            sound = torch.from_numpy(version.coefficients()[:1].astype(np.float32)).to(device)
            rows.append(network(sound).logits[0].float().cpu() - self.shift)
        return torch.stack(rows).double().numpy()

    @property
    def stopping(self) -> list[LabelledClip]:
        """The clips by which training stops."""
        return [clip for clip, _ in self._stopping]

    def _right_direction(self, network: nn.Module) -> list[float]:
        device = next(network.parameters()).device
        right: list[float] = []
        for _, version in self._stopping[:_MOST_DIRECTION_CLIPS]:
            self._check()
            sound = torch.from_numpy(version.coefficients().astype(np.float32)).to(device)
            moved = network(sound).logits
            moved = (moved - moved[:1]).float().cpu().numpy()
            for row, name in enumerate(version.changes):
                for tag, sign in _MOVES.get(name, {}).items():
                    if tag in self.tags:
                        right.append(float(moved[row, self.tags.index(tag)] * sign > 0))
        return right


def class_weights(clips: Sequence[LabelledClip], tags: Sequence[str], *, most: float) -> Tensor:
    """Weights (2, tags) of yes and no that make both count alike, within ``most`` to 1."""
    labels = label_matrix(clips, tags)
    weights = torch.ones(2, len(tags))
    for column in range(len(tags)):
        known = labels[:, column][np.isfinite(labels[:, column])]
        share = float(np.clip(known.mean(), 1e-3, 1 - 1e-3)) if known.size else 0.5
        odds = float(np.clip((1 - share) / share, 1 / most, most))
        weights[0, column] = math.sqrt(odds)
        weights[1, column] = 1 / math.sqrt(odds)
    return weights


def label_matrix(clips: Sequence[LabelledClip], tags: Sequence[str]) -> Array:
    """Labels (clips, tags), NaN where there is none."""
    return np.array(
        [[clip.labels.get(tag, np.nan) for tag in tags] for clip in clips], dtype=np.float64
    ).reshape(len(clips), len(tags))


def cross_entropy(logits: Array, labels: Array) -> float:
    """Mean over tags of the mean over their labels, both (clips, tags); unlabelled ones are NaN."""
    each = np.logaddexp(0.0, logits) - np.nan_to_num(labels) * logits
    known = np.isfinite(labels)
    return float(
        np.mean(
            [each[known[:, column], column].mean() for column in np.flatnonzero(known.any(axis=0))]
        )
    )


@torch.inference_mode()
def _teacher_logits(
    teacher: TimbreNetwork, teacher_tags: Sequence[str], version: Versions, tags: Sequence[str]
) -> Array:
    """What the model that serves says (versions, tags); NaN for tags that it does not know."""
    answers = teacher(torch.from_numpy(version.coefficients().astype(np.float32))).logits.double()
    found = np.full((len(version.changes), len(tags)), np.nan)
    for column, tag in enumerate(tags):
        if tag in teacher_tags:
            found[:, column] = answers[:, list(teacher_tags).index(tag)]
    return found


def _targets(
    clip: LabelledClip,
    changes: Sequence[str],
    tags: Sequence[str],
    teacher: Array | None,
    weak: float,
) -> Tensor:
    """Targets (versions, tags, 3). People's label holds for the clip and for versions that sound
    the same; a directed change moves it as far as the model that serves hears it move."""
    targets = np.zeros((len(changes), len(tags), 3))
    targets[..., _LABEL] = 0.5
    for column, tag in enumerate(tags):
        human = clip.labels.get(tag)
        for row, name in enumerate(changes):
            is_same = row == 0 or name in _NEUTRAL
            targets[row, column, _MOVE] = _MOVES.get(name, {}).get(tag, 0)
            if human is not None and is_same:
                targets[row, column, :2] = human, 1.0
            elif teacher is not None and np.isfinite(teacher[row, column]):
                logit = teacher[row, column]
                if human is not None:
                    kept = np.clip(human, _LABEL_MARGIN, 1 - _LABEL_MARGIN)
                    logit += np.log(kept / (1 - kept)) - teacher[0, column]
                targets[row, column, :2] = 1 / (1 + np.exp(-np.clip(logit, -30, 30))), weak
    return torch.from_numpy(targets).float()


def fingerprint(
    clips: Sequence[LabelledClip],
    stopping: Sequence[LabelledClip],
    tags: Sequence[str],
    recipe: LabelRecipe,
    *,
    base: str,
    device: str,
) -> str:
    """Stands for all that the outcome of a training depends on; ``base`` names the weights that it
    starts from."""
    sides = [
        [(clip.clip, sorted(clip.labels.items())) for clip in side] for side in (clips, stopping)
    ]
    everything = repr((sorted(asdict(recipe).items()), list(tags), sides, base, device))
    return hashlib.sha256(everything.encode()).hexdigest()
