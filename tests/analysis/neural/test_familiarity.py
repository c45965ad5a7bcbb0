"""Familiarity: uniform on known music, near zero on music from elsewhere."""

import numpy as np
import pytest

from analysis.neural import familiarity


@pytest.fixture(scope="module")
def space():
    generator = np.random.default_rng(5)
    centres = generator.normal(0, 3, (4, 512))
    labels = np.repeat(np.arange(4), 100)
    known = centres[labels] + generator.normal(0, 1, (400, 512))
    held_out = centres[labels] + generator.normal(0, 1, (400, 512))
    return generator, centres, labels, known.astype("f4"), held_out.astype("f4")


def test_fresh_known_music_is_spread_evenly(space):
    generator, centres, labels, known, held_out = space
    fitted = familiarity.fit(known, labels, held_out)
    fresh = (centres[labels] + generator.normal(0, 1, (400, 512))).astype("f4")
    scores = fitted.score(fresh)
    assert np.mean(scores < 0.05) == pytest.approx(0.05, abs=0.04)
    assert np.mean(scores) == pytest.approx(0.5, abs=0.06)


def test_foreign_music_is_unfamiliar(space):
    generator, _, labels, known, held_out = space
    fitted = familiarity.fit(known, labels, held_out)
    foreign = (generator.normal(0, 3, (1, 512)) + generator.normal(0, 1, (200, 512))).astype("f4")
    assert np.mean(fitted.score(foreign) < familiarity.UNFAMILIAR_BELOW) > 0.95
