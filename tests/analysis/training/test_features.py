"""Fitting the feature head: groups held out whole, an exact solution, files that load."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from analysis.neural.ears import Ears, load_ears
from analysis.neural.listener import FEATURE_NAMES, ListeningNetwork
from analysis.neural.weights import WeightsUnavailable, find, read_from, write_manifest
from analysis.training.excerpts import Excerpt
from analysis.training.features import (
    FeatureData,
    FeatureRecipe,
    fit_features,
    folds_by_group,
    pool,
    r_squared,
    ridge,
)
from analysis.training.head_shipping import load_network, with_features


def pictures(count: int, *, seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Pictures whose lower half is as bright as their first feature says, and those features."""
    generator = np.random.default_rng(seed)
    targets = generator.uniform(0.1, 0.9, (count, 4))
    made = []
    for row in targets:
        picture = generator.integers(0, 40, (128, 128)).astype(np.float64)
        picture[:64] += 200 * row[0]
        made.append(picture.astype(np.uint8))
    return made, targets


@pytest.fixture(scope="module")
def network() -> ListeningNetwork:
    torch.manual_seed(3)
    return ListeningNetwork(10).eval()


@pytest.fixture(scope="module")
def data() -> FeatureData:
    made, targets = pictures(60, seed=1)
    return FeatureData(made, targets, [f"artist {i // 4}" for i in range(60)], "made up")


def test_a_group_is_held_out_whole():
    groups = ["big"] * 40 + [f"single {i}" for i in range(30)] + ["pair", "pair"]
    folds = folds_by_group(groups, count=5, seed=0)
    for name in set(groups):
        assert len({fold for fold, group in zip(folds, groups, strict=True) if group == name}) == 1
    assert set(folds) == set(range(5))
    sizes = np.bincount(folds)
    assert sizes.max() == 40
    np.testing.assert_array_equal(folds, folds_by_group(groups, count=5, seed=0))


def test_one_group_alone_cannot_be_held_out():
    with pytest.raises(ValueError, match="one group"):
        folds_by_group(["a", "a"], count=5, seed=0)


def test_explained_variance_is_scikit_learns():
    """Its documentation's example of r2_score: 0.948..."""
    assert r_squared(np.array([2.5, 0.0, 2, 8]), np.array([3, -0.5, 2, 7])) == pytest.approx(
        0.9486081370449679
    )


def test_the_solution_is_that_of_least_squares_with_the_penalty_as_rows():
    """Ridge as ordinary least squares on rows added for the penalty (Hastie et al., ex. 3.12)."""
    generator = np.random.default_rng(2)
    inputs = generator.normal(3, [1, 5, 0.2], (50, 3))
    targets = generator.normal(0, 1, (50, 2)) + inputs[:, :1]
    matrix, offset = ridge(inputs, targets, penalty=0.3)
    rows = np.column_stack([inputs, np.ones(50)])
    added = np.column_stack([np.diag(np.sqrt(0.3 * 50) * inputs.std(axis=0)), np.zeros(3)])
    expected, *_ = np.linalg.lstsq(
        np.vstack([rows, added]), np.vstack([targets, np.zeros((3, 2))]), rcond=None
    )
    np.testing.assert_allclose(matrix, expected[:3], rtol=1e-4)
    np.testing.assert_allclose(offset, expected[3], rtol=1e-4)


def test_what_can_be_heard_is_learnt_and_what_cannot_is_not_claimed(network, data):
    fit = fit_features(network, data, reference=data.pictures[:30], corpus="x", genres=2)
    assert fit.figures["energy"]["held_out_r2"] > 0.8
    assert fit.figures["valence"]["held_out_r2"] < 0.2
    new, truth = pictures(40, seed=9)
    felt = network.feel(torch.from_numpy(pool(network, new))).detach().numpy()
    assert r_squared(felt[:, 0].astype(float), truth[:, 0]) > 0.8
    assert fit.reference.tracks == 30
    assert set(fit.settings["feature_quantiles"]) == set(FEATURE_NAMES)


def test_the_same_data_gives_the_same_head(network, data):
    heads = []
    for _ in range(2):
        fit_features(network, data, reference=data.pictures[:5], corpus="x", genres=2)
        heads.append(network.features.weight.detach().clone())
    torch.testing.assert_close(heads[0], heads[1], rtol=0, atol=0)


def test_measured_targets_are_the_documented_features():
    from dataclasses import asdict

    from analysis.sound.features import DESCRIPTORS, from_descriptors

    values = {name: known.middle + known.spread for name, known in DESCRIPTORS.items()}
    excerpt = Excerpt("x.ogg", "x", 0, values, np.zeros((128, 200), np.uint8))
    data = FeatureData.measured([excerpt])
    assert list(data.targets[0]) == list(asdict(from_descriptors(values)).values())


def test_a_head_can_be_handed_on_to_another_trunk(network):
    """Without sound at hand, what serving ears hear is the target."""
    ears = load_ears()
    made, _ = pictures(3, seed=4)
    data = FeatureData.heard(ears, made, ["a", "b", "c"])
    for picture, row in zip(made, data.targets, strict=True):
        np.testing.assert_allclose(row, list(ears.hear(picture).features.values()), atol=1e-5)
    assert ears.weights.identity in data.source


class TestFiles:
    @pytest.fixture
    def without_head(self, tmp_path):
        """The ears that serve, as they would be without a feature head."""
        served = find("ears")
        tensors = {
            name: value
            for name, value in load_file(served.path).items()
            if not name.startswith("features.")
        }
        save_file(tensors, tmp_path / "ears.safetensors")
        settings = {
            name: value
            for name, value in served.settings.items()
            if not name.startswith("feature_")
        }
        write_manifest(
            tmp_path / "ears.json",
            weights_file=tmp_path / "ears.safetensors",
            version="0.1",
            licence="MIT",
            source="test",
            settings=settings,
            figures={},
        )
        return read_from(tmp_path, "ears")

    def test_ears_without_a_head_are_refused_with_what_to_do(self, without_head):
        with pytest.raises(WeightsUnavailable, match="train_features"):
            Ears(without_head)

    def test_a_head_is_added_and_all_else_stays(self, without_head, data, tmp_path):
        network = load_network(without_head)
        fit = fit_features(
            network,
            data,
            reference=data.pictures[:20],
            corpus="made up",
            genres=3,
            recipe=FeatureRecipe(penalties=(1.0,)),
        )
        with_features(without_head, network, fit, out=tmp_path / "out")
        ears = Ears(read_from(tmp_path / "out", "ears"))
        heard = ears.hear(data.pictures[0])
        expected = network.feel(torch.from_numpy(pool(network, data.pictures[:1])))[0]
        np.testing.assert_allclose(list(heard.features.values()), expected.detach(), atol=2e-3)
        before = load_file(without_head.path)
        after = load_file(tmp_path / "out" / "ears.safetensors")
        assert after.keys() - before.keys() == {"features.weight", "features.bias"}
        for name, value in before.items():
            assert torch.equal(value, after[name])
        figures = json.loads((tmp_path / "out" / "ears.json").read_text())["figures"]
        assert figures["features"]["excerpts"] == 60
        card = (tmp_path / "out" / "ears.md").read_text()
        assert "Perceptual features" in card
