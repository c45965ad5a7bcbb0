"""Making training windows out of mel pictures: crops and the changes that a genre survives.

Whatever is drawn is drawn on the device of the pictures, where the generator must be, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from analysis.neural.listener import WINDOW_COLUMNS
from analysis.sound.mel import TOP_DB, mel_frequencies_hz
from analysis.training.picture_bank import N_BANDS, PictureBank

# Control points of the random equaliser curve: about one for each of the product's bands.
_EQUALISER_POINTS = 8
# Columns (about 3 to 6 s) of the pieces that stand for short files.
_SHORT_PIECE = (39.0, 80.0)

Draw = Callable[[float, float], Tensor]  # uniform numbers (n,) between two bounds


@dataclass(frozen=True)
class Augmentation:
    """How strongly windows are changed. All draws are uniform within the given bound.

    Chosen on the validation tracks, one run each: changes of time, pitch and masks twice as strong
    cost 0.05 of accuracy; the equaliser with a little more tilt, contrast and floor gained 0.02,
    and more on sound that was mastered differently.
    """

    stretch: float = 0.12  # time scale 1 ± this
    shift_bands: int = 1  # pitch shift in mel bands
    speed: float = 0.0  # playback speed 1 ± this: time and frequencies together
    tilt: float = 0.08  # spectral tilt, share of full scale across the bands
    equaliser: float = 0.1  # a smooth random curve over the bands, share of full scale
    gain: float = 0.05  # level, share of full scale
    contrast: float = 0.15  # dynamic scale 1 ± this
    depth: float = 0.0  # decibels that the scale spans, 1 ± this: the loudest stays where it is
    floor: float = 0.2  # highest raised noise floor, share of full scale
    noise: float = 0.02  # Gaussian noise, share of full scale
    mask_bands: int = 16
    mask_columns: int = 20
    masks: int = 2
    short: float = 0.05  # share of windows made of a 3 s piece, repeated


@dataclass(frozen=True)
class Pieces:
    """Which part of its track each window is made of: columns ``start`` to ``start + size`` (n,).

    ``short`` ones (n,) stand for short files, and are repeated to fill a window. ``speed`` (n,) is
    how fast they are played; it counts where the augmentation changes speeds.
    """

    start: Tensor
    size: Tensor
    short: Tensor
    speed: Tensor


def draw_pieces(
    bank: PictureBank,
    tracks: Tensor,
    *,
    augmentation: Augmentation,
    generator: torch.Generator,
    width: int = WINDOW_COLUMNS,
) -> Pieces:
    """A random part of each of ``tracks`` (n,), about ``width`` columns long."""
    a = augmentation
    draw = _drawing(len(tracks), generator)
    count = bank.count[tracks].to(torch.float32)
    speed = draw(1 - a.speed, 1 + a.speed) if a.speed else torch.ones_like(count)
    size = (width * speed * draw(1 - a.stretch, 1 + a.stretch)).round_()
    short = draw(0, 1) < a.short
    size = torch.where(short, draw(*_SHORT_PIECE).round_().clamp_(max=width), size)
    size = torch.minimum(size, count)
    start = (draw(0, 1) * (count - size + 1)).floor_().clamp_(max=count - size)
    return Pieces(start, size, short, speed)


def random_windows(
    bank: PictureBank,
    tracks: Tensor,
    *,
    augmentation: Augmentation,
    generator: torch.Generator,
    width: int = WINDOW_COLUMNS,
    pieces: Pieces | None = None,
) -> Tensor:
    """One window of each of ``tracks`` (n,), each changed in its own way.

    Returns (n, 128, width) float32 in 0..1. A piece much shorter than ``width`` (of a short track,
    or by the draw of ``augmentation.short``) is repeated, as short files are when they are heard.
    ``pieces`` are those to take; default is random ones.
    """
    a = augmentation
    n = len(tracks)
    draw = _drawing(n, generator)
    if pieces is None:
        pieces = draw_pieces(bank, tracks, augmentation=a, generator=generator, width=width)
    windows = bank.read(tracks, _positions(pieces, width))
    if a.speed:
        windows = _warped(windows, pieces.speed)
    shift = draw(-a.shift_bands, a.shift_bands).round().to(torch.int64)
    _shift_bands(windows, shift)
    offset = draw(-a.tilt, a.tilt)[:, None] * torch.linspace(
        -1.0, 1.0, N_BANDS, device=windows.device
    )
    offset += draw(-a.gain, a.gain)[:, None]
    points = torch.rand(n, 1, _EQUALISER_POINTS, generator=generator, device=windows.device)
    points = (points * 2 - 1) * a.equaliser
    curve = functional.interpolate(points, size=N_BANDS, mode="linear", align_corners=True)
    offset += curve[:, 0] * draw(0, 1)[:, None]
    # (x + offset - 0.5) * contrast + 0.5, in two passes over the cells
    if a.depth:
        depth = draw(1 - a.depth, 1 + a.depth)[:, None, None]
        windows.sub_(1.0).mul_(depth).add_(1.0).clamp_min_(0.0)
    contrast = draw(1 - a.contrast, 1 + a.contrast)[:, None, None]
    windows.mul_(contrast).add_((offset[:, None] - 0.5) * contrast + 0.5)
    floor = draw(-a.floor, a.floor).clamp_min_(0.0)[:, None, None]
    windows.sub_(floor).clamp_min_(0.0).div_(1.0 - floor)
    noise = torch.randn(windows.shape, generator=generator, device=windows.device)
    windows.addcmul_(noise, draw(0, a.noise)[:, None, None])
    _mask(windows, a, draw)
    return windows.clamp_(0.0, 1.0).transpose(1, 2).contiguous()


def _drawing(n: int, generator: torch.Generator) -> Draw:
    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=generator, device=generator.device)

    return draw


def _positions(pieces: Pieces, width: int) -> Tensor:
    """Where in its track each column (n, width) of the windows is read."""
    size = pieces.size[:, None]
    at = torch.arange(width, dtype=torch.float32, device=size.device)
    stretched = ((at + 0.5) * (size / width) - 0.5).clamp_(min=0)
    stretched = torch.minimum(stretched, size - 1)
    repeated = pieces.short[:, None] | (size < 0.75 * width)
    return torch.where(repeated, at % size, stretched) + pieces.start[:, None]


def _warped(windows: Tensor, speed: Tensor) -> Tensor:
    """Windows (n, width, 128) with all frequencies multiplied by ``speed`` (n,)."""
    hz = torch.from_numpy(mel_frequencies_hz()).to(windows)
    wanted = hz / speed[:, None]
    above = torch.searchsorted(hz, wanted.contiguous()).clamp(1, N_BANDS - 1)
    low, high = hz[above - 1], hz[above]
    share = ((wanted - low) / (high - low)).clamp(0.0, 1.0)[:, None]
    above = above[:, None].expand_as(windows)
    return windows.gather(2, above - 1).lerp(windows.gather(2, above), share.expand_as(windows))


def _shift_bands(windows: Tensor, shift: Tensor) -> None:
    """Move windows (n, width, 128) up by ``shift`` (n,) bands in place; the edge band is kept."""
    for bands in shift.unique().tolist():
        moved = windows[shift == bands]
        if bands > 0:
            windows[shift == bands] = functional.pad(moved[..., :-bands], (bands, 0), "replicate")
        elif bands < 0:
            windows[shift == bands] = functional.pad(moved[..., -bands:], (0, -bands), "replicate")


def _mask(windows: Tensor, a: Augmentation, draw: Draw) -> None:
    """Paint stripes of bands and of columns over with the window's mean, in place."""
    width = windows.shape[1]
    columns_at_most = a.mask_columns * width / WINDOW_COLUMNS
    bands = torch.ones(len(windows), N_BANDS, device=windows.device)
    columns = torch.ones(len(windows), width, device=windows.device)
    for _ in range(a.masks):
        bands[_stripe(N_BANDS, draw(0, a.mask_bands).floor_(), draw(0, 1))] = 0.0
        columns[_stripe(width, draw(0, columns_at_most).floor_(), draw(0, 1))] = 0.0
    mean = windows.mean(dim=(1, 2), keepdim=True)
    windows.sub_(mean).mul_(bands[:, None, :]).mul_(columns[:, :, None]).add_(mean)


