"""The network, Grad-CAM and the loaded ears."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from analysis.neural.ears import Ears, load_ears
from analysis.neural.listener import ListeningNetwork, scale_mel
from analysis.neural.weights import WeightsUnavailable, find


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


def test_embedding_lies_on_the_unit_sphere():
    network = ListeningNetwork(10).eval()
    with torch.no_grad():
        heard = network(torch.randn(3, 1, 128, 128))
    assert heard.logits.shape == (3, 10)
    assert heard.pooled.shape == (3, 512)
    np.testing.assert_allclose(heard.embedding.norm(dim=1), 1.0, rtol=1e-5)


def test_it_is_torchvisions_resnet18():
    """The same weights give the same features as the published implementation."""
    from torchvision.models import resnet18

    torch.manual_seed(0)
    published = resnet18(weights=None).eval()
    published.conv1 = torch.nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    network = ListeningNetwork(10).eval()
    parts = [published.conv1, published.bn1, published.relu, published.maxpool]
    theirs = torch.nn.Sequential(*parts, published.layer1, published.layer2)
    network.stem.load_state_dict(theirs.state_dict())
    network.middle.load_state_dict(published.layer3.state_dict())
    network.top.load_state_dict(published.layer4.state_dict())
    published.fc = torch.nn.Identity()
    windows = torch.randn(2, 1, 128, 128)
    with torch.no_grad():
        torch.testing.assert_close(network(windows).pooled, published(windows))


def test_scaling_is_centred():
    scaled = scale_mel(torch.tensor([0, 255], dtype=torch.uint8))
    np.testing.assert_allclose(scaled, [-2.0, 2.0])


def test_answer_is_a_distribution_and_repeatable(ears, mel):
    one, two = ears.hear(mel), ears.hear(mel)
    assert sum(one.probabilities.values()) == pytest.approx(1.0, abs=1e-5)
    assert one.probabilities[one.label] == max(one.probabilities.values()) == one.confidence
    assert one.probabilities == two.probabilities
    np.testing.assert_array_equal(one.heat, two.heat)
    assert 0.0 <= one.familiarity <= 1.0


def test_course_covers_the_whole_track_without_gaps(ears, mel):
    course = ears.hear(mel).course
    assert course[0].start_s == 0.0
    for before, after in pairwise(course):
        assert before.end_s == after.start_s
    assert course[-1].end_s == pytest.approx(258 * 1709 / 22050)


def test_explaining_an_unknown_genre_is_refused(ears, mel):
    with pytest.raises(ValueError, match="polka"):
        ears.hear(mel, explain="polka")


def test_three_seconds_are_enough(ears, mel):
    heard = ears.hear(mel[:, :39])
    assert heard.heat.shape == (128, 39)
    assert np.isfinite(heard.embedding).all()


def test_shipped_weights_are_described_and_intact():
    weights = find("ears")
    assert weights.licence == "MIT"
    assert len(weights.settings["labels"]) == 10
    # ResNet18 22.4 MB, YAMNet 7.5, MusiCNN 1.6, heads and reference tracks.
    assert weights.path.stat().st_size < 34e6


def test_a_damaged_file_is_refused(tmp_path, monkeypatch):
    weights = find("ears")
    (tmp_path / "ears.json").write_bytes(weights.path.with_suffix(".json").read_bytes())
    damaged = bytearray(weights.path.read_bytes())
    damaged[-1] ^= 1
    (tmp_path / weights.path.name).write_bytes(damaged)
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    with pytest.raises(WeightsUnavailable, match="damaged"):
        find("ears")


def test_local_weights_come_before_shipped_ones(tmp_path, monkeypatch):
    weights = find("ears")
    (tmp_path / "ears.json").write_bytes(weights.path.with_suffix(".json").read_bytes())
    (tmp_path / weights.path.name).write_bytes(weights.path.read_bytes())
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    assert find("ears").origin == "local"
    monkeypatch.delenv("MODELS_DIR")
    assert find("ears").origin == "shipped"


def test_weights_of_another_network_are_named(tmp_path, monkeypatch):
    from safetensors.torch import save_file

    from analysis.neural.weights import write_manifest

    save_file({"stem.0.weight": torch.zeros(1)}, tmp_path / "ears.safetensors")
    write_manifest(
        tmp_path / "ears.json",
        weights_file=tmp_path / "ears.safetensors",
        version="0",
        licence="MIT",
        source="test",
        settings={"labels": ["a"], "temperature": 1.0},
    )
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    with pytest.raises(WeightsUnavailable, match="another version"):
        Ears(find("ears"))
