"""Pretraining the trunk: it learns to hear in mel pictures what a teacher hears in the sound.

Hinton et al. 2015, "Distilling the knowledge in a neural network"; as in FitNets (Romero et al.
2015) the student regresses features of the teacher, on music that needs no labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from analysis.neural.listener import TRUNK_DIMENSIONS, Heard, ListeningNetwork, scale_mel
from analysis.training import transfer
from analysis.training.augment import Augmentation, draw_pieces, random_windows
from analysis.training.distributed import ALONE, Processes, pick_device
from analysis.training.lessons import ANSWER, TAUGHT, Answers, Lessons
from analysis.training.loop import fit
from analysis.training.picture_bank import PictureBank
from analysis.training.recipe import Optimisation, WindowPlan


@dataclass(frozen=True)
class DistillationRecipe(Optimisation):
    """Most windows are as long as the teacher's patches; ``batch_size`` counts windows of 40
    columns, wider ones come in smaller batches."""

    epochs: int = 40
    learning_rate: float = 2e-3
    warm_up: float = 0.06
    ema_decay: float = 0.995
    windows_per_excerpt: int = 4
    batch_size: int = 64
    windows: WindowPlan = field(default_factory=lambda: WindowPlan((40, 116), (0.75, 0.25)))
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(
            stretch=0.0, shift_bands=0, equaliser=0.12, mask_bands=14, masks=1, short=0.0
        )
    )


class Student(nn.Module):
    """A listening network with one more head, for what it is taught."""

    def __init__(self, ears: ListeningNetwork) -> None:
        super().__init__()
        self.ears = ears
        self.taught = nn.Linear(TRUNK_DIMENSIONS, TAUGHT)

    def forward(self, windows: Tensor) -> tuple[Heard, Tensor]:
        """What it hears in windows (n, 1, 128, width), and its answers (n, 500) to the lessons."""
        heard = self.ears(windows)
        return heard, self.taught(heard.pooled)


def distance(given: Tensor, wanted: Tensor) -> Tensor:
    """Mean smooth distance of the student's answers (n, 500) to the teacher's, as far as known."""
    known = ~wanted.isnan()
    each = functional.smooth_l1_loss(given, wanted.nan_to_num(), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


class DistillationTask:
    """Answering as the teacher does; see :class:`analysis.training.loop.Task`."""

    def __init__(
        self, lessons: Lessons, *, recipe: DistillationRecipe, held_out: Lessons | None = None
    ) -> None:
        self._bank = PictureBank(lessons.pictures)
        self._answers = Answers(lessons.heard)
        self._recipe = recipe
        self._held_out = held_out

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return -(-len(self._bank) * self._recipe.windows_per_excerpt // self._recipe.batch_size)

    def batches(self, epoch: int, processes: Processes) -> Iterator[tuple[Tensor, Tensor]]:
        """Network input (n, 1, 128, width) and the teacher's answers (n, 500) of each batch."""
        recipe = self._recipe
        seed = recipe.seed * 100_003 + epoch
        common = torch.Generator().manual_seed(seed)
        own = torch.Generator().manual_seed(seed * 1_009 + 1 + processes.rank)
        order = torch.randperm(len(self._bank) * recipe.windows_per_excerpt, generator=common)
        narrowest = min(recipe.windows.widths)
        for batch in (order % len(self._bank)).split(recipe.batch_size):
            width = recipe.windows.draw(common)
            fewer = max(8, len(batch) * narrowest // width)
            tracks = processes.share_of(batch[:fewer])
            pieces = draw_pieces(
                self._bank, tracks, augmentation=recipe.augmentation, generator=own, width=width
            )
            windows = random_windows(
                self._bank,
                tracks,
                width=width,
                augmentation=recipe.augmentation,
                generator=own,
                pieces=pieces,
            )
            yield (
                scale_mel(windows * 255.0)[:, None],
                self._answers(tracks, pieces.start, pieces.size),
            )

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """Smooth distance between the student's and the teacher's standardised answers."""
        return distance(network(inputs)[1], targets)

    @torch.inference_mode()
    def measure(self, network: nn.Module, epoch: int) -> dict[str, float]:
        """Share of the variance of the teacher's answers that the student explains on held-out
        music, every fifth epoch and after the last one."""
        if self._held_out is None or (epoch % 5 != 4 and epoch + 1 != self._recipe.epochs):
            return {}
        network.eval()
        device = next(network.parameters()).device
        answers = Answers(self._held_out.heard, like=self._answers)
        bank = PictureBank(self._held_out.pictures)
        missed, spread = torch.zeros(TAUGHT), torch.zeros(TAUGHT)
        for tracks in torch.arange(len(bank)).split(32):
            tracks = tracks[bank.count[tracks] >= 116]
            start = torch.zeros(len(tracks))
            positions = start[:, None] + torch.arange(116)
            windows = bank.read(tracks, positions).transpose(1, 2)
            given = network(scale_mel(windows * 255.0)[:, None].to(device))[1].cpu()
            wanted = answers(tracks, start, start + 116)
            missed += (given - wanted).square().nansum(dim=0)
            spread += wanted.square().nansum(dim=0)
        explained = (1.0 - missed / spread).where(spread > 0, torch.nan)
        return {
            "held_out_heard": float(explained[:ANSWER].mean()),
            "held_out_imagined": float(explained[ANSWER:].mean()),
        }


def distil(
    lessons: Lessons,
    *,
    recipe: DistillationRecipe,
    run_dir: Path,
    held_out: Lessons | None = None,
    init_from: Mapping[str, Tensor] | None = None,
    device: str = "auto",
    processes: Processes = ALONE,
) -> Mapping[str, Tensor]:
    """Train a trunk on lessons; returns the state of a listening network whose heads are untrained.

    ``init_from`` is the state of an earlier trunk to go on with.
    Resumes, logs and spreads over processes as :func:`analysis.training.genre.train_trunk` does.
    """
    torch.manual_seed(recipe.seed)
    student = Student(ListeningNetwork(2))
    if init_from is not None:
        transfer.load_trunk(student.ears, init_from)
    fingerprint = json.dumps(
        [asdict(recipe), lessons.digest(), transfer.digest(init_from)], sort_keys=True
    )
    average = fit(
        student,
        DistillationTask(lessons, recipe=recipe, held_out=held_out),
        recipe=recipe,
        run_dir=run_dir,
        fingerprint=fingerprint,
        device=pick_device(device),
        processes=processes,
    )
    return cast(Student, average).ears.state_dict()
