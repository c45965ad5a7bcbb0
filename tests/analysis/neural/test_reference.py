"""Percentiles of a reference corpus, against SciPy's."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import percentileofscore

from analysis.neural.reference import Reference


@pytest.fixture(scope="module")
def values():
    """Two features of 639 made-up tracks: one spread evenly, one crowded at one end."""
    generator = np.random.default_rng(5)
    return {
        "even": generator.uniform(0, 1, 639).astype(np.float32),
        "crowded": generator.beta(0.5, 4, 639).astype(np.float32),
    }


def test_percentiles_are_those_of_all_the_tracks(values):
    reference = Reference.of(values, corpus="made up", genres=3)
    for name, column in values.items():
        for value in np.linspace(0.02, 0.98, 41):
            expected = percentileofscore(column, value)
            assert reference.percentile(name, float(value)) == pytest.approx(expected, abs=1.0)


def test_ends_are_0_and_100(values):
    reference = Reference.of(values, corpus="made up", genres=3)
    assert reference.percentile("even", -1.0) == 0.0
    assert reference.percentile("even", 2.0) == 100.0


def test_equal_tracks_count_half():
    columns = {"x": np.array([0.2] * 30 + [0.7] * 70, dtype=np.float32)}
    reference = Reference.of(columns, corpus="made up", genres=1)
    for value in (0.2, 0.7):
        column = columns["x"].astype(float).round(5)
        expected = percentileofscore(column, value, kind="mean")
        assert reference.percentile("x", value) == pytest.approx(expected, abs=1.0)


def test_it_comes_back_from_a_manifest_as_it_was(values):
    reference = Reference.of(values, corpus="made up", genres=3)
    again = Reference.from_settings(json.loads(json.dumps(reference.settings())))
    assert again == reference
    assert again.tracks == 639
    with pytest.raises(KeyError):
        Reference.from_settings({"labels": ["a"]})
