"""Everything that decides the outcome of a training run."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from analysis.neural.listener import WINDOW_COLUMNS
from analysis.training.augment import Augmentation

# The trunk divides time by 32: fewer columns would leave nothing to pool.
NARROWEST_WINDOW = 32


@dataclass(frozen=True)
class WindowPlan:
    """How wide the training windows are, in mel columns (12.9 a second).

    All windows of a batch have one width, drawn for each batch among ``widths`` with chances in
    proportion to ``weights``. Narrow ones teach a network to hear clips of two or three seconds.

    >>> WindowPlan(widths=(40, 128), weights=(1.0, 3.0)).chances
    (0.25, 0.75)

    Raises ValueError for no widths, widths below 32, or weights that do not belong to them.
    """

    widths: tuple[int, ...] = (WINDOW_COLUMNS,)
    weights: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < NARROWEST_WINDOW:
            raise ValueError(f"windows need {NARROWEST_WINDOW} columns or more, got {self.widths}")
        if len(self.weights) != len(self.widths):
            raise ValueError(f"{len(self.widths)} widths, but {len(self.weights)} weights")
        if min(self.weights) < 0 or sum(self.weights) <= 0:
            raise ValueError(f"weights must be positive, got {self.weights}")

    @property
    def chances(self) -> tuple[float, ...]:
        """The weights, scaled to a sum of 1."""
        return tuple(weight / sum(self.weights) for weight in self.weights)

    def draw(self, generator: torch.Generator) -> int:
        """The width of one batch. Takes nothing from the generator where there is no choice."""
        if len(self.widths) == 1:
            return self.widths[0]
        chances = torch.tensor(self.chances)
        return self.widths[int(torch.multinomial(chances, 1, generator=generator))]


@dataclass(frozen=True)
class Optimisation:
    """How weights are moved: AdamW on a one-cycle schedule, with a running average.

    ``trunk_rate`` is the trunk's learning rate as a share of the heads': below 1 keeps what a
    pretrained trunk knows (Howard & Ruder 2018, "discriminative fine-tuning"); 0 freezes its
    weights. What ships is the exponential moving average of the weights.
    """

    epochs: int = 24
    learning_rate: float = 1.5e-3
    trunk_rate: float = 1.0
    weight_decay: float = 0.05
    warm_up: float = 0.2  # share of the steps until the learning rate peaks
    clip_norm: float = 5.0
    ema_decay: float = 0.99
    seed: int = 7


@dataclass(frozen=True)
class Recipe(Optimisation):
    """Training of trunk and genre head. ``batch_size`` counts all processes together."""

    crops_per_track: int = 3
    batch_size: int = 32
    label_smoothing: float = 0.1
    mixup_alpha: float = 0.3
    windows: WindowPlan = field(default_factory=WindowPlan)
    augmentation: Augmentation = field(default_factory=Augmentation)


# For a trunk that has heard music before: it moves slowly, and fewer rounds do.
FINE_TUNING = Recipe(epochs=16, learning_rate=8e-4, trunk_rate=0.25)
