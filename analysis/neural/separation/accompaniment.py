"""Drums and bass out of an accompaniment's spectrum, without training.

*Drums* are what stands in the spectrum like a wall: medians along time keep what lasts, medians
along frequency keep what is broad (Fitzgerald 2010, "Harmonic/percussive separation using median
filtering", DAFx-10), and their squares share every cell. In the lowest octaves a kick is as narrow
as a bass note, so there the share of a cell goes to what exceeds its own lasting level.

*Bass* is the lowest voice of what lasts. Every frame asks a row of combs, a quarter tone apart
from C1 to A3, how much they find on their teeth; the answers become a distribution over pitches,
and the mask is the mean of the combs under it, fading out above 600 Hz, where other instruments
own the teeth.

Every cell depends on ``CONTEXT_FRAMES`` to both sides and on nothing else, so a file can be split
in stretches of any length. All sizes were chosen on one half of the mixes of docs/separation.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch

from analysis.neural.separation.medians import running_median
from analysis.neural.separation.spectra import N_FFT, SAMPLE_RATE

LASTING_FRAMES = 21  # 0.49 s
BROAD_BINS = 11  # 118 Hz
CONTEXT_FRAMES = LASTING_FRAMES // 2
_KICK_HZ = 120.0
_LOWEST_HZ = 32.703  # C1
_PITCHES = 67  # quarter tones, up to 220 Hz
_HEARD_PARTIALS = 10
_PARTIAL_DECAY = 0.8
_HEARD_WIDTH_BINS = 0.7
_MASK_PARTIALS = 24
_MASK_WIDTH_BINS = 1.2
_MASK_TOP_HZ = 1500.0
_FADE_HZ = 600.0
_CERTAINTY = 30.0
_TINY = 1e-12


@dataclass(frozen=True)
class Shares:
    """Shares of the accompaniment's cells, each (bins, frames), 0 to 1; their sum is at most 1."""

    drums: torch.Tensor
    bass: torch.Tensor


def shares(magnitude: torch.Tensor) -> Shares:
    """Drums' and bass's shares from the magnitudes (bins, frames) of both channels together."""
    drums = _drums(magnitude)
    lasting = 1.0 - drums
    return Shares(drums, lasting * _bass(magnitude * lasting))


def percussive(magnitude: torch.Tensor) -> torch.Tensor:
    """Plain HPSS: the broad over the lasting, squared; (bins, frames)."""
    lasting = running_median(magnitude, LASTING_FRAMES, dim=1)
    return _share(running_median(magnitude, BROAD_BINS, dim=0), lasting)


def _drums(magnitude: torch.Tensor) -> torch.Tensor:
    lasting = running_median(magnitude, LASTING_FRAMES, dim=1)
    broad = _share(running_median(magnitude, BROAD_BINS, dim=0), lasting)
    sudden = _share((magnitude - lasting).clamp(min=0.0), lasting)
    low = 1.0 / (1.0 + (_bin_hz(magnitude) / _KICK_HZ) ** 8)
    return low * sudden + (1.0 - low) * broad


def _bass(lasting: torch.Tensor) -> torch.Tensor:
    device = lasting.device
    heard = _combs(_HEARD_PARTIALS, _HEARD_WIDTH_BINS, _PARTIAL_DECAY).to(device)
    heard = heard / heard.sum(dim=1, keepdim=True).clamp(min=1.0)
    found = heard @ lasting[: heard.shape[1]].sqrt()
    likely = torch.softmax(
        _CERTAINTY * found / found.amax(dim=0, keepdim=True).clamp(min=1e-6), dim=0
    )
    mask = torch.zeros_like(lasting)
    teeth = _combs(_MASK_PARTIALS, _MASK_WIDTH_BINS, 1.0).to(device)
    mask[: teeth.shape[1]] = teeth.T @ likely
    return mask / (1.0 + (_bin_hz(lasting) / _FADE_HZ) ** 4)


@cache
def _combs(partials: int, width_bins: float, decay: float) -> torch.Tensor:
    """Combs (pitches, bins up to the top): Gaussian teeth at the partials of every pitch."""
    pitches = _LOWEST_HZ * 2.0 ** (torch.arange(_PITCHES) / 24.0)
    spacing = SAMPLE_RATE / N_FFT
    bins = torch.arange(int(_MASK_TOP_HZ / spacing) + 8)
    combs = torch.zeros(_PITCHES, len(bins))
    for number in range(1, partials + 1):
        centre = (pitches * number / spacing)[:, None]
        tooth = torch.exp(-0.5 * ((bins - centre) / width_bins) ** 2)
        tooth *= (centre * spacing < _MASK_TOP_HZ) * decay ** (number - 1)
        combs = torch.maximum(combs, tooth)
    return combs


def _share(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return one.square() / (one.square() + other.square() + _TINY)


def _bin_hz(picture: torch.Tensor) -> torch.Tensor:
    """Centre frequencies as a column (bins, 1)."""
    return torch.arange(len(picture), device=picture.device)[:, None] * (SAMPLE_RATE / N_FFT)
