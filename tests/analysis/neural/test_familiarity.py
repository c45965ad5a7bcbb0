"""Familiarity: uniform on known music, near zero on music from elsewhere."""

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from analysis.neural import familiarity


@pytest.fixture(scope="module")
def music():
    """Four genres, and a maker of tracks of given genres."""
    generator = np.random.default_rng(5)
    centres = generator.normal(0, 3, (4, 512))
    labels = np.repeat(np.arange(4), 100)

    def tracks(of=labels):
        return (centres[of] + generator.normal(0, 1, (len(of), 512))).astype("f4")

    return tracks, labels, generator


def test_fresh_known_music_is_spread_evenly(music):
    tracks, labels, _ = music
    fitted = familiarity.fit(tracks(), labels, tracks())
    scores = fitted.score(tracks())
    assert np.mean(scores < 0.1) == pytest.approx(0.1, abs=0.05)
    assert np.mean(scores) == pytest.approx(0.5, abs=0.06)


def test_a_genre_that_was_left_out_is_unfamiliar(music):
    tracks, labels, _ = music
    few = labels[labels < 3]
    fitted = familiarity.fit(tracks(few), few, tracks(few))
    strange = fitted.score(tracks(labels[labels == 3]))
    assert np.mean(strange < familiarity.UNFAMILIAR_BELOW) > 0.9


def test_distances_are_mahalanobis_distances(music):
    """Against scipy, in the space of the fit's own projection."""
    tracks, labels, _ = music
    known, some = tracks(), tracks()[:5]
    fitted = familiarity.fit(known, labels, tracks())
    into = (known - fitted.mean) @ fitted.project.T
    points = (some - fitted.mean) @ fitted.project.T

    def inverse(scatter):
        covariance = scatter.T @ scatter / len(scatter)
        ridge = 0.1 * np.trace(covariance) / len(covariance)
        return np.linalg.inv(covariance + ridge * np.eye(len(covariance)))

    centres = np.stack([into[labels == genre].mean(0) for genre in range(4)])
    within, whole = inverse(into - centres[labels]), inverse(into)
    for point, found in zip(points, fitted.distance(some), strict=True):
        near = min(mahalanobis(point, centre, within) ** 2 for centre in centres)
        both = np.array([near, near - mahalanobis(point, np.zeros(48), whole) ** 2])
        assert found == pytest.approx(((both - fitted.middle) / fitted.spread).sum(), rel=1e-3)


def test_numbers_survive_being_stored(music):
    tracks, labels, _ = music
    fitted = familiarity.fit(tracks(), labels, tracks())
    again = familiarity.Familiarity.from_arrays(fitted.arrays())
    some = tracks()
    np.testing.assert_array_equal(fitted.score(some), again.score(some))
