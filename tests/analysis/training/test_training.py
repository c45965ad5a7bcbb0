"""A tiny training run: learns, resumes to the same weights, ships files that load."""

import numpy as np
import pytest
import torch

from analysis.neural.ears import Ears
from analysis.neural.weights import find
from analysis.training.augment import Augmentation, mixup, random_window
from analysis.training.datasets import MelCorpus, check_artists_apart
from analysis.training.genre import Recipe, hear_tracks, train_trunk
from analysis.training.heads import EmbeddingRecipe
from analysis.training.shipping import fit_and_measure, ship


def corpus(seed: int, artists: str) -> MelCorpus:
    """Two genres that anybody can tell apart: low and high tones."""
    generator = np.random.default_rng(seed)
    labels = np.array([0, 1] * 6)
    mel = generator.integers(0, 90, (12, 128, 160), dtype=np.uint8)
    for picture, label in zip(mel, labels, strict=True):
        picture[20 + 60 * label : 40 + 60 * label] += 150
    return MelCorpus(
        ids=[f"{artists}{i}" for i in range(12)],
        mel=mel,
        labels=labels,
        names=["high", "low"],
        artists=[f"{artists}{i // 2}" for i in range(12)],
    )


RECIPE = Recipe(epochs=2, crops_per_track=1, batch_size=6, seed=1)


def test_a_killed_run_ends_with_the_same_weights(tmp_path):
    data = corpus(0, "a")
    torch.set_num_threads(1)
    whole = train_trunk(data, recipe=RECIPE, run_dir=tmp_path / "whole", device="cpu")

    class Killed(Exception):
        pass

    import analysis.training.genre as module

    original = module._train_epoch
    calls = []

    def dies_in_second_epoch(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return original(*args, **kwargs)

    module._train_epoch = dies_in_second_epoch
    try:
        with pytest.raises(Killed):
            train_trunk(data, recipe=RECIPE, run_dir=tmp_path / "cut", device="cpu")
    finally:
        module._train_epoch = original
    resumed = train_trunk(data, recipe=RECIPE, run_dir=tmp_path / "cut", device="cpu")
    for one, two in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, two)


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path):
    data = corpus(0, "a")
    train_trunk(data, recipe=Recipe(epochs=1, crops_per_track=1), run_dir=tmp_path, device="cpu")
    with pytest.raises(ValueError, match="another recipe"):
        train_trunk(data, recipe=Recipe(epochs=2), run_dir=tmp_path, device="cpu")


def test_shipped_files_answer_like_the_trained_network(tmp_path, monkeypatch):
    train, validation = corpus(0, "a"), corpus(1, "b")
    network = train_trunk(
        train,
        recipe=Recipe(epochs=12, crops_per_track=2, batch_size=12, ema_decay=0.5, seed=1),
        run_dir=tmp_path / "run",
        device="cpu",
    )
    recipe = EmbeddingRecipe(windows_per_track=2, epochs=1)
    evaluated = fit_and_measure(network, train, validation, recipe=recipe)
    assert evaluated.figures["accuracy"] >= 0.9
    ship(
        evaluated,
        folder=tmp_path / "out",
        labels=train.names,
        version="9.9.9",
        source="test",
        recipe=RECIPE,
        embedding_recipe=recipe,
    )
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "out"))
    ears = Ears(find("ears"))
    assert ears.labels == ["high", "low"]
    logits, _, _ = hear_tracks(network, validation.mel[:2], device=torch.device("cpu"), hop=48)
    expected = torch.softmax(torch.from_numpy(logits) / evaluated.temperature, dim=1)
    for picture, row in zip(validation.mel[:2], expected, strict=True):
        np.testing.assert_allclose(ears.predict(picture)[0], row, atol=0.02)
    assert "9.9.9" in (tmp_path / "out" / "ears.md").read_text()


def test_artists_on_both_sides_are_noticed():
    with pytest.raises(ValueError, match="both splits"):
        check_artists_apart(corpus(0, "a"), corpus(1, "a"))


def test_augmented_windows_stay_pictures():
    generator = torch.Generator().manual_seed(0)
    picture = torch.randint(0, 256, (128, 387), dtype=torch.uint8, generator=generator)
    for _ in range(50):
        window = random_window(picture, augmentation=Augmentation(), generator=generator)
        assert window.shape == (128, 128)
        assert 0.0 <= float(window.min()) <= float(window.max()) <= 1.0


def test_mixup_keeps_targets_distributions():
    generator = torch.Generator().manual_seed(0)
    windows, targets = torch.rand(8, 1, 4, 4), torch.eye(8)
    mixed, soft = mixup(windows, targets, alpha=0.4, generator=generator)
    torch.testing.assert_close(soft.sum(1), torch.ones(8))
    assert (soft.max(1).values >= 0.5).all()
    assert mixed.shape == windows.shape
