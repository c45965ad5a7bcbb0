"""A tiny training run: learns, and ships files that load and answer like what was trained."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from analysis.neural.ears import Ears
from analysis.neural.weights import find, read_from
from analysis.training.datasets import check_artists_apart
from analysis.training.features import FeatureData, fit_features
from analysis.training.genre import Recipe, hear_tracks, train_trunk
from analysis.training.head_shipping import with_features
from analysis.training.heads import EmbeddingRecipe
from analysis.training.shipping import Provenance, fit_and_measure, ship
from tests.analysis.training.corpora import two_genres


def test_shipped_files_answer_like_the_trained_network(tmp_path, monkeypatch):
    train, validation = two_genres(0, "a"), two_genres(1, "b")
    trunk_recipe = Recipe(epochs=8, crops_per_track=2, batch_size=12, ema_decay=0.5, seed=1)
    network = train_trunk(train, recipe=trunk_recipe, run_dir=tmp_path / "run", device="cpu")
    recipe = EmbeddingRecipe(windows_per_track=2, epochs=1)
    evaluated = fit_and_measure(network, train, validation, recipe=recipe)
    assert evaluated.figures["accuracy"] >= 0.9
    made = Provenance(version="9.9.9", source="test", recipe={"embedding": asdict(recipe)})
    ship(evaluated, folder=tmp_path / "out", labels=train.names, made=made)
    targets = np.random.default_rng(0).uniform(0.2, 0.8, (len(train), 4))
    features = FeatureData(train.mel, targets, train.artists, source="test")
    fit = fit_features(network, features, reference=validation.mel, corpus="test", genres=2)
    with_features(read_from(tmp_path / "out", "ears"), network, fit, out=tmp_path / "out")
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "out"))
    ears = Ears(find("ears"))
    assert ears.labels == ["high", "low"]
    logits, _, _ = hear_tracks(network, validation.mel[:2], device=torch.device("cpu"), hop=48)
    expected = torch.softmax(torch.from_numpy(logits) / evaluated.temperature, dim=1)
    for picture, row in zip(validation.mel[:2], expected, strict=True):
        np.testing.assert_allclose(ears.predict(picture).probabilities, row, atol=0.02)
    assert "9.9.9" in (tmp_path / "out" / "ears.md").read_text()


def test_artists_on_both_sides_are_noticed():
    with pytest.raises(ValueError, match="both splits"):
        check_artists_apart(two_genres(0, "a"), two_genres(1, "a"))
