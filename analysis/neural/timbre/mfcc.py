"""What the timbre network sees of a voice: 40 mel-frequency cepstral coefficients every 5 ms.

Frames of 20 ms are short enough to show the flutter of a rough voice, and 32 kHz carry the breath.
Level is taken out three times over: the clip is brought to one level, what lies 62 dB beneath its
mean does not count (a quiet recording of 16 bits hisses there), and the first coefficient is taken
relative to its own mean.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torchaudio.functional import create_dct, melscale_fbanks

RATE_HZ = 32_000
COEFFICIENTS = 40
HOP = 160
FRAMES_PER_SECOND = RATE_HZ / HOP

_WINDOW = 640
_TRANSFORM = 1_024
_MELS = 80
_RANGE_HZ = (60.0, 15_500.0)
_FLOOR_DB = 62.0


@cache
def _filters() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    bank = melscale_fbanks(
        _TRANSFORM // 2 + 1, *_RANGE_HZ, _MELS, RATE_HZ, norm="slaney", mel_scale="htk"
    )
    return torch.hann_window(_WINDOW), bank, create_dct(COEFFICIENTS, _MELS, norm="ortho")


def mfcc(samples: npt.NDArray[np.floating]) -> torch.Tensor:
    """Coefficients (40, frames) float32 of mono sound (n,) at 32 kHz, whatever its level.

    Raises ValueError for another shape, or less than a window.
    """
    if samples.ndim != 1 or samples.size < _WINDOW:
        raise ValueError(f"needs mono sound of {_WINDOW} samples or more, got {samples.shape}")
    sound = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))
    sound = sound - sound.mean()
    sound = sound / sound.square().mean().sqrt().clamp_min(1e-9)
    window, bank, cosines = _filters()
    spectrum = torch.stft(sound, _TRANSFORM, HOP, _WINDOW, window, center=True, return_complex=True)
    mel = spectrum.abs().square().T @ bank
    floor = mel.mean() * 10.0 ** (-_FLOOR_DB / 10.0)
    coefficients = (torch.log(mel + floor) @ cosines).T
    coefficients[0] -= coefficients[0].mean()
    return coefficients.contiguous()
