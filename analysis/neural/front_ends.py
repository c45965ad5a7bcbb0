"""How taggers take in sound, and pictures of it.

A tagger hears patches of frames. A front end makes the frames from sound, or from a mel picture as
far as they can be known from it, and mixes two sounds' frames as their sound would mix. Frames are
free of the level: the loudest cell of each excerpt has the amplitude that it has in a usual
recording. The picture does not know the level, so nothing that hangs on it is asked for.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import numpy as np
import numpy.typing as npt
import soxr
import torch
from torch import Tensor

from analysis.neural import imagination, taggers, yamnet
from analysis.neural.imagination import LOUDEST_CELL, LOUDEST_FRAME
from analysis.neural.taggers import Tagger
from analysis.neural.yamnet import YAMNet
from analysis.sound import mel
from analysis.sound.mel import COLUMNS_PER_SECOND, TOP_DB, mel_edges_hz

Float = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]


class FrontEnd(Protocol):
    """Frames of ``bands`` bands, ``frames_per_second`` of them a second, heard in patches of
    ``patch_frames``. ``name`` is that of the kind."""

    name: str
    bands: int
    patch_frames: int
    frames_per_second: float

    def kept(self, mono: Float) -> UInt8:
        """Frames (T, bands) of a 22,050 Hz mono signal, scaled to 0..255 to be kept."""

    def frames(self, kept: Tensor) -> Tensor:
        """Frames as the tagger hears them, from those that were :meth:`kept`."""

    def imagine(self, windows: Tensor) -> Tensor:
        """Frames (n, T, bands) of pictures (n, 128, width) in 0..1."""

    def mixed(self, first: Tensor, second: Tensor, gain_db: Tensor) -> Tensor:
        """Frames (n, T, bands) of two sounds at once, the second at ``gain_db`` (n,)."""


class OfMusiCNN:
    """That of the taggers of musicnn: :mod:`analysis.neural.imagination`."""

    name = "musicnn"
    bands = taggers.N_MELS
    patch_frames = taggers.PATCH_FRAMES
    frames_per_second = taggers.FRAMES_PER_SECOND

    def kept(self, mono: Float) -> UInt8:
        power = taggers.mel_frames(soxr.resample(mono, mel.SAMPLE_RATE, taggers.SAMPLE_RATE))
        scaled = taggers.compressed(power * (LOUDEST_CELL / power.max().clamp(min=1e-12)))
        return (scaled * (255.0 / LOUDEST_FRAME)).round().to(torch.uint8).numpy()

    def frames(self, kept: Tensor) -> Tensor:
        return kept.to(torch.float32) * (LOUDEST_FRAME / 255.0)

    def imagine(self, windows: Tensor) -> Tensor:
        return imagination.imagine(windows)

    def mixed(self, first: Tensor, second: Tensor, gain_db: Tensor) -> Tensor:
        share = 10.0 ** (gain_db[:, None, None] / 10.0)
        power = (10.0**first + share * 10.0**second) / (1.0 + share)
        return taggers.compressed(power / 10_000.0)


# Amplitude of YAMNet's loudest mel cell in real recordings: the median over 20 tracks of GTZAN.
LOUDEST_AMPLITUDE = 39.0
_HIGHEST = float(np.log(LOUDEST_AMPLITUDE + 0.001))
_LOWEST = float(np.log(0.001))


class OfYAMNet:
    """That of YAMNet. Its bands count amplitudes and are as high as they are wide, those of a
    picture mean powers: what a band of a picture is raised by, the tagger has learned
    (``picture_gain``, :func:`picture_gain`)."""

    name = "yamnet"
    bands = yamnet.N_MELS
    patch_frames = yamnet.PATCH_FRAMES
    frames_per_second = yamnet.FRAMES_PER_SECOND

    def __init__(self, tagger: YAMNet) -> None:
        self._tagger = tagger

    def kept(self, mono: Float) -> UInt8:
        found = yamnet.mel_frames(soxr.resample(mono, mel.SAMPLE_RATE, yamnet.SAMPLE_RATE))
        frames = yamnet.compressed(found * (LOUDEST_AMPLITUDE / found.max().clamp(min=1e-9)))
        scaled = (frames - _LOWEST) * (255.0 / (_HIGHEST - _LOWEST))
        return scaled.round().clamp(0, 255).to(torch.uint8).numpy()

    def frames(self, kept: Tensor) -> Tensor:
        return kept.to(torch.float32) * ((_HIGHEST - _LOWEST) / 255.0) + _LOWEST

    def imagine(self, windows: Tensor) -> Tensor:
        nepers = (windows.to(torch.float32) - 1.0) * (TOP_DB * np.log(10.0) / 20.0)
        rows, columns = (
            torch.from_numpy(matrix).to(windows.device)
            for matrix in (_bands(windows.shape[1]), _frames(windows.shape[2]))
        )
        grid = columns @ (rows @ nepers).transpose(1, 2)
        return yamnet.compressed(LOUDEST_AMPLITUDE * (grid + self._tagger.picture_gain).exp())

    def mixed(self, first: Tensor, second: Tensor, gain_db: Tensor) -> Tensor:
        share = 10.0 ** (gain_db[:, None, None] / 10.0)
        power = yamnet.expanded(first).square() + share * yamnet.expanded(second).square()
        return yamnet.compressed((power / (1.0 + share)).sqrt())


def front_end_of(tagger: Tagger) -> FrontEnd:
    """How this tagger takes in sound."""
    return OfYAMNet(tagger) if isinstance(tagger, YAMNet) else OfMusiCNN()


def picture_gain(imagined: Tensor, heard: Tensor) -> Tensor:
    """What YAMNet's bands (64,) of a picture are to be raised by, in nepers, from frames (n, 64)
    imagined without and of the sound itself: their powers are then the same on the whole."""
    of_sound, of_picture = (
        yamnet.expanded(frames).square().mean(dim=0).clamp(min=1e-12)
        for frames in (heard, imagined)
    )
    return 0.5 * (of_sound / of_picture).log()


@cache
def _bands(n_bands: int) -> Float:
    """Matrix (64, n_bands) from the picture's bands to YAMNet's."""
    ours = mel_edges_hz(mel.SAMPLE_RATE, n_bands)[1:-1]
    places = np.interp(yamnet.band_centres_hz(), ours, np.arange(ours.size))
    return imagination.interpolation(places, n_bands)


@cache
def _frames(width: int) -> Float:
    """Matrix (frames, width) from the picture's columns, which are centred, to YAMNet's frames,
    which begin at their time."""
    begins = np.arange(0.0, width / COLUMNS_PER_SECOND, 1.0 / yamnet.FRAMES_PER_SECOND)
    return imagination.interpolation((begins + 0.0125) * COLUMNS_PER_SECOND, width)
