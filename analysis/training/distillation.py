"""Pretraining the trunk: it learns to answer to mel pictures as a teacher of pictures does.

Hinton et al. 2015, "Distilling the knowledge in a neural network"; as in FitNets (Romero et al.
2015) the student regresses features of the teacher, on music that needs no labels. Where there is
a GPU the teacher judges exactly what the student sees, however it was cut, changed and mixed (Beyer
et al. 2022, "Knowledge distillation: a good teacher is patient and consistent").
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from analysis.neural.imagination import PATCH_COLUMNS
from analysis.neural.listener import TRUNK_DIMENSIONS, WINDOW_COLUMNS, ListeningNetwork, scale_mel
from analysis.training import transfer
from analysis.training.augment import (
    Augmentation,
    Pieces,
    draw_pieces,
    draw_seconds,
    mix_pictures,
    random_windows,
)
from analysis.training.distributed import ALONE, Processes, pick_device
from analysis.training.judges import Judge
from analysis.training.loop import fit, generators
from analysis.training.picture_bank import PictureBank, digest_of
from analysis.training.picture_teacher import explained
from analysis.training.recipe import Optimisation, WindowPlan

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class DistillationRecipe(Optimisation):
    """``batch_size`` counts windows of the narrowest width, wider ones come in smaller batches;
    ``steps`` counts the batches of an epoch.

    Of the windows the share ``own`` is of the corpus that the model will judge, if there is one,
    the others of music at large; the share ``mixed`` is of two recordings at once.
    """

    epochs: int = 20
    learning_rate: float = 2e-3
    warm_up: float = 0.06
    ema_decay: float = 0.999
    steps: int = 400
    batch_size: int = 256
    own: float = 0.5
    mixed: float = 0.3
    windows: WindowPlan = field(
        default_factory=lambda: WindowPlan((PATCH_COLUMNS, WINDOW_COLUMNS), (0.4, 0.6))
    )
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(
            stretch=0.15, shift_bands=2, equaliser=0.12, masks=0, short=0.15
        )
    )


# For a teacher that has judged the pictures beforehand, on a CPU: fewer and smaller batches, and
# only changes that an answer survives.
JUDGED_ONCE = DistillationRecipe(
    steps=250,
    batch_size=64,
    own=0.6,
    mixed=0.0,
    ema_decay=0.995,
    windows=WindowPlan((PATCH_COLUMNS, WINDOW_COLUMNS), (0.5, 0.5)),
    augmentation=Augmentation(
        stretch=0.06,
        shift_bands=0,
        tilt=0.04,
        equaliser=0.06,
        mask_bands=12,
        mask_columns=12,
        masks=1,
        short=0.15,
    ),
)


class Student(nn.Module):
    """A listening network with one more head, for what it is taught."""

    def __init__(self, ears: ListeningNetwork, answers: int) -> None:
        super().__init__()
        self.ears = ears
        self.taught = nn.Linear(TRUNK_DIMENSIONS, answers)

    def forward(self, windows: Tensor) -> Tensor:
        """Its answers (n, ``answers``) to windows (n, 1, 128, width)."""
        return self.taught(self.ears.judge(self.ears.feature_map(windows))[1])


class DistillationTask:
    """Answering as the teacher does; see :class:`analysis.training.loop.Task`."""

    def __init__(
        self,
        judge: Judge,
        music: Sequence[UInt8],
        *,
        corpus: Sequence[UInt8] = (),
        held_out: tuple[Judge, Sequence[UInt8]] | None = None,
        recipe: DistillationRecipe,
        device: torch.device,
    ) -> None:
        """``music`` and ``corpus`` are pictures (128, T), known to the judge in this order;
        ``held_out`` are some to check with, and who judges them."""
        self._judge = judge
        self._device = device
        self._bank = PictureBank([*music, *corpus], device=device)
        self._n_music = len(music)
        self._recipe = recipe
        self._held_out = held_out and (held_out[0], PictureBank(held_out[1], device=device))

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return self._recipe.steps

    def batches(self, epoch: int, processes: Processes) -> Iterator[tuple[Tensor, Tensor]]:
        """Network input (n, 1, 128, width) and the teacher's answers to the same windows."""
        recipe = self._recipe
        common, own = generators(recipe.seed, epoch, processes, self._device)
        for _ in range(recipe.steps):
            width = recipe.windows.draw(common)
            fewer = max(8, recipe.batch_size * min(recipe.windows.widths) // width)
            tracks = processes.share_of(self._draw(fewer, common)).to(self._device)
            how: dict[str, Any] = {"augmentation": recipe.augmentation, "generator": own}
            drawn = draw_pieces(self._bank, tracks, width=width, **how)
            pieces = self._judge.known(tracks, drawn)
            windows = random_windows(self._bank, tracks, width=width, pieces=pieces, **how)
            if self._judge.sees and recipe.mixed:
                second, gain = draw_seconds(len(tracks), share=recipe.mixed, generator=own)
                windows = mix_pictures(windows, windows[second], gain)
            yield scale_mel(windows * 255.0)[:, None], self._judge(windows, tracks, pieces)

    def _draw(self, size: int, generator: torch.Generator) -> Tensor:
        """Pictures of a batch, by their numbers."""
        n_corpus = len(self._bank) - self._n_music
        n_own = round(size * self._recipe.own) if n_corpus else 0
        return torch.cat(
            [
                torch.randint(self._n_music, (size - n_own,), generator=generator),
                torch.randint(max(1, n_corpus), (n_own,), generator=generator) + self._n_music,
            ]
        )

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """Smooth distance between the student's and the teacher's standardised answers."""
        return functional.smooth_l1_loss(network(inputs), targets)

    @torch.inference_mode()
    def measure(self, network: nn.Module, epoch: int) -> dict[str, float]:
        """Share of the variance of the teacher's answers to held-out pictures that the student's
        explain, every fifth epoch and after the last one."""
        if self._held_out is None or (epoch % 5 != 4 and epoch + 1 != self._recipe.epochs):
            return {}
        network.eval()
        judge, bank = self._held_out
        given, wanted = [], []
        at = torch.arange(WINDOW_COLUMNS, device=self._device, dtype=torch.float32)
        for tracks in torch.arange(len(bank), device=self._device).split(64):
            windows = bank.read(tracks, at.expand(len(tracks), -1)).transpose(1, 2)
            start = torch.zeros(len(tracks), device=self._device)
            pieces = Pieces(start, start + WINDOW_COLUMNS, start > 0, start + 1.0)
            given.append(network(scale_mel(windows * 255.0)[:, None]))
            wanted.append(judge(windows, tracks, pieces))
        return {"held_out_explained": explained(torch.cat(given), torch.cat(wanted))}


def distil(
    judge: Judge,
    music: Sequence[UInt8],
    *,
    corpus: Sequence[UInt8] = (),
    held_out: tuple[Judge, Sequence[UInt8]] | None = None,
    recipe: DistillationRecipe,
    run_dir: Path,
    init_from: Mapping[str, Tensor] | None = None,
    device: str = "auto",
    processes: Processes = ALONE,
) -> Mapping[str, Tensor]:
    """Train a trunk on pictures; returns the state of a listening network with untrained heads.

    ``init_from`` is the state of an earlier trunk to go on with.
    Resumes, logs and spreads over processes as :func:`analysis.training.genre.train_trunk` does.
    """
    torch.manual_seed(recipe.seed)
    where = pick_device(device)
    student = Student(ListeningNetwork(2), judge.count)
    if init_from is not None:
        transfer.load_trunk(student.ears, init_from)
    fingerprint = json.dumps(
        [
            asdict(recipe),
            digest_of([*music, *corpus]),
            judge.digest(),
            transfer.digest(init_from),
        ],
        sort_keys=True,
    )
    average = fit(
        student,
        DistillationTask(
            judge, music, corpus=corpus, held_out=held_out, recipe=recipe, device=where
        ),
        recipe=recipe,
        run_dir=run_dir,
        fingerprint=fingerprint,
        device=where,
        processes=processes,
    )
    return cast(Student, average).ears.state_dict()
