"""Short-time spectra of any stretch of a long sound, and the way back, without seams.

Frame ``n`` is centred on sample ``n * HOP`` of the whole file, whatever stretch is asked for, so
that two stretches agree on the frames that they share.
"""

from __future__ import annotations

import torch

SAMPLE_RATE = 44_100
N_FFT = 4096
HOP = 1024
# A sample is covered by the frames of half a window to both sides.
REACH_FRAMES = N_FFT // 2 // HOP


def window(device: torch.device | str = "cpu") -> torch.Tensor:
    """Periodic Hann of ``N_FFT`` samples."""
    return torch.hann_window(N_FFT, periodic=True, device=device)


def padded_span(first_frame: int, n_frames: int) -> tuple[int, int]:
    """First sample and end (exclusive) that the frames look at; may lie outside the file."""
    start = first_frame * HOP - N_FFT // 2
    return start, start + (n_frames - 1) * HOP + N_FFT


def spectra(samples: torch.Tensor) -> torch.Tensor:
    """Complex spectra (channels, bins, frames) of exactly the samples of :func:`padded_span`."""
    return torch.stft(
        samples,
        N_FFT,
        hop_length=HOP,
        window=window(samples.device),
        center=False,
        return_complex=True,
    )


def sound(frames: torch.Tensor) -> torch.Tensor:
    """The samples of a stretch that have all the frames that cover them.

    ``frames`` (..., bins, n) give (..., (n - 2 * REACH_FRAMES) * HOP) samples; the first one
    is the centre of frame ``REACH_FRAMES``.
    """
    *leading, bins, count = frames.shape
    spectrum = frames.reshape(-1, bins, count).transpose(1, 2)
    pieces = torch.fft.irfft(spectrum, n=N_FFT) * window(frames.device)
    quarters = pieces.reshape(-1, count, N_FFT // HOP, HOP)
    added = torch.zeros(len(pieces), count + N_FFT // HOP - 1, HOP, device=frames.device)
    for quarter in range(N_FFT // HOP):
        added[:, quarter : quarter + count] += quarters[:, :, quarter]
    # Sample 0 of ``added`` lies half a window before the centre of the first frame. Four periodic
    # Hann windows squared, a quarter apart, add up to 3/2 everywhere.
    full = added[:, 2 * REACH_FRAMES : count] / 1.5
    return full.reshape(*leading, -1)
