"""From a stored heat map back to numbers: the inverse of :func:`analysis.pictures.heat_png`."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from analysis.pictures import HEAT_CURVE, HEAT_FULL_ALPHA, at_most
from analysis.sound.mel import HOP_LENGTH, N_MELS, SAMPLE_RATE, mel_edges_hz


@dataclass(frozen=True)
class HeatArray:
    """``values`` (128 bands, the lowest first, each with ``columns`` numbers 0..1, thousandths):
    1 is as hot as the hottest 1 % of the track. ``column_s`` is what a column spans;
    ``picture_columns`` is how many the picture has, and no array has more."""

    values: list[list[float]]
    bands_hz: list[float]
    column_s: float
    columns: int
    picture_columns: int


def read_heat(png: bytes, *, duration_s: float, most_columns: int) -> HeatArray:
    """A heat map's numbers out of its picture, neighbouring columns averaged until there are at
    most ``most_columns``; exact to half a shade of the picture's 235.

    ``duration_s`` is that of the decoded sound, in seconds.
    """
    alpha = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))[::-1, :, 3]
    heat = (alpha.astype(np.float32) / HEAT_FULL_ALPHA) ** (1.0 / HEAT_CURVE)
    shown = at_most(np.clip(heat, 0.0, 1.0), most_columns)
    frames = 1 + int(duration_s * SAMPLE_RATE) // HOP_LENGTH
    spanned = max(frames, alpha.shape[1]) * HOP_LENGTH / SAMPLE_RATE
    return HeatArray(
        values=np.round(shown.astype(np.float64), 3).tolist(),
        bands_hz=[round(float(hz), 1) for hz in mel_edges_hz()[1 : N_MELS + 1]],
        column_s=round(spanned / shown.shape[1], 5),
        columns=shown.shape[1],
        picture_columns=alpha.shape[1],
    )
