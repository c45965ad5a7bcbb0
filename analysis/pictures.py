"""Pictures of a report: mel spectrogram and heat map, as PNG bytes."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from analysis.sound.mel import N_MELS, mel_edges_hz

MAX_COLUMNS = 4_096
# Heat maps of the likeliest genres, the first one first.
HEAT_FILES = ("heat.png", "heat-2.png", "heat-3.png")
MEL_TICKS_HZ = (60, 250, 500, 1_000, 2_000, 4_000, 8_000)

# Control points of the colour map (position, red, green, blue): night blue through violet and
# amber to near white; lightness rises evenly so that it reads in greyscale too.
_COLOURS = np.array(
    [
        (0.00, 10, 12, 20),
        (0.25, 36, 28, 84),
        (0.50, 122, 40, 110),
        (0.70, 214, 88, 74),
        (0.88, 250, 178, 90),
        (1.00, 255, 246, 214),
    ]
)
_HEAT_COLOUR = (64, 224, 208)
HEAT_FULL_ALPHA = 235
HEAT_CURVE = 0.8
"""Opacity (of 255) of what is hottest, and the power that lifts what is warm."""


def _palette() -> npt.NDArray[np.uint8]:
    """Lookup table (256, 3)."""
    position = np.linspace(0, 1, 256)
    channels = [np.interp(position, _COLOURS[:, 0], _COLOURS[:, i]) for i in (1, 2, 3)]
    return np.stack(channels, axis=1).astype(np.uint8)


def at_most(values: npt.NDArray[np.float32], columns: int) -> npt.NDArray[np.float32]:
    """Average neighbouring columns of (rows, T) until there are at most ``columns``."""
    if values.shape[1] <= columns:
        return values
    edges = np.linspace(0, values.shape[1], columns + 1).astype(int)
    means = np.add.reduceat(values, edges[:-1], axis=1) / np.diff(edges)
    return means.astype(np.float32)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def spectrogram_png(mel: npt.NDArray[np.uint8]) -> bytes:
    """Mel picture (128, T) uint8 as an RGB PNG, low frequencies at the bottom."""
    values = at_most(mel.astype(np.float32), MAX_COLUMNS)
    return _png(Image.fromarray(_palette()[values.astype(np.uint8)[::-1]], mode="RGB"))


def heat_png(heat: npt.NDArray[np.float32]) -> bytes:
    """Heat map (128, T) in 0..1 as a PNG to lay over the spectrogram: one colour, heat as alpha.

    A single spike shall not leave all the rest in the dark: what is as hot as the hottest 1 % is
    drawn full, and the curve lifts what is warm.
    """
    values = at_most(heat, MAX_COLUMNS)[::-1]
    full = float(np.quantile(values, 0.99)) or 1.0
    picture = np.empty((*values.shape, 4), dtype=np.uint8)
    picture[..., :3] = _HEAT_COLOUR
    picture[..., 3] = np.clip(values / full, 0, 1) ** HEAT_CURVE * HEAT_FULL_ALPHA
    return _png(Image.fromarray(picture, mode="RGBA"))


def overlay_png(spectrogram: bytes, heat: bytes) -> bytes:
    """Heat laid over the spectrogram, which is greyed so that it stands out: one flat PNG, at least
    900 pixels wide and 384 high."""
    below = Image.open(io.BytesIO(spectrogram)).convert("L").point(lambda light: light * 0.7)
    below = below.convert("RGBA")
    flat = Image.alpha_composite(below, Image.open(io.BytesIO(heat))).convert("RGB")
    return _png(flat.resize((max(900, flat.width), 384), Image.Resampling.BILINEAR))


def waveform_png(minima: list[float], maxima: list[float]) -> bytes:
    """Waveform from peak pairs in -1..1, 160 pixels high."""
    height = 160
    rows = np.arange(height)[:, None]
    top = (1 - np.array(maxima)[None]) / 2 * (height - 1)
    bottom = (1 - np.array(minima)[None]) / 2 * (height - 1)
    inside = (rows >= np.floor(top)) & (rows <= np.ceil(bottom))
    picture = np.where(inside[..., None], (64, 224, 208), (16, 18, 26)).astype(np.uint8)
    return _png(Image.fromarray(picture, mode="RGB"))


def mel_height(hz: float) -> float:
    """Height of a frequency on the mel picture, as a share (0 bottom, 1 top)."""
    at = float(np.interp(hz, mel_edges_hz(), np.arange(N_MELS + 2)))
    return min(max((at - 0.5) / N_MELS, 0.0), 1.0)


def mel_ticks() -> list[dict[str, float]]:
    """Labels of the mel axis: frequency in Hz and height as a share (0 bottom, 1 top)."""
    return [{"hz": hz, "fraction": mel_height(hz)} for hz in MEL_TICKS_HZ]
