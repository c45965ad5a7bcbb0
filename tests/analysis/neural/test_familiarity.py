"""Familiarity: uniform on known music, near zero on music from elsewhere."""

import numpy as np
import pytest

from analysis.neural import familiarity


@pytest.fixture(scope="module")
def space():
    """Four genres in both looks at a track, and a maker of tracks of given genres."""
    generator = np.random.default_rng(5)
    centres = generator.normal(0, 3, (4, 256)), generator.normal(0, 3, (4, 512))
    labels = np.repeat(np.arange(4), 100)

    def tracks(of=labels):
        return tuple(
            (c[of] + generator.normal(0, 1, (len(of), c.shape[1]))).astype("f4") for c in centres
        )

    return tracks, labels, generator


def test_fresh_known_music_is_spread_evenly(space):
    tracks, labels, _ = space
    fitted = familiarity.fit(tracks(), labels, tracks())
    scores = fitted.score(*tracks())
    assert np.mean(scores < 0.1) == pytest.approx(0.1, abs=0.05)
    assert np.mean(scores) == pytest.approx(0.5, abs=0.06)


def test_foreign_music_is_unfamiliar_by_either_look(space):
    tracks, labels, generator = space
    fitted = familiarity.fit(tracks(), labels, tracks())
    statistics, pooled = tracks()
    for strange in (
        (statistics + generator.normal(0, 3, 256).astype("f4"), pooled),
        (statistics, pooled + generator.normal(0, 3, 512).astype("f4")),
    ):
        assert np.mean(fitted.score(*strange) < familiarity.UNFAMILIAR_BELOW) > 0.5


def test_numbers_survive_being_stored(space):
    tracks, labels, _ = space
    fitted = familiarity.fit(tracks(), labels, tracks())
    again = familiarity.Familiarity.from_arrays(fitted.arrays())
    some = tracks()
    np.testing.assert_array_equal(fitted.score(*some), again.score(*some))


def test_statistics_are_those_of_each_band():
    mel = np.random.default_rng(0).integers(0, 256, (128, 50), dtype=np.uint8)
    found = familiarity.mel_statistics(mel)
    np.testing.assert_allclose(found[:128], mel.mean(1) / 255, rtol=1e-5)
    np.testing.assert_allclose(found[128:], mel.std(1) / 255, rtol=1e-4)
