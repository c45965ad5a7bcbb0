"""A voice through a recipe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.sound.equaliser import Equaliser
from analysis.sound.timbre_simulation.air import breath, flutter
from analysis.sound.timbre_simulation.cleaning import clean
from analysis.sound.timbre_simulation.levels import Level, level_of, match
from analysis.sound.timbre_simulation.recipe import Recipe
from analysis.sound.timbre_simulation.saturation import saturate

DRIVEN_AT_LUFS = -30.0
"""A voice is brought to this loudness before the clipper, so that drive means the same for all, and
a drive of 0 dB bends next to nothing."""

Sound = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Simulated:
    """The rendered voice, shape (channels, n) as it came, and its levels beside the original's."""

    samples: Sound
    original: Level
    level: Level
    gain_db: float
    limited_db: float


def simulate(samples: Sound, sample_rate: int, recipe: Recipe, *, wet: float = 1.0) -> Simulated:
    """Render a recipe: as loud as the original, under the ceiling, sample on sample with it.

    Parameters
    ----------
    samples : voice, shape (1 or 2, n), full scale is 1
    sample_rate : in Hz
    wet : share of the changed voice, 0 to 1; the rest is the original

    Raises
    ------
    ValueError
        If the voice has more than two channels, or wet is not between 0 and 1.
    """
    if samples.ndim != 2 or samples.shape[0] not in (1, 2):
        raise ValueError(f"a voice has the shape (1 or 2, n), not {samples.shape}")
    if not 0.0 <= wet <= 1.0:
        raise ValueError(f"wet must be between 0 and 1, and is {wet}")
    dry = samples.astype(np.float32, copy=False)
    original = level_of(dry, sample_rate)
    if recipe.is_nothing or wet == 0.0 or original.integrated_lufs is None:
        return Simulated(dry.copy(), original, original, 0.0, 0.0)
    changed = _changed(dry, sample_rate, recipe, original.integrated_lufs)
    if wet < 1.0:
        changed = np.float32(wet) * changed + np.float32(1.0 - wet) * dry
    matched = match(changed, sample_rate, original)
    return Simulated(matched.samples, original, matched.level, matched.gain_db, matched.limited_db)


def _changed(dry: Sound, sample_rate: int, recipe: Recipe, loudness_lufs: float) -> Sound:
    voice = clean(dry, sample_rate, most_db=recipe.cleaning_db) if recipe.cleaning_db else dry
    voice = Equaliser(recipe.moves, sample_rate=sample_rate, channels=len(dry))(voice)
    if recipe.drive_db > 0.0:
        to_clipper = 10.0 ** ((recipe.drive_db + DRIVEN_AT_LUFS - loudness_lufs) / 20.0)
        voice = saturate(voice, sample_rate, drive=to_clipper, bias=recipe.bias)
    if recipe.flutter_depth:
        voice = voice * flutter(voice.shape[1], sample_rate, depth=recipe.flutter_depth)
    if recipe.breath_db is not None:
        voice = voice + breath(dry, sample_rate, level_db=recipe.breath_db)
    return voice
