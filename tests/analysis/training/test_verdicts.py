"""What people say of pairs is learned where it says something, and not where it does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from analysis.neural.listener import ListeningNetwork
from analysis.neural.weights import find, read_from
from analysis.training.head_shipping import FUSED, load_network, space_of, with_map
from analysis.training.verdict_comparison import map_between, on_new_verdicts
from analysis.training.verdicts import (
    JudgedPairs,
    Ranking,
    TooFewVerdicts,
    VerdictFigures,
    cosines,
    fit,
    learn,
)

ARTISTS, TRACKS = 30, 4


def judged(
    n: int, *, by_lot: bool = False, seed: int = 0, of: JudgedPairs | None = None
) -> JudgedPairs:
    """People who hear only sixteen of the directions in which the tracks differ; ``of`` are tracks
    that have been made before, of which another ``seed`` judges other pairs."""
    generator = np.random.default_rng(0)
    m = ARTISTS * TRACKS
    turned = np.linalg.qr(generator.standard_normal((128, 128)))[0]
    own = np.repeat(generator.standard_normal((ARTISTS, 128)), TRACKS, axis=0)
    spread = np.arange(1, 129) ** -0.5
    vectors = (generator.standard_normal((m, 128)) + 0.7 * own) * spread @ turned
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    if of is not None:
        assert np.allclose(vectors, of.vectors, atol=1e-6)
        generator = np.random.default_rng(seed)
    pairs = generator.integers(0, m, (2 * n, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]][:n]
    heard = (vectors @ turned.T)[:, 4:20]
    heard /= np.linalg.norm(heard, axis=1, keepdims=True)
    likeness = (heard[pairs[:, 0]] * heard[pairs[:, 1]]).sum(axis=1)
    likeness += 0.05 * generator.standard_normal(n)
    similar = likeness > np.median(likeness)
    if by_lot:
        similar = generator.permutation(similar)
    artists = [f"artist {row // TRACKS}" for row in range(m)]
    return JudgedPairs(vectors.astype(np.float32), artists, pairs, similar)


@pytest.fixture(scope="module")
def learned() -> tuple[JudgedPairs, np.ndarray, VerdictFigures]:
    """Three hundred verdicts, the map fitted on them, and what it is worth."""
    data = judged(300)
    return data, *learn(data)


def test_what_people_hear_is_learned_for_artists_not_seen(learned):
    _, _, figures = learned
    assert figures.pairs == 300
    assert figures.gain == pytest.approx(figures.after - figures.before)
    assert figures.gain > 0.05
    assert figures.gain_low > 0.0, figures


def test_verdicts_by_lot_are_not_called_a_gain():
    _, figures = learn(judged(150, by_lot=True))
    assert figures.gain_low <= 0.0, figures
    assert abs(figures.after - 0.5) < 0.2


def test_too_few_are_refused():
    few = judged(300).only(np.arange(300) < 15)
    with pytest.raises(TooFewVerdicts, match="10 pairs called similar"):
        learn(few)
    few_artists = judged(300)
    same = JudgedPairs(few_artists.vectors, ["one"] * 120, few_artists.pairs, few_artists.similar)
    with pytest.raises(TooFewVerdicts, match="10 artists"):
        learn(same)


def test_a_harder_pull_changes_less():
    data = judged(150)
    changes = [np.abs(fit(data, pull=pull) - np.eye(128)).max() for pull in (0.01, 1.0, 1e4)]
    assert changes[0] > changes[1] > changes[2]
    assert changes[2] < 1e-3


def test_area_under_the_curve():
    scores = np.array([3.0, 1.0, 2.0, 1.0], np.float32)
    mixed = Ranking.of(scores, np.array([True, True, False, False]))
    assert mixed.area(np.ones(4)) == pytest.approx(2.5 / 4)
    assert np.isnan(Ranking.of(scores, np.array([True] * 4)).area(np.ones(4)))


def test_the_new_ears_hear_in_the_mapped_space_and_else_as_before(tmp_path):
    weights = find("ears")
    data = judged(150)
    matrix = fit(data, pull=0.01)
    assert not np.allclose(cosines(data, matrix), cosines(data, None), atol=0.05)
    _, figures = learn(judged(60))
    manifest = with_map(weights, matrix, figures, version="9.9.9-pairs60", out=tmp_path)
    new = read_from(tmp_path, "ears")
    assert (new.version, new.settings) == ("9.9.9-pairs60", weights.settings)
    assert new.figures["verdicts"]["pairs"] == 60
    card = manifest.with_suffix(".md").read_text()
    assert "## Learned from verdicts on pairs" in card
    assert "60 pairs" in card

    before, after = load_file(weights.path), load_file(new.path)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {FUSED}
    old, mapped = (_places(load_network(found)) for found in (weights, new))
    expected = old @ matrix.T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(mapped, expected, atol=5e-3)


def test_ears_without_a_tagger_are_mapped_where_they_place_pictures(tmp_path):
    alone = {
        name: value
        for name, value in load_file(find("ears").path).items()
        if not name.startswith("companion.")
    }
    assert space_of(alone) == ("project.weight", "project.bias")
    matrix = np.eye(128, dtype=np.float32) + 0.2 * np.eye(128, k=1, dtype=np.float32)
    turned = alone | {
        name: (torch.from_numpy(matrix) @ alone[name].float()).half() for name in space_of(alone)
    }
    for name, tensors in (("old", alone), ("new", turned)):
        save_file(tensors, tmp_path / name)
    found = map_between(tmp_path / "old", tmp_path / "new")
    # The weights are of half precision, and some of their directions are faint.
    weight = alone["project.weight"].float().numpy()
    np.testing.assert_allclose(found @ weight, matrix @ weight, atol=2e-3 * np.abs(weight).max())


@torch.no_grad()
def _places(network: ListeningNetwork) -> np.ndarray:
    """Where the network places made-up windows of sound."""
    generator = torch.Generator().manual_seed(1)
    pooled = torch.randn(20, 512, generator=generator).abs()
    tagged = torch.randn(20, 200, generator=generator)
    return network.companion.embed(network.embed(pooled), tagged).numpy()


class TestComparing:
    @pytest.fixture(scope="class")
    def mapped(self, learned, tmp_path_factory):
        """The shipped ears with a map in their head, and the map."""
        data, matrix, figures = learned
        folder = tmp_path_factory.mktemp("mapped")
        with_map(find("ears"), matrix, figures, version="9.9.9", out=folder)
        return folder / "ears.safetensors", matrix, data

    def test_the_map_is_found_in_the_weights(self, mapped):
        path, matrix, data = mapped
        found = map_between(find("ears").path, path)
        # The weights are of half precision: what counts is where tracks come to lie.
        apart = np.abs(cosines(data, found) - cosines(data, matrix))
        assert apart.max() < 0.01
        assert np.abs(cosines(data, matrix) - cosines(data, None)).max() > 0.1

    @pytest.mark.parametrize("name", ["genre.bias", "project.weight", FUSED])
    def test_other_ears_are_no_map(self, mapped, tmp_path, name):
        tensors = load_file(mapped[0])
        generator = torch.Generator().manual_seed(3)
        tensors[name] = torch.randn(tensors[name].shape, generator=generator).half()
        other = tmp_path / "ears.safetensors"
        save_file(tensors, other)
        assert map_between(find("ears").path, other) is None

    def test_verdicts_are_those_of_the_interval(self, mapped):
        _, matrix, data = mapped
        later = judged(300, of=data, seed=5)
        verdict, figures = on_new_verdicts(later, matrix)
        assert verdict == "better"
        assert figures["gain_low"] > 0
        # The way back is as much worse.
        turned = JudgedPairs(later.vectors @ matrix.T, later.artists, later.pairs, later.similar)
        back, lost = on_new_verdicts(turned, np.linalg.inv(matrix).astype(np.float32))
        assert back == "worse"
        assert lost["gain"] == pytest.approx(-figures["gain"], abs=1e-3)
        same, none = on_new_verdicts(later, np.eye(128, dtype=np.float32))
        assert (same, none["gain"]) == ("not_worse", 0.0)
        with pytest.raises(TooFewVerdicts, match="given after it was made"):
            on_new_verdicts(later.only(np.arange(300) < 12), matrix)
