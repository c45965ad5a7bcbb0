"""The largest answer of each filter over the bands, for filters on one channel, on a CPU.

The front end of MusiCNN asks of its filters only where in frequency they answer most. Written as
products of matrices, a picture at a time, with the largest kept at once, that takes less than half
the time of a convolution and a maximum, and in training a quarter: only the places of the largest
answers have a gradient. Under CPU autocast the products have 16 bits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def loudest_band(x: Tensor, weight: Tensor) -> Tensor:
    """``conv2d(x[:, None], weight[:, None]).amax(3)``, laid out (n, frames, channels).

    ``x`` (n, frames + length - 1, bands) has no gradient; ``weight`` is (channels, length, width).
    """
    kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    if torch.is_grad_enabled() and weight.requires_grad:
        found: Tensor = _LoudestBand.apply(x, weight, kind)
        return found
    filters = _filters(weight, kind)
    return torch.stack(
        [_answers(one, weight, filters).amax(dim=1) for one in x.to(kind).unbind()]
    ).to(x.dtype)


class _LoudestBand(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, kind: torch.dtype) -> Tensor:
        x = x.to(kind)
        filters = _filters(weight, kind)
        values, places = zip(
            *(_answers(one, weight, filters).max(dim=1) for one in x.unbind()), strict=True
        )
        ctx.save_for_backward(x, torch.stack(places))
        ctx.shape = weight.shape
        return torch.stack(values).to(weight.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None]:
        x, places = ctx.saved_tensors
        channels, length, width = ctx.shape
        (gradient,) = gradients
        total = torch.zeros(channels, length * width, dtype=gradient.dtype)
        frames, bands = gradient.shape[1], x.shape[2] - width + 1
        at_its_place = torch.zeros(frames, bands, channels, dtype=x.dtype)
        for one, place, own in zip(x, places[:, :, None], gradient[:, :, None], strict=True):
            at_its_place.scatter_(1, place, own.to(x.dtype))
            total += at_its_place.flatten(0, 1).T @ _unfolded(one, length, width)
            at_its_place.scatter_(1, place, 0.0)
        return None, total.view(channels, length, width), None


def _filters(weight: Tensor, kind: torch.dtype) -> Tensor:
    return weight.flatten(1).T.to(kind).contiguous()


def _answers(one: Tensor, weight: Tensor, filters: Tensor) -> Tensor:
    """All answers (frames, bands, channels) to one picture."""
    _, length, width = weight.shape
    frames, bands = one.shape[0] - length + 1, one.shape[1] - width + 1
    return (_unfolded(one, length, width) @ filters).view(frames, bands, -1)


def _unfolded(one: Tensor, length: int, width: int) -> Tensor:
    """Every piece (length * width) of a picture that a filter is laid on, a row each."""
    return one.unfold(0, length, 1).unfold(1, width, 1).reshape(-1, length * width)
