"""Fitting what a tagger adds to the trunk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from analysis.neural.ears import Ears
from analysis.neural.listener import ListeningNetwork
from analysis.neural.weights import find, read_from
from analysis.training.companion_heads import (
    Agreement,
    agree,
    answers_of_both,
    apply,
    fit_companion,
    weigh_companions,
)
from analysis.training.genre_head import HeadRecipe, examples_of, fit_genre_head
from analysis.training.head_shipping import load_network, with_companions
from tests.analysis.training.corpora import two_genres


def tagged(corpus, *, strength: float, seed: int):
    """The corpus as heard by a tagger whose first features tell the genres apart, or do not."""
    generator = np.random.default_rng(seed)
    rows = []
    for label in corpus.labels:
        heard = generator.normal(0, 1, (3, 200)).astype(np.float32)
        heard[:, :20] += strength * (1 if label else -1)
        rows.append(heard)
    return replace(corpus, tagged=rows)


@pytest.fixture(scope="module")
def train():
    return two_genres(0, "a", tracks=24, columns=128)


@pytest.fixture(scope="module")
def held_out():
    return two_genres(1, "b", tracks=16, columns=128)


@pytest.fixture
def network() -> ListeningNetwork:
    """A trunk whose genre head says nothing of use."""
    torch.manual_seed(0)
    return ListeningNetwork(2).eval()


def named(network, heads, corpus) -> float:
    logits, _ = answers_of_both(network, heads, corpus)
    return float((logits.argmax(axis=1) == corpus.labels).mean())


def test_a_tagger_that_knows_better_is_believed(network, train, held_out):
    heads = fit_companion(network, tagged(train, strength=2.0, seed=1))
    others = tagged(held_out, strength=2.0, seed=2)
    apply(heads, agree(network, heads, others))
    assert named(network, heads, others) == 1.0


def test_more_tracks_teach_the_genre_and_leave_the_place(network, train, held_out):
    """Few sounds that say little, and many that say more."""
    few, more = tagged(train, strength=0.1, seed=1), tagged(held_out, strength=2.0, seed=3)
    alone, helped = fit_companion(network, few), fit_companion(network, few, also=more)
    others = tagged(held_out, strength=1.0, seed=2)
    assert named(network, helped, others) > named(network, alone, others)
    for name in ("fuse.weight", "mean", "spread"):
        assert torch.equal(alone.state_dict()[name], helped.state_dict()[name])


def test_a_tagger_that_knows_nothing_is_not(network, train, held_out):
    recipe = HeadRecipe(clips=0)
    examples = examples_of(network, list(train.pictures()), recipe=recipe)
    fit_genre_head(network, examples, train.labels, recipe=recipe)
    heads = fit_companion(network, tagged(train, strength=0.0, seed=1))
    others = tagged(held_out, strength=0.0, seed=2)
    found = agree(network, heads, others)
    apply(heads, found)
    assert found.share < 0.2
    assert named(network, heads, others) == 1.0


def test_the_map_keeps_the_products_of_both_listeners_vectors(network, train):
    sounds = tagged(train, strength=2.0, seed=1)
    companion = fit_companion(network, sounds)
    identity = companion.fuse.weight @ companion.fuse.weight.T
    np.testing.assert_allclose(identity, np.eye(128), atol=1e-4)
    places = torch.nn.functional.normalize(torch.randn(len(sounds), 128), dim=1)
    rows = torch.stack(
        [
            companion.track(p, torch.from_numpy(t))
            for p, t in zip(places, sounds.tagged, strict=True)
        ]
    )
    # 60 tracks span 60 directions: nothing of the tagger's half is lost in 128.
    own = rows[:, 128:]
    kept = companion.fuse(torch.cat([torch.zeros_like(places), own], dim=1))
    np.testing.assert_allclose(kept @ kept.T, own @ own.T, atol=0.02)


def test_pictures_alone_and_a_missing_genre_are_refused(network, train):
    with pytest.raises(ValueError, match="no tagger"):
        fit_companion(network, train)
    with pytest.raises(ValueError, match="companion"):
        weigh_companions(network, train)
    corpus = tagged(train, strength=1.0, seed=1)
    with pytest.raises(ValueError, match="classes"):
        fit_companion(network, replace(corpus, labels=np.zeros(len(corpus), np.int64)))


def test_only_the_companion_of_trained_ears_is_changed(tmp_path):
    weights = find("ears")
    network = load_network(weights)
    with torch.no_grad():
        network.companion.genre.weight.mul_(2.0)
    manifest = with_companions(
        weights, network, Agreement(2.0, 21.5), version="9.9.9", out=tmp_path
    )
    new = read_from(tmp_path, "ears")
    assert (new.version, new.settings["sound_temperature"]) == ("9.9.9", 21.5)
    before, after = load_file(weights.path), load_file(new.path)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"companion.genre.weight"}
    assert Ears(new).sound_temperature == 21.5
    assert "Beside the trunk, on sound" in manifest.with_suffix(".md").read_text()
