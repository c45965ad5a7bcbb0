"""The starter engine: Spleeter's networks for the voice, then drums and bass by rule.

Four stems, in bounded memory: a segment is computed from the samples around it and from nothing
else. The last stem is the mix minus the others, so the four add up to the mix by construction.
"""

from __future__ import annotations

import torch

from analysis.neural.separation import engines
from analysis.neural.separation.accompaniment import CONTEXT_FRAMES, shares
from analysis.neural.separation.engine import Reader, SegmentSeparator
from analysis.neural.separation.spectra import HOP, REACH_FRAMES, padded_span, sound, spectra
from analysis.neural.separation.vocal_masks import CORE_FRAMES, VocalMasks, load_networks

STEMS = ("vocals", "drums", "bass", "other")
_AROUND = REACH_FRAMES + CONTEXT_FRAMES


class Starter:
    """See :class:`analysis.neural.separation.engine.Engine`."""

    name = "starter"
    stems: tuple[str, ...] = STEMS
    segment_samples = CORE_FRAMES * HOP

    def __init__(self, device: str = "cpu", *, phase: int = 0) -> None:
        self._device = device
        self._phase = phase
        self._networks = load_networks(device)

    @property
    def identity(self) -> str:
        """Changes whenever the stems would."""
        return engines.identity(self.name)

    def begin(self, read: Reader) -> SegmentSeparator:
        """A function from a segment's number to its stems (4, 2, segment_samples)."""
        masks = VocalMasks(self._networks, read, self._device, phase=self._phase)

        def separate_segment(number: int) -> torch.Tensor:
            with torch.inference_mode():
                return self._segment(number, read, masks)

        return separate_segment

    def _segment(self, number: int, read: Reader, masks: VocalMasks) -> torch.Tensor:
        first = number * CORE_FRAMES
        start, end = first - _AROUND, first + CORE_FRAMES + _AROUND
        mix = spectra(read(*padded_span(start, end - start)).to(self._device))
        vocal_share = masks.between(start, end)
        vocals = mix * vocal_share
        accompaniment = mix - vocals
        share = shares(accompaniment.abs().square().mean(dim=0).sqrt())
        parts = torch.stack([vocals, accompaniment * share.drums, accompaniment * share.bass])
        heard = sound(parts[..., CONTEXT_FRAMES:-CONTEXT_FRAMES]).cpu()
        whole = read(first * HOP, (first + CORE_FRAMES) * HOP)
        return torch.cat([heard, (whole - heard.sum(dim=0))[None]])
