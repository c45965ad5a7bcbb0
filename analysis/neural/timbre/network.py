"""The timbre network: convolutions over time on MFCC with deltas, attention over time per tag."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from analysis.neural.timbre.mfcc import COEFFICIENTS, FRAMES_PER_SECOND

STRIDE = 8
STEPS_PER_SECOND = FRAMES_PER_SECOND / STRIDE
_DELTA_REACH = 2


class Heard(NamedTuple):
    """``logits`` (n, tags); ``local`` (n, tags, steps) are the logits of each 40 ms and
    ``attention`` (n, tags, steps) how much each counts: sums to 1 over the steps, and
    ``logits`` = sum of ``attention * local``."""

    logits: Tensor
    local: Tensor
    attention: Tensor


class TimbreNetwork(nn.Module):
    """Input: MFCC (n, 40, frames). About 220,000 parameters.

    ``mean`` and ``spread`` (40,) of each coefficient over the training clips are part of the
    weights: every band is normalised by itself.
    """

    mean: Tensor
    spread: Tensor
    ramp: Tensor

    def __init__(self, tags: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(COEFFICIENTS))
        self.register_buffer("spread", torch.ones(COEFFICIENTS))
        reach = torch.arange(-_DELTA_REACH, _DELTA_REACH + 1, dtype=torch.float32)
        self.register_buffer("ramp", reach / reach.square().sum(), persistent=False)
        self.body = nn.Sequential(
            _layer(2 * COEFFICIENTS, 64),
            _layer(64, 96),
            _layer(96, 96),
            _Residual(96, dilation=1),
            _Residual(96, dilation=2),
            _Residual(96, dilation=4),
            nn.Dropout(dropout),
        )
        self.local = nn.Conv1d(96, tags, 1)
        self.attention = nn.Conv1d(96, tags, 1)

    def forward(self, coefficients: Tensor) -> Heard:
        normal = (coefficients - self.mean[:, None]) / self.spread[:, None]
        features = self.body(torch.cat([normal, 3.0 * self._delta(normal)], dim=1))
        local = self.local(features)
        attention = functional.softmax(self.attention(features), dim=2)
        return Heard((attention * local).sum(dim=2), local, attention)

    def _delta(self, normal: Tensor) -> Tensor:
        """Slope of each coefficient over five frames (a line by least squares)."""
        kernel = self.ramp.repeat(COEFFICIENTS, 1, 1)
        padded = functional.pad(normal, (_DELTA_REACH, _DELTA_REACH), mode="replicate")
        return functional.conv1d(padded, kernel, groups=COEFFICIENTS)


def _layer(channels: int, out: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(channels, out, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm1d(out),
        nn.GELU(),
    )


class _Residual(nn.Module):
    def __init__(self, channels: int, *, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm1d(channels),
            nn.GELU(),
            nn.Conv1d(channels, channels, 1, bias=False),
            nn.BatchNorm1d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        return functional.gelu(features + self.layers(features))
