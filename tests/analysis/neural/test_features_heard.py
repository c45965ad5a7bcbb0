"""What the shipped feature head hears, on music that it was not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest

from analysis.neural.ears import Ears, HeardTrack, load_ears
from analysis.neural.listener import FEATURE_NAMES
from analysis.sound.mel import log_mel
from tests.analysis.neural.listeners import trunk_alone
from tests.analysis.sound.demo_truth import demo_tracks, measured
from tests.analysis.sound.test_music import area_under_curve

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "gtzan_mel"


@pytest.fixture(scope="module")
def ears() -> Ears:
    """The features are the trunk's: no other listener has to hear the pictures."""
    return trunk_alone(load_ears())


@pytest.fixture(scope="module")
def heard(ears: Ears) -> list[HeardTrack]:
    return [ears.hear(log_mel(measured(track.path).mono_22k)) for track in demo_tracks()]


@pytest.mark.parametrize(
    ("feature", "field", "higher", "lower", "least"),
    [
        ("energy", "mood", "energetic", "calm", 0.9),
        ("acousticness", "style", "acoustic", "electronic", 0.9),
        ("valence", "mood", "happy", "nostalgic", 0.8),
    ],
)
def test_the_demo_tracks_are_told_apart(heard, feature, field, higher, lower, least):
    def values(kind: str) -> list[float]:
        return [
            track.features[feature]
            for track, about in zip(heard, demo_tracks(), strict=True)
            if getattr(about, field) == kind
        ]

    assert area_under_curve(values(higher), values(lower)) >= least


def test_features_and_percentiles_rise_together(heard):
    for name in FEATURE_NAMES:
        order = np.argsort([track.features[name] for track in heard])
        percentiles = np.array([track.feature_percentiles[name] for track in heard])[order]
        assert (np.diff(percentiles) >= 0).all()
        assert percentiles[0] >= 0
        assert percentiles[-1] <= 100


def test_the_other_listener_has_no_part_in_them(ears):
    picture = log_mel(measured(demo_tracks()[0].path).mono_22k)[:, :200]
    assert ears.hear(picture).features == load_ears().hear(picture).features


def test_shipped_weights_say_what_the_percentiles_refer_to():
    reference = load_ears().reference
    assert (reference.tracks, reference.genres) == (639, 10)
    for name in FEATURE_NAMES:
        points = np.array(reference.quantiles[name])
        assert points.size == 101
        assert (np.diff(points) >= 0).all()
        assert 0.0 <= points[0] < points[-1] <= 1.0


@pytest.mark.skipif(not DATA.is_dir(), reason="the research data (gtzan_mel) is not here")
@pytest.mark.data
def test_the_references_own_tracks_are_spread_over_all_percentiles(ears):
    with np.load(DATA / "train.npz") as train, np.load(DATA / "valid.npz") as valid:
        pictures = np.concatenate([train["mel"][::9], valid["mel"][::9]])
    placed = [ears.hear(picture).feature_percentiles for picture in pictures]
    for name in FEATURE_NAMES:
        shares = [place[name] / 100 for place in placed]
        assert kstest(shares, "uniform").pvalue > 0.001
