"""The network's evidence, against hooks, full backward passes and finite differences."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from analysis.neural.ears import Ears, load_ears
from analysis.neural.grad_cam import Trace, against_the_others, cell_size
from analysis.neural.listener import scale_mel


@pytest.fixture(scope="module")
def ears() -> Ears:
    return load_ears()


@pytest.fixture(scope="module")
def mel():
    """Twenty seconds of a made-up picture with structure in time and frequency."""
    generator = np.random.default_rng(3)
    bands = np.linspace(200, 60, 128)[:, None]
    beats = 40 * (np.arange(258)[None] % 13 < 3)
    return np.clip(bands + beats + generator.normal(0, 12, (128, 258)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("columns", [128, 60])
def test_heat_is_gradient_times_activation_by_the_textbook(ears, mel, columns):
    """Computed again with a hook and a full backward pass: of the trunk's part, against the others
    as likely as both listeners find them."""
    picture = mel[:, :128] if columns == 128 else mel[:, :columns]
    heard = ears.hear(picture, explain="metal")
    index = ears.labels.index("metal")
    kept = {}
    network = ears.network
    network.requires_grad_(True)
    hook = network.stem.register_forward_hook(
        lambda _module, _inputs, output: kept.update(map=output, _=output.retain_grad())
    )
    filled = np.tile(picture, 3)[:, : max(128, columns)]
    try:
        logits = network(scale_mel(torch.from_numpy(filled.copy()))[None, None]).logits[0]
        odds = torch.tensor(list(heard.probabilities.values()))
        others = [k for k in range(len(odds)) if k != index]
        rivals = sum(odds[k] / (1 - odds[index]) * logits[k] for k in others)
        (logits[index] - rivals).backward()
    finally:
        hook.remove()
        network.requires_grad_(False)
    evidence = torch.relu((kept["map"].grad * kept["map"]).sum(1, keepdim=True))
    expected = functional.interpolate(
        evidence, size=filled.shape, mode="bilinear", align_corners=False
    )[0, 0].detach()[:, :columns]
    if columns == 128:
        np.testing.assert_allclose(heard.heat, expected / expected.max(), atol=2e-3)
    else:
        assert heard.heat.shape == (128, columns)


def test_the_three_likeliest_genres_are_explained_best_first(ears, mel):
    heard = ears.hear(mel)
    ranked = sorted(heard.probabilities.items(), key=lambda item: -item[1])[:3]
    assert [(one.label, one.probability) for one in heard.explanations] == ranked
    np.testing.assert_array_equal(heard.heat, heard.explanations[0].heat)
    for one in heard.explanations:
        assert one.heat.shape == mel.shape
        assert one.heat.dtype == np.float32
        assert one.heat.min() >= 0
        assert one.heat.max() in (0.0, 1.0)
    one, other = (explanation.heat for explanation in heard.explanations[:2])
    assert not np.allclose(one, other)


def test_a_named_genre_gets_its_own_map(ears, mel):
    last = min(ears.hear(mel).probabilities.items(), key=lambda item: item[1])[0]
    heard = ears.hear(mel, explain=last)
    assert last not in [one.label for one in heard.explanations]
    assert not np.allclose(heard.heat, heard.explanations[0].heat)


def test_probabilities_alone_are_those_of_hear(ears, mel):
    np.testing.assert_allclose(
        ears.probabilities(mel), list(ears.hear(mel).probabilities.values()), atol=1e-5
    )


def test_heat_without_a_kept_graph_is_the_same(ears, mel):
    windows = scale_mel(torch.from_numpy(mel[:, :128].copy()))[None, None]
    weights = against_the_others(2, torch.full((10,), 0.1))
    kept, remade = (
        Trace.of(ears.network, windows, keep_graph=keep).heat(ears.network, weights)
        for keep in (True, False)
    )
    np.testing.assert_allclose(kept, remade, rtol=1e-5)
    assert kept.max() > 0


@pytest.mark.parametrize("columns", [13, 40, 77, 128])
def test_windows_of_any_width_have_a_map(ears, columns):
    windows = torch.randn(2, 1, 128, columns)
    heat = Trace.of(ears.network, windows).heat(
        ears.network, against_the_others(0, torch.full((10,), 0.1))
    )
    assert heat.shape == (2, 128, columns)


def test_what_speaks_for_all_genres_alike_is_no_evidence():
    likely = torch.tensor([0.5, 0.3, 0.2])
    weights = against_the_others(0, likely)
    torch.testing.assert_close(weights, torch.tensor([1.0, -0.6, -0.4]), atol=1e-5, rtol=0)
    assert float(weights.sum()) == pytest.approx(0.0, abs=1e-6)
    sure = against_the_others(1, torch.tensor([0.0, 1.0, 0.0]))
    torch.testing.assert_close(sure, torch.tensor([-0.5, 1.0, -0.5]))


def test_a_cell_is_eight_bands_by_eight_columns(ears):
    assert cell_size(ears.network, 128, 128) == (8, 8)
