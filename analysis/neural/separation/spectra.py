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
    """Samples between the centres of a stretch's first and last full coverage.

    ``frames`` (..., bins, n) give (..., (n - 2 * REACH_FRAMES) * HOP) samples: the first one is the
    centre of frame ``REACH_FRAMES``, so every sample has all its frames.
    """
    shape = frames.shape
    flat = frames.reshape(-1, *shape[-2:])
    pieces = torch.fft.irfft(flat, n=N_FFT, dim=1) * window(flat.device)[None, :, None]
    total = (shape[-1] - 1) * HOP + N_FFT
    added = torch.nn.functional.fold(
        pieces, (1, total), kernel_size=(1, N_FFT), stride=(1, HOP)
    ).reshape(-1, total)
    # Four periodic Hann windows squared, a quarter apart, add up to 3/2 everywhere.
    full = added[:, N_FFT // 2 + REACH_FRAMES * HOP :][:, : (shape[-1] - 2 * REACH_FRAMES) * HOP]
    return (full / 1.5).reshape(*shape[:-2], -1)
