"""Making training windows out of mel pictures: crops and the changes that a genre survives."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from analysis.neural.listener import WINDOW_COLUMNS

# Control points of the random equaliser curve: about one for each of the product's bands.
_EQUALISER_POINTS = 8


@dataclass(frozen=True)
class Augmentation:
    """How strongly windows are changed. All draws are uniform within the given bound.

    Chosen on the validation tracks, one run each: changes of time, pitch and masks twice as strong
    cost 0.05 of accuracy; the equaliser with a little more tilt, contrast and floor gained 0.02,
    and more on sound that was mastered differently.
    """

    stretch: float = 0.12  # time scale 1 ± this
    shift_bands: int = 1  # pitch shift in mel bands
    tilt: float = 0.08  # spectral tilt, share of full scale across the bands
    equaliser: float = 0.1  # a smooth random curve over the bands, share of full scale
    gain: float = 0.05  # level, share of full scale
    contrast: float = 0.15  # dynamic scale 1 ± this
    floor: float = 0.2  # highest raised noise floor, share of full scale
    noise: float = 0.02  # Gaussian noise, share of full scale
    mask_bands: int = 16
    mask_columns: int = 20
    masks: int = 2
    short: float = 0.05  # share of windows made of a 3 s piece, repeated


def random_window(mel: Tensor, *, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """One window (128, 128) float in 0..1 out of a picture (128, T) uint8."""

    def draw(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    a = augmentation
    width = round(WINDOW_COLUMNS * draw(1 - a.stretch, 1 + a.stretch))
    if draw(0, 1) < a.short:
        width = round(draw(39, 80))
    width = min(width, mel.shape[1])
    start = int(draw(0, mel.shape[1] - width + 1))
    piece = mel[:, start : start + width].to(torch.float32) / 255.0
    if width < 0.75 * WINDOW_COLUMNS:
        piece = piece.repeat(1, -(-WINDOW_COLUMNS // width))[:, :WINDOW_COLUMNS]
    elif width != WINDOW_COLUMNS:
        piece = functional.interpolate(
            piece[None], size=WINDOW_COLUMNS, mode="linear", align_corners=False
        )[0]
    shift = round(draw(-a.shift_bands, a.shift_bands))
    if shift:
        piece = torch.roll(piece, shift, dims=0)
        if shift > 0:
            piece[:shift] = piece[shift : shift + 1]
        else:
            piece[shift:] = piece[shift - 1 : shift]
    bands = torch.linspace(-1.0, 1.0, piece.shape[0])[:, None]
    piece = piece + bands * draw(-a.tilt, a.tilt) + draw(-a.gain, a.gain)
    points = (torch.rand(1, 1, _EQUALISER_POINTS, generator=generator) * 2 - 1) * a.equaliser
    curve = functional.interpolate(points, size=piece.shape[0], mode="linear", align_corners=True)
    piece = piece + curve[0, 0][:, None] * draw(0, 1)
    piece = (piece - 0.5) * draw(1 - a.contrast, 1 + a.contrast) + 0.5
    floor = max(0.0, draw(-a.floor, a.floor))
    piece = piece.clamp_min(floor).sub(floor).div(1.0 - floor)
    piece = piece + torch.randn(piece.shape, generator=generator) * draw(0, a.noise)
    for _ in range(a.masks):
        size = int(draw(0, a.mask_bands))
        band = int(draw(0, piece.shape[0] - size))
        piece[band : band + size] = piece.mean()
        size = int(draw(0, a.mask_columns))
        column = int(draw(0, piece.shape[1] - size))
        piece[:, column : column + size] = piece.mean()
    return piece.clamp_(0.0, 1.0)


def mixup(
    windows: Tensor, targets: Tensor, *, alpha: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Blend each window and its soft target with another (Zhang et al. 2018)."""
    gamma = torch._standard_gamma(torch.full((windows.shape[0], 2), alpha), generator=generator)
    share = (gamma[:, 0] / gamma.sum(dim=1)).nan_to_num(1.0)
    share = torch.maximum(share, 1 - share)
    order = torch.randperm(windows.shape[0], generator=generator)
    wide = share[:, None, None, None]
    return (
        windows * wide + windows[order] * (1 - wide),
        targets * share[:, None] + targets[order] * (1 - share[:, None]),
    )
