"""The mel spectrogram that every network of the product listens to.

One definition, shared by training and by inference, so that a model trained on published
spectrogram pictures also works on sound:

* 22,050 Hz mono, Hann window of 2,048 samples, centred frames;
* 128 Slaney-normalised mel bands from 0 to 11,025 Hz, power;
* decibels relative to the track's loudest cell, floor at -80 dB;
* min-max scaled per track to 0..255.

Frames are taken every :data:`HOP_LENGTH` = 1,709 samples (77.5 ms): the column spacing of the
GTZAN pictures, whose 1,293 frames at hop 512 are thinned to 387 columns. Computing at the thinned
hop directly costs a third of computing everything and throwing two thirds away.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 22_050
N_FFT = 2_048
HOP_LENGTH = 1_709
N_MELS = 128
TOP_DB = 80.0
COLUMNS_PER_SECOND = SAMPLE_RATE / HOP_LENGTH

_FRAMES_PER_BLOCK = 2_048


def _hz_to_mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Slaney's scale: linear to 1 kHz (200/3 Hz a mel), then 27 mels to a factor of 6.4."""
    above = 15.0 + 27.0 * np.log(np.maximum(hz, 1_000.0) / 1_000.0) / np.log(6.4)
    return np.where(hz < 1_000.0, hz * 3.0 / 200.0, above)


def _mel_to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(
        mel < 15.0, mel * 200.0 / 3.0, 1_000.0 * 6.4 ** ((np.maximum(mel, 15.0) - 15.0) / 27.0)
    )


@cache
def mel_edges_hz(sample_rate: int = SAMPLE_RATE, n_mels: int = N_MELS) -> npt.NDArray[np.float64]:
    """Corner frequencies of the mel triangles in Hz, shape (n_mels + 2,): band i spans i to i + 2.

    The lowest corner is 0 Hz, the highest half the sample rate.
    """
    top = _hz_to_mel(np.array([sample_rate / 2]))[0]
    return _mel_to_hz(np.linspace(0.0, top, n_mels + 2))


@cache
def mel_filters_of(sample_rate: int, *, n_fft: int, n_mels: int) -> npt.NDArray[np.float32]:
    """Slaney mel filters of unit area, shape (n_mels, 1 + n_fft // 2).

    Equal to ``librosa.filters.mel`` (which the tests compare with), whose import would cost every
    worker some 60 MB for this one matrix.
    """
    edges = mel_edges_hz(sample_rate, n_mels)
    bins = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def mel_filterbank() -> npt.NDArray[np.float32]:
    """The filters of the contract, shape (128, 1025)."""
    return mel_filters_of(SAMPLE_RATE, n_fft=N_FFT, n_mels=N_MELS)


@cache
def mel_frequencies_hz() -> npt.NDArray[np.float64]:
    """Centre frequency of each of the 128 mel bands in Hz, shape (128,)."""
    return mel_edges_hz()[1:-1]


def mel_power(mono: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mel power spectrogram of a 22,050 Hz mono signal.

    Parameters
    ----------
    mono : float array, shape (n_samples,)

    Returns
    -------
    float32 array, shape (128, 1 + n_samples // 1709)

    Raises
    ------
    ValueError
        If the signal is not one-dimensional or is empty.

    The signal is padded with zeros by half a window at both ends, as librosa >= 0.10 does. Frames
    are processed in blocks, so memory stays small for an hour of sound.
    """
    if mono.ndim != 1 or mono.size == 0:
        raise ValueError(f"expected a non-empty one-dimensional signal, got shape {mono.shape}")
    import scipy.fft

    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    filters = mel_filterbank()
    n_frames = 1 + mono.size // HOP_LENGTH
    mel = np.empty((N_MELS, n_frames), dtype=np.float32)
    for start in range(0, n_frames, _FRAMES_PER_BLOCK):
        block = _frames(mono, start, min(_FRAMES_PER_BLOCK, n_frames - start)) * window
        spectrum = scipy.fft.rfft(block, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        mel[:, start : start + block.shape[0]] = filters @ power.T
    return mel


def _frames(mono: npt.NDArray[np.float32], first: int, count: int) -> npt.NDArray[np.float32]:
    """Frames (count, 2048) from frame ``first`` on; what lies outside of the signal is zero."""
    begin = first * HOP_LENGTH - N_FFT // 2
    end = begin + (count - 1) * HOP_LENGTH + N_FFT
    piece = mono[max(0, begin) : end].astype(np.float32, copy=False)
    if begin < 0 or end > mono.size:
        piece = np.pad(piece, (max(0, -begin), max(0, end - mono.size)))
    return np.lib.stride_tricks.sliding_window_view(piece, N_FFT)[::HOP_LENGTH]


def mel_to_uint8(
    power: npt.NDArray[np.float32], *, scale_of: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.uint8]:
    """Scale mel power (128, T) to the 0..255 picture of the data contract.

    Decibels relative to the maximum, floor at -80 dB, then min-max over the whole track. A track
    without any dynamic (silence) becomes all zeros.

    ``scale_of`` (128, any length) is another sound's power whose maximum and minimum are used
    instead, so that a part of that sound keeps its level in the picture; what lies beyond is cut.
    """
    whole = power if scale_of is None else scale_of
    reference = float(whole.max())
    if reference <= 0.0:
        return np.zeros(power.shape, dtype=np.uint8)
    low = float(_decibels(whole.min(keepdims=True), reference).min())
    if low >= 0.0:
        return np.zeros(power.shape, dtype=np.uint8)
    decibels = np.clip(_decibels(power, reference), low, 0.0)
    return np.round((decibels - low) * (255.0 / -low)).astype(np.uint8)


def _decibels(power: npt.NDArray[np.float32], reference: float) -> npt.NDArray[np.float32]:
    floor = 1e-10 * min(1.0, reference)
    decibels = np.empty_like(power)
    np.log10(np.maximum(power, floor) / reference, out=decibels)
    decibels *= 10.0
    np.maximum(decibels, -TOP_DB, out=decibels)
    return decibels


def as_picture_of_its_own(piece: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A stretch (128, n) of a track's picture as if that stretch were all that there is.

    A picture is scaled to its own loudest and quietest cell: a clip of a quiet passage looks
    brighter on its own. What lies below the track's floor stays unknown.
    """
    decibels = piece.astype(np.float32) * (TOP_DB / 255.0)
    decibels = np.maximum(decibels - decibels.max(), -TOP_DB)
    low = float(decibels.min())
    if low >= 0.0:
        return np.zeros(piece.shape, dtype=np.uint8)
    return np.round((decibels - low) * (255.0 / -low)).astype(np.uint8)


def log_mel(mono: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Mel picture (128, T) uint8 of a 22,050 Hz mono signal (see the module's contract)."""
    return mel_to_uint8(mel_power(mono))
