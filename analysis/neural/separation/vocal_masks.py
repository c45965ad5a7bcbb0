"""The voice's share of every cell of the spectrum, by Spleeter's networks, without block edges.

The networks judge blocks of 512 frames. Blocks overlap here: the outer 32 frames of each, where a
network sees too little, are not used, and over the next 64 one block fades into its neighbour.
Above 11 kHz, where the networks hear nothing, a frame keeps the mean of its mask's top bins.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from analysis.neural.separation import spleeter_weights
from analysis.neural.separation.spectra import N_FFT, padded_span, spectra
from analysis.neural.separation.unet import BINS, BLOCK_FRAMES, UNet, from_checkpoint

CORE_FRAMES = 384
_MARGIN = (BLOCK_FRAMES - CORE_FRAMES) // 2
_FADE = _MARGIN // 2
# 9.6 to 11 kHz: what the mask says there stands for everything above.
_TOP_BINS = 128
_EPS = 1e-10

Reader = Callable[[int, int], torch.Tensor]


def load_networks(device: str) -> tuple[UNet, UNet]:
    """The networks of voice and accompaniment; raises WeightsUnavailable."""
    vocals, accompaniment = (
        from_checkpoint(spleeter_weights.load(name)).to(device)
        for name in ("vocals", "accompaniment")
    )
    return vocals, accompaniment


class VocalMasks:
    """Masks of a file's voice, by frame.

    Parameters
    ----------
    read : gives the samples (2, n) from one position to another, zeros outside the file
    phase : frames by which the blocks are moved; only tests change it
    """

    def __init__(
        self, networks: tuple[UNet, UNet], read: Reader, device: str, *, phase: int = 0
    ) -> None:
        self._networks = networks
        self._read = read
        self._device = device
        self._phase = phase
        self._kept: dict[int, torch.Tensor] = {}

    def between(self, start: int, end: int) -> torch.Tensor:
        """Mask (2, all bins, end - start) of the frames from ``start`` to ``end``."""
        first = (start - self._phase - _FADE) // CORE_FRAMES
        last = (end - 1 - self._phase + _FADE) // CORE_FRAMES
        self._kept = {n: mask for n, mask in self._kept.items() if first <= n <= last}
        total = torch.zeros(2, BINS, end - start, device=self._device)
        for number in range(first, last + 1):
            if number not in self._kept:
                self._kept[number] = self._block(number)
            at = number * CORE_FRAMES + self._phase - _MARGIN
            from_, to = max(start, at), min(end, at + BLOCK_FRAMES)
            if from_ < to:
                share = self._fade()[from_ - at : to - at]
                total[:, :, from_ - start : to - start] += (
                    self._kept[number][:, :, from_ - at : to - at] * share
                )
        return extend_upwards(total)

    def _fade(self) -> torch.Tensor:
        """A block's weight by frame; neighbours' weights add up to one."""
        position = torch.arange(BLOCK_FRAMES, device=self._device) + 0.5
        rise = (position - (_MARGIN - _FADE)) / (2 * _FADE)
        fall = (BLOCK_FRAMES - position - (_MARGIN - _FADE)) / (2 * _FADE)
        return torch.minimum(rise, fall).clamp(0.0, 1.0)

    def _block(self, number: int) -> torch.Tensor:
        """Mask (2, BINS, BLOCK_FRAMES) of one block, straight from the networks."""
        at = number * CORE_FRAMES + self._phase - _MARGIN
        samples = self._read(*padded_span(at, BLOCK_FRAMES)).to(self._device)
        magnitude = spectra(samples)[:, :BINS].abs().transpose(1, 2)[None]
        voice, rest = (network(magnitude).square() for network in self._networks)
        # Both networks mask the same magnitudes, so the ratio of outputs is the ratio of masks.
        return ((voice + _EPS / 2) / (voice + rest + _EPS))[0].transpose(1, 2).contiguous()


def extend_upwards(mask: torch.Tensor) -> torch.Tensor:
    """A mask of the lowest bins (2, BINS, frames) for all bins."""
    above = mask[:, -_TOP_BINS:].mean(dim=1, keepdim=True)
    return torch.cat([mask, above.expand(-1, N_FFT // 2 + 1 - BINS, -1)], dim=1)
