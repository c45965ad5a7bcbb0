"""Bootstrap over artists against what statistics says it must be."""

import numpy as np
import pytest

from analysis.training.intervals import mean_by_artist


def test_with_one_track_an_artist_it_is_the_ordinary_interval():
    values = np.random.default_rng(0).normal(3.0, 1.0, 400)
    found = mean_by_artist(values, [f"a{i}" for i in range(400)])
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.01)
    assert found.high == pytest.approx(values.mean() + half, abs=0.01)


def test_tracks_of_one_artist_count_as_one_draw():
    values = np.repeat(np.random.default_rng(1).normal(size=40), 10)
    by_artist = mean_by_artist(values, [f"a{i // 10}" for i in range(400)])
    by_track = mean_by_artist(values, [f"t{i}" for i in range(400)])
    ratio = (by_artist.high - by_artist.low) / (by_track.high - by_track.low)
    assert ratio == pytest.approx(np.sqrt(10), rel=0.1)


def test_unknown_values_are_left_out():
    found = mean_by_artist(np.array([1.0, np.nan, 3.0]), ["a", "b", "c"])
    assert (found.mean, found.low, found.high) == (2.0, 1.0, 3.0)
    assert np.isnan(mean_by_artist(np.array([np.nan]), ["a"]).mean)
