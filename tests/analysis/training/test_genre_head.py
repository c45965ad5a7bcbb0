"""A genre head on a trunk that stays as it is."""

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from analysis.neural.listener import ListeningNetwork
from analysis.sound.mel import as_picture_of_its_own, log_mel
from analysis.training.genre import hear_tracks
from analysis.training.genre_head import Examples, HeadRecipe, examples_of, fit_genre_head
from tests.analysis.training.corpora import two_genres


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return ListeningNetwork(2).eval()


def test_a_head_alone_tells_what_the_trunk_can_hear(network):
    train, other = two_genres(0, "a"), two_genres(1, "b")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    recipe = HeadRecipe(shrinkage=0.5)
    examples = examples_of(network, list(train.pictures()), recipe=recipe)
    fit_genre_head(network, examples, train.labels, recipe=recipe)
    logits, _, _ = hear_tracks(network, other.mel, device=torch.device("cpu"))
    assert (logits.argmax(1) == other.labels).mean() == 1.0
    for name, value in network.state_dict().items():
        assert name.startswith("genre.") or torch.equal(value, before[name])


def test_windows_and_clips_of_a_track_weigh_as_much_as_those_of_any_other(network):
    pictures = [*two_genres(0, "a", tracks=2).pictures(), np.zeros((128, 30), np.uint8)]
    examples = examples_of(network, pictures, recipe=HeadRecipe())
    by_track = np.bincount(examples.track, weights=examples.weight)
    np.testing.assert_allclose(by_track, 1.0, rtol=1e-6)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_head_is_scikit_learns_discriminant_on_standardised_features(classes):
    generator = np.random.default_rng(0)
    labels = np.arange(80) % classes
    pooled = generator.normal(3, 2, (80, 512)).astype("f4")
    pooled[:, :classes] += 4 * np.eye(classes)[labels]
    examples = Examples(pooled, np.arange(80), np.full(80, 0.5, "f4"))
    network = ListeningNetwork(classes).eval()
    fit_genre_head(network, examples, labels, recipe=HeadRecipe(shrinkage=0.4))
    scaled = (pooled - pooled.mean(0)) / (pooled.std(0) + 1e-6)
    # Its own scaling, by the scatter within classes, undone: it shrinks what it is given.
    within = np.concatenate(
        [scaled[labels == c] - scaled[labels == c].mean(0) for c in range(classes)]
    )
    covariance = within.T @ within / 80
    covariance = 0.6 * covariance + 0.4 * np.trace(covariance) / 512 * np.eye(512)
    expected = LinearDiscriminantAnalysis(
        solver="lsqr", covariance_estimator=Given(covariance), priors=np.ones(classes) / classes
    ).fit(scaled, labels)
    with torch.inference_mode():
        found = torch.softmax(network.genre(torch.from_numpy(pooled)), dim=1)
    np.testing.assert_allclose(found, expected.predict_proba(scaled), atol=2e-3)


def test_a_track_of_many_windows_weighs_as_much_as_one_of_few(network):
    generator = np.random.default_rng(0)
    pooled = generator.normal(0, 1, (40, 512)).astype("f4")
    once = Examples(pooled, np.arange(40), np.ones(40, "f4"))
    often = Examples(
        np.concatenate([pooled, pooled[:10], pooled[:10]]),
        np.concatenate([np.arange(40), np.arange(10), np.arange(10)]),
        np.concatenate([np.full(10, 1 / 3), np.ones(30), np.full(20, 1 / 3)]).astype("f4"),
    )
    weights = []
    for examples in (once, often):
        fit_genre_head(network, examples, np.arange(40) % 2, recipe=HeadRecipe())
        weights.append(network.genre.weight.detach().clone())
    torch.testing.assert_close(*weights, atol=1e-5, rtol=1e-3)


class Given:
    """A covariance estimator that has made up its mind."""

    def __init__(self, covariance):
        self.covariance_ = covariance

    def fit(self, points):
        return self


def test_a_class_without_tracks_is_refused(network):
    examples = Examples(np.zeros((2, 512), "f4"), np.arange(2), np.ones(2, "f4"))
    with pytest.raises(ValueError, match="no track of the classes \\[1\\]"):
        fit_genre_head(network, examples, np.zeros(2, np.int64), recipe=HeadRecipe())


def test_a_clip_looks_as_it_would_on_its_own():
    """Cut from the picture, or cut from the sound: the same, but for the edges' padding."""
    generator = np.random.default_rng(1)
    t = np.arange(22_050 * 12) / 22_050
    sound = 0.5 * np.sin(2 * np.pi * 440 * t) + 0.001 * generator.normal(size=t.size)
    # Quiet in the middle, loud elsewhere: the track's scale hides half of the clip's range.
    sound *= np.where((t > 4) & (t < 8), 0.02, 1.0)
    sound = sound.astype("f4")
    clip = sound[1_709 * 60 : 1_709 * 90]
    of_sound = log_mel(clip)[:, 3:27].astype(int)
    of_picture = as_picture_of_its_own(log_mel(sound)[:, 60:90])[:, 3:27].astype(int)
    track_scale = log_mel(sound)[:, 63:87].astype(int)
    audible = of_picture > 0
    assert np.abs(of_sound - of_picture)[audible].mean() < 20
    assert np.abs(of_sound - track_scale)[audible].mean() > 40
