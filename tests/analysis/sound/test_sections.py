"""Stretches that sound alike."""

from itertools import pairwise

import numpy as np
import pytest

from analysis.sound.mel import COLUMNS_PER_SECOND
from analysis.sound.sections import sections


def picture(*spectra: tuple[float, float], bands: int = 128):
    """Noise around a spectrum's slope for some seconds each."""
    generator = np.random.default_rng(4)
    parts = [
        np.linspace(120 + slope, 120 - slope, bands)[:, None]
        + generator.normal(0, 25, (bands, round(length * COLUMNS_PER_SECOND)))
        for slope, length in spectra
    ]
    return np.clip(np.concatenate(parts, axis=1), 0, 255).astype(np.uint8)


def test_a_change_of_sound_is_a_border():
    found = sections(picture((60, 21), (-40, 14), (30, 17)))
    borders = [start / COLUMNS_PER_SECOND for start, _ in found]
    for change in (21, 35):
        assert min(abs(border - change) for border in borders) < 0.5


@pytest.mark.parametrize("duration", [1, 12, 45, 200, 1_900])
def test_they_cover_the_track_and_keep_their_length(duration):
    mel = picture((20, duration))
    found = sections(mel)
    assert found[0][0] == 0
    assert found[-1][1] == mel.shape[1]
    assert all(before[1] == after[0] for before, after in pairwise(found))
    assert len(found) <= 24
    lengths = [(end - start) / COLUMNS_PER_SECOND for start, end in found]
    assert duration < 16 or min(lengths) >= 7.9
    assert max(lengths) <= max(16.1, 2 * duration / 24 + 0.2)


def test_an_empty_picture_is_refused():
    with pytest.raises(ValueError, match="mel picture"):
        sections(np.zeros((128, 0), dtype=np.uint8))
