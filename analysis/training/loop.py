"""The loop that all training of the trunk goes through, whatever it is that is learned.

It moves the weights (AdamW, one-cycle schedule), keeps their running average, logs, writes a
checkpoint an epoch, goes on where a killed run stopped, and works on several processes. What is
learned is a :class:`Task`: its batches and its loss.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from analysis.neural.listener import to_channels_last
from analysis.training.checkpoints import Checkpoint
from analysis.training.distributed import ALONE, Processes
from analysis.training.recipe import Optimisation
from analysis.training.transfer import is_of_trunk

log = logging.getLogger(__name__)


class Task(Protocol):
    """Something to learn."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, the same in every process."""

    def batches(self, epoch: int, processes: Processes) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets of this process's share of each batch, on the CPU.

        All draws must come from the task's seed, the epoch and the process, so that a run that goes
        on sees what an uninterrupted one sees.
        """

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of a batch, a scalar. Call ``network`` itself, not its parts: that call is what
        several processes are joined by."""

    def measure(self, network: nn.Module, epoch: int) -> dict[str, float]:
        """Figures for the log after an epoch (counted from 0); asked of the first process only."""


@dataclass(frozen=True)
class Watch:
    """Early stopping on a figure of :meth:`Task.measure`, of which less is better.

    Training ends ``patience`` epochs after the best one, and what :func:`fit` gives back is the
    average as it was then. ``told`` gets the history after every epoch, when its checkpoint is
    written; what it raises ends the training, which can go on from there.
    """

    figure: str
    patience: int
    told: Callable[[list[dict[str, float]]], object]

    def best(self, history: list[dict[str, float]]) -> int:
        """Number of the best epoch so far, counted from 1; 0 before the first."""
        values = [line[self.figure] for line in history]
        return values.index(min(values)) + 1 if values else 0

    def is_over(self, history: list[dict[str, float]]) -> bool:
        """Whether the best epoch lies too far back."""
        return len(history) - self.best(history) >= self.patience


def fit(
    network: nn.Module,
    task: Task,
    *,
    recipe: Optimisation,
    run_dir: Path,
    fingerprint: str,
    device: torch.device,
    processes: Processes = ALONE,
    watch: Watch | None = None,
) -> nn.Module:
    """Train ``network`` in place; returns the running average of its weights, on the CPU: the one
    after the last epoch, or with a ``watch`` (in one process only) that of the best.

    ``fingerprint`` stands for all that the outcome depends on. Raises
    :class:`~analysis.training.checkpoints.OtherRun` if ``run_dir`` holds another run, and
    FloatingPointError if the loss stops being a number.
    """
    network.to(device)
    to_channels_last(network)
    average = copy.deepcopy(network)
    learner = processes.spread(network, device)
    optimizer = torch.optim.AdamW(
        parameter_groups(network, recipe), weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=max(2, recipe.epochs * task.steps_per_epoch),
        pct_start=recipe.warm_up,
    )
    parts: dict[str, Any] = {
        "network": network,
        "average": average,
        "optimizer": optimizer,
        "schedule": schedule,
    }
    checkpoint = Checkpoint(run_dir, fingerprint=fingerprint)
    history: list[dict[str, float]] = []
    best: dict[str, Tensor] = {}
    saved = checkpoint.load(device)
    if saved is not None:
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        history = saved["history"]
        best = saved.get("best", {})
        log.info("going on after epoch %d", len(history))

    for epoch in range(len(history), recipe.epochs):
        if watch is not None and watch.is_over(history):
            break
        started = time.perf_counter()
        # Dropout draws from here.
        torch.manual_seed((recipe.seed * 100_003 + epoch) * 1_009 + processes.rank)
        network.train()
        total = torch.zeros((), device=device)
        step = epoch * task.steps_per_epoch
        for inputs, targets in task.batches(epoch, processes):
            step += 1
            inputs = inputs.to(device)
            if inputs.dim() == 4:
                inputs = inputs.contiguous(memory_format=torch.channels_last)
            # Sixteen bits where they are several times as fast; the weights keep 32.
            with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
                loss = task.loss(learner, inputs, targets.to(device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
            optimizer.step()
            schedule.step()
            update_average(average, network, early_decay(step, recipe.ema_decay))
            total += loss.detach()
        line = {"epoch": epoch + 1, "loss": float(processes.mean(total)) / task.steps_per_epoch}
        if not math.isfinite(line["loss"]):
            raise FloatingPointError(
                f"the loss of epoch {epoch + 1} is {line['loss']}: lower the learning rate"
            )
        if processes.is_first:
            line |= task.measure(average, epoch)
            line["seconds"] = time.perf_counter() - started
            history.append(line)
            log.info(" ".join(f"{key}={value:.4g}" for key, value in line.items()))
            states: dict[str, Any] = {name: part.state_dict() for name, part in parts.items()}
            if watch is not None:
                if watch.best(history) == len(history):
                    best = {name: value.clone() for name, value in average.state_dict().items()}
                states["best"] = best
            checkpoint.save(states, history=history)
            if watch is not None:
                watch.told(history)
    if best:
        average.load_state_dict(best)
    processes.unify(average)
    return average.cpu().eval()


def generators(
    seed: int, epoch: int, processes: Processes, device: torch.device | str = "cpu"
) -> tuple[torch.Generator, torch.Generator]:
    """What an epoch's draws come from: a generator that is the same in all processes, on the CPU,
    for what they share out, and one of this process's own on a device, for what it does to it."""
    drawn = seed * 100_003 + epoch
    own = torch.Generator(device).manual_seed(drawn * 1_009 + 1 + processes.rank)
    return torch.Generator().manual_seed(drawn), own


def parameter_groups(network: nn.Module, recipe: Optimisation) -> list[dict[str, object]]:
    """Heads and trunk with a learning rate each, for an optimizer."""
    heads = [p for name, p in network.named_parameters() if not is_of_trunk(name)]
    trunk = [p for name, p in network.named_parameters() if is_of_trunk(name)]
    groups = [(heads, 1.0), (trunk, recipe.trunk_rate)]
    return [
        {"params": parameters, "lr": recipe.learning_rate * rate}
        for parameters, rate in groups
        if parameters
    ]


def early_decay(step: int, decay: float) -> float:
    """Decay of the running average after ``step`` steps: less at first, so that the average of a
    short run is not mostly what the weights were before it."""
    return min(decay, (1 + step) / (10 + step))


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Exponential moving average of the weights; running statistics are copied."""
    for kept, new in zip(average.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)
    for statistic, current in zip(average.buffers(), network.buffers(), strict=True):
        statistic.copy_(current)
