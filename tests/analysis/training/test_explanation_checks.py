"""The heat maps of the shipped weights tell the truth, and the checks would notice if not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.neural.ears import Ears, HeardTrack, load_ears
from analysis.training.datasets import load_gtzan
from analysis.training.explanation_checks import (
    deletion,
    hottest,
    random_blocks,
    sanity,
    wiped,
    with_shuffled_weights,
)

DATA = Path(__file__).resolve().parents[4] / "shared/data/gtzan_mel"
GENERATOR = np.random.default_rng(0)


@pytest.fixture(scope="module")
def pictures():
    if not DATA.exists():
        pytest.skip(f"no mel pictures at {DATA}")
    corpus = load_gtzan(DATA, "valid")
    chosen = np.random.default_rng(1).permutation(len(corpus))[:16]
    return [corpus.mel[index] for index in chosen]


class Remembering:
    """Ears that hear no picture twice: the checks ask for the same ones again."""

    def __init__(self, ears: Ears) -> None:
        self.labels, self.network, self._ears, self._known = ears.labels, ears.network, ears, {}

    def hear(self, mel: np.ndarray) -> HeardTrack:
        return self._once("heard", mel, self._ears.hear)

    def probabilities(self, mel: np.ndarray) -> np.ndarray:
        return self._once("likely", mel, self._ears.probabilities)

    def _once(self, what: str, mel: np.ndarray, ask: Callable):
        key = what, mel.tobytes()
        if key not in self._known:
            self._known[key] = ask(mel)
        return self._known[key]


@pytest.fixture(scope="module")
def ears() -> Remembering:
    return Remembering(load_ears())


@pytest.mark.data
def test_wiping_the_hottest_cells_hurts_twice_as_much_as_wiping_at_random(ears, pictures):
    found = deletion(ears, pictures, draws=2)
    assert found.tracks == 16
    assert found.random_drop > 0
    assert found.ratio >= 2.0, found
    assert found.hot_fell_more > 0.75, found


@pytest.mark.data
def test_other_weights_give_other_maps(pictures):
    found = sanity(load_ears(), pictures[:8])
    assert abs(found.correlation) < 0.5, found
    assert found.absolute_correlation < 0.5, found


@pytest.mark.data
def test_a_map_that_says_nothing_fails_the_deletion_check(ears, pictures):
    """The maps of shuffled weights say far less than the true one: what they call hottest is loud
    music, too, and so a little better than random cells; the true map is twice as good at least."""

    class Pretender:
        labels, network, probabilities = ears.labels, ears.network, ears.probabilities

        def __init__(self, seed):
            self.blind = with_shuffled_weights(load_ears(), seed=seed)

        def hear(self, mel):
            true = ears.hear(mel)
            heat = self.blind.hear(mel, explain=true.label).heat
            return type(true)(**{**vars(true), "heat": heat})

    true = deletion(ears, pictures, draws=2).ratio
    blind = [deletion(Pretender(seed), pictures, draws=2).ratio for seed in range(1, 4)]
    assert np.median(blind) < true / 2.0, (true, blind)


def test_the_same_share_is_wiped_either_way():
    heat = GENERATOR.random((128, 387)).astype(np.float32)
    hot = hottest(heat, 0.2)
    random = random_blocks(heat.shape, (8, 8), 0.2, GENERATOR)
    assert hot.sum() == random.sum() == round(0.2 * heat.size)
    assert heat[hot].min() >= heat[~hot].max()
    # Whole blocks, but for the one in which the share is full.
    blocks = random[:, :384].reshape(16, 8, 48, 8).mean(axis=(1, 3))
    assert np.isin(blocks, (0.0, 1.0)).mean() > 0.99


def test_wiped_cells_get_their_bands_mean():
    mel = GENERATOR.integers(0, 255, (128, 50)).astype(np.uint8)
    mask = GENERATOR.random(mel.shape) < 0.3
    out = wiped(mel, mask)
    assert (out[~mask] == mel[~mask]).all()
    band, column = np.argwhere(mask)[0]
    assert abs(int(out[band, column]) - mel[band].mean()) <= 0.5


def test_shuffling_leaves_the_original_alone():
    ears = load_ears()
    before = ears.network.genre.weight.clone()
    shuffled = with_shuffled_weights(ears, seed=0).network.genre.weight
    assert (ears.network.genre.weight == before).all()
    assert not (shuffled == before).all()
    np.testing.assert_array_equal(np.sort(shuffled.numpy(), None), np.sort(before.numpy(), None))


def test_nothing_to_check_is_refused():
    with pytest.raises(ValueError, match="no pictures"):
        deletion(load_ears(), [])
    with pytest.raises(ValueError, match="share"):
        deletion(load_ears(), [np.zeros((128, 200), np.uint8)], share=1.5)
