"""A second listener for sound: what a tagger hears in each of the trunk's windows.

A mel picture has a column every 77.5 ms, and of a clip of two or three seconds that is little. The
tagger (MusiCNN, trained on the Million Song Dataset) hears 3 s at a column every 16 ms. Of a
picture without its sound others speak in its place, which have been retrained to answer from the
picture as they did from the sound (:mod:`analysis.training.picture_teacher`): MusiCNN, and YAMNet
(trained on AudioSet) where the weights have it.

The features join the trunk's in two places
(:class:`~analysis.neural.listener.CompanionHeads`): the genre's logits are added up, a product of
experts (Hinton 2002), and the place in the similarity space is a linear map of both listeners' unit
vectors, laid side by side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import soxr
import torch
from torch import Tensor

from analysis.neural.front_ends import front_end_of
from analysis.neural.imagination import PATCH_COLUMNS, patches_of
from analysis.neural.listener import WINDOW_COLUMNS
from analysis.neural.taggers import (
    HOP_LENGTH,
    PATCH_FRAMES,
    SAMPLE_RATE,
    MusiCNN,
    Tagger,
    log_mel_patches,
)
from analysis.neural.windows import SHORT_TRACK_COLUMNS, wide_enough, window_starts
from analysis.sound import mel

Float = npt.NDArray[np.float32]

# The tagger minds the level. Most mastered music lies a few decibels around this one.
LEVEL_DBFS = -18.0
_SILENCE = 1e-6
_PATCH = PATCH_FRAMES * HOP_LENGTH  # samples at 16 kHz
_MARGIN = 0.05  # of a second beside the patch, so that resampling has no edges in it
_PIECE = math.ceil((_PATCH / SAMPLE_RATE + 2 * _MARGIN) * mel.SAMPLE_RATE)
# Between the middles of patches.
_SHORT_SPACING = 3.3 * mel.SAMPLE_RATE
_SPACING = 9.9 * mel.SAMPLE_RATE
_BATCH = 1
_PICTURE_BATCH = 16


class WindowTagger:
    """Hears patches of 3 s, evenly spread: nearly all of a short sound, a third of a song."""

    def __init__(self, tagger: MusiCNN) -> None:
        self._tagger = tagger.eval().requires_grad_(False)

    @torch.inference_mode()
    def hear(self, mono: Float, *, level_of: Float | None = None) -> Float:
        """Features (n, 200) of a 22,050 Hz mono signal, one row a window of its mel picture: the
        mean over the patches whose middle lies in it.

        The sound is brought to -18 dBFS, or by the gain that brings ``level_of`` there: a part of
        a mix then stays as quiet as it is in the mix. Raises ValueError for an empty signal.
        """
        if mono.ndim != 1 or mono.size == 0:
            raise ValueError(f"expected a non-empty one-dimensional signal, got {mono.shape}")
        gain = _gain(mono if level_of is None else level_of)
        centres = patch_centres(mono.size)
        patches = [_patch(gain * _piece(mono, centre)) for centre in centres]
        heard = torch.cat(
            [
                self._tagger(torch.cat(patches[at : at + _BATCH]))[1]
                for at in range(0, len(patches), _BATCH)
            ]
        ).numpy()
        columns = max(WINDOW_COLUMNS, 1 + mono.size // mel.HOP_LENGTH)
        return _by_window(heard, centres / mel.HOP_LENGTH, window_starts(columns))


@torch.inference_mode()
def hear_picture(taggers: Sequence[Tagger], picture: npt.NDArray[np.uint8]) -> Float:
    """Features (n, d), side by side, of the windows of a mel picture (128, T), by taggers that have
    been retrained to hear pictures. They hear places of 3 s, spread as those of a sound are."""
    filled = wide_enough(picture)
    centres = patch_centres(filled.shape[1] * mel.HOP_LENGTH) / mel.HOP_LENGTH
    begins = (centres - PATCH_COLUMNS / 2).round().astype(int)
    begins = begins.clip(0, filled.shape[1] - PATCH_COLUMNS)
    pieces = [filled[:, begin : begin + PATCH_COLUMNS] for begin in begins.tolist()]
    heard: list[Tensor] = []
    for at in range(0, len(pieces), _PICTURE_BATCH):
        few = torch.from_numpy(np.stack(pieces[at : at + _PICTURE_BATCH])) / 255.0
        heard.append(torch.cat([_heard_at(tagger, few) for tagger in taggers], dim=1))
    return _by_window(torch.cat(heard).numpy(), centres, window_starts(filled.shape[1]))


def _heard_at(tagger: Tagger, places: Tensor) -> Tensor:
    """Features (n, d) of places (n, 128, 40) of a picture: the mean over the patches in each."""
    front = front_end_of(tagger)
    patches = patches_of(front.imagine(places), front.patch_frames)
    features: Tensor = tagger(patches.flatten(0, 1))[1]
    return features.unflatten(0, patches.shape[:2]).mean(dim=1)


def _by_window(heard: Float, centres: npt.NDArray[np.float64], starts: Sequence[int]) -> Float:
    """Features (n, d) of windows that begin at ``starts``: of each the mean over the patches whose
    middle, in columns, lies in it, or the nearest one's."""
    rows: list[Float] = []
    for start in starts:
        apart = np.abs(centres - start - WINDOW_COLUMNS / 2)
        inside = apart <= max(WINDOW_COLUMNS / 2, apart.min())
        rows.append(heard[inside].mean(axis=0))
    return np.stack(rows)


def patch_centres(samples: int) -> npt.NDArray[np.float64]:
    """Middles of the patches that are heard of a sound, in samples at 22,050 Hz."""
    spacing = _SPACING if samples >= SHORT_TRACK_COLUMNS * mel.HOP_LENGTH else _SHORT_SPACING
    count = max(1, round(samples / spacing))
    return (np.arange(count) + 0.5) / count * samples


def _gain(mono: Float) -> np.float32:
    level = math.sqrt(float(np.dot(mono, mono)) / mono.size)
    return np.float32(10.0 ** (LEVEL_DBFS / 20.0) / max(level, _SILENCE))


def _piece(mono: Float, centre: float) -> Float:
    """The sound around a place; one that is too short is repeated."""
    if mono.size < _PIECE:
        return np.tile(mono, -(-_PIECE // mono.size))[:_PIECE]
    begin = min(max(0, round(centre - _PIECE / 2)), mono.size - _PIECE)
    return mono[begin : begin + _PIECE]


def _patch(piece: Float) -> Tensor:
    """One patch (1, 187, 96) from the middle of a piece."""
    sound = soxr.resample(piece, mel.SAMPLE_RATE, SAMPLE_RATE)
    begin = (sound.size - _PATCH) // 2
    return log_mel_patches(sound[begin : begin + _PATCH])[:1]