def _stripe(length: int, size: Tensor, where: Tensor) -> Tensor:
    """Booleans (n, length): ``size`` (n,) cells in a row, at the share ``where`` of the room."""
    begin = (where * (length - size)).floor_()
    at = torch.arange(length, device=size.device)
    return (at >= begin[:, None]) & (at < (begin + size)[:, None])


def random_window(mel: Tensor, *, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """One window (128, 128) float in 0..1 out of a picture (128, T) uint8."""
    return random_windows(
        PictureBank([mel.numpy()]),
        torch.zeros(1, dtype=torch.int64),
        augmentation=augmentation,
        generator=generator,
    )[0]


def draw_seconds(n: int, *, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which other one each of n windows is mixed with, and at what level in dB (n,): up to 12 dB
    below it for about ``share`` of them, -inf (not at all) for the others."""
    device = generator.device
    second = torch.randperm(n, generator=generator, device=device)
    draws = torch.rand(2, n, generator=generator, device=device)
    return second, torch.where(draws[0] < share, -12.0 * draws[1], -torch.inf)


def mix_pictures(first: Tensor, second: Tensor, gain_db: Tensor) -> Tensor:
    """Pictures (n, 128, width) in 0..1 of two sounds at once, the second at ``gain_db`` (n,)
    against the first (-inf: not at all). Where both are at their loudest, so is the sum."""
    gain = 10.0 ** (gain_db[:, None, None] / 10.0)
    power = 10.0 ** ((first - 1.0) * (TOP_DB / 10.0))
    power = (power + gain * 10.0 ** ((second - 1.0) * (TOP_DB / 10.0))) / (1.0 + gain)
    return (1.0 + power.log10() * (10.0 / TOP_DB)).clamp(0.0, 1.0)


def mixup(
    windows: Tensor, targets: Tensor, *, alpha: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Blend each window and its soft target with another (Zhang et al. 2018); ``alpha`` 0 blends
    nothing."""
    if alpha == 0:
        return windows, targets
    gamma = torch._standard_gamma(torch.full((windows.shape[0], 2), alpha), generator=generator)
    share = (gamma[:, 0] / gamma.sum(dim=1)).nan_to_num(1.0)
    share = torch.maximum(share, 1 - share)
    order = torch.randperm(windows.shape[0], generator=generator)
    wide = share[:, None, None, None]
    return (
        windows * wide + windows[order] * (1 - wide),
        targets * share[:, None] + targets[order] * (1 - share[:, None]),
    )
