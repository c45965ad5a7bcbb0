"""YAMNet: its input, its shapes, and reading its published variables."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from analysis.neural import yamnet
from analysis.neural.published_taggers import load_tagger
from analysis.neural.yamnet import YAMNet, filled_yamnet
from tests.analysis.neural.test_taggers import chirp, write_checkpoint

PREFIX = "layer-1/layer/_func/_yamnet/layer_with_weights-"
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def variables() -> dict[str, np.ndarray]:
    """Random ones under the names and with the shapes of the published model."""
    generator = np.random.default_rng(0)
    found: dict[str, np.ndarray] = {}

    def put(number: int, name: str, *shape: int) -> None:
        values = generator.uniform(0.5, 1.0, shape) * (0.1 if "kernel" in name else 1.0)
        found[f"{PREFIX}{number}/{name}{SUFFIX}"] = values.astype(np.float32)

    channels, number = 32, 0
    put(0, "kernel", 3, 3, 1, 32)
    for wider in (64, 128, 128, 256, 256, *[512] * 6, 1024, 1024):
        put(number + 2, "depthwise_kernel", 3, 3, channels, 1)
        put(number + 4, "kernel", 1, 1, channels, wider)
        for norm, size in ((number + 1, channels), (number + 3, channels)):
            for part in ("beta", "moving_mean", "moving_variance"):
                put(norm, part, size)
        channels, number = wider, number + 4
    for part in ("beta", "moving_mean", "moving_variance"):
        put(number + 1, part, channels)
    put(number + 2, "kernel", 1024, 521)
    put(number + 2, "bias", 521)
    return found


def test_frames_are_mel_amplitudes() -> None:
    """Beside librosa's, whose triangles are straight in hertz instead of mels."""
    sound = chirp(3.0, yamnet.SAMPLE_RATE)
    found = yamnet.mel_frames(sound).numpy()
    assert found.shape == (298, 64)
    # Its window lies in the middle of the transform's 512 samples.
    expected = librosa.feature.melspectrogram(
        y=np.concatenate([np.zeros(56, np.float32), sound, np.zeros(56, np.float32)]),
        sr=16_000,
        n_fft=512,
        win_length=400,
        hop_length=160,
        center=False,
        power=1.0,
        n_mels=64,
        fmin=125.0,
        fmax=7_500.0,
        htk=True,
        norm=None,
    ).T[:298]
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99
    np.testing.assert_allclose(found.sum(), expected.sum(), rtol=0.03)
    assert yamnet.mel_frames(sound[:100]).shape == (96, 64)
    amplitudes = torch.tensor([0.0, 0.5, 40.0])
    torch.testing.assert_close(yamnet.expanded(yamnet.compressed(amplitudes)), amplitudes)


def test_a_tone_is_loudest_in_its_band() -> None:
    t = np.arange(16_000) / 16_000
    for band in (20, 40, 60):
        hz = float(yamnet.band_centres_hz()[band])
        tone = np.sin(2 * np.pi * hz * t).astype(np.float32)
        assert int(yamnet.mel_frames(tone).mean(0).argmax()) == band


def test_a_patch_gives_classes_and_features() -> None:
    model = YAMNet().eval()
    with torch.inference_mode():
        tags, features = model(torch.rand(3, 96, 64))
    assert tags.shape == (3, 521)
    assert features.shape == (3, 1024)
    # The paper's count: 3.2 million weights beside those of the classes.
    in_layers = sum(p.numel() for p in model.layers.parameters())
    assert 3.1e6 < in_layers < 3.3e6


def test_sizes_are_halved_as_tensorflow_does_it() -> None:
    """Of an even number of rows the first filter begins at the first row, and the zeros follow."""
    layer = YAMNet().eval().layers[0]
    with torch.no_grad():
        layer.filters.weight.zero_()
        layer.filters.weight[0, 0, 0, 0] = 1.0
        x = torch.arange(1.0, 25.0).reshape(1, 1, 6, 4)
        heard = layer(x)[0, 0]
    torch.testing.assert_close(heard, x[0, 0, ::2, ::2] / (1 + 1e-4) ** 0.5)


def test_the_published_variables_find_their_places(tmp_path: Path) -> None:
    saved = variables()
    write_checkpoint(tmp_path, saved | {"keras_api/metrics/0/count" + SUFFIX: np.ones(1, "f4")})
    (tmp_path / "variables").mkdir()
    for file in list(tmp_path.glob(".*")):
        file.rename(tmp_path / "variables" / f"variables{file.name}")
    model = load_tagger(tmp_path)
    assert isinstance(model, YAMNet)

    def of(number: int, name: str) -> np.ndarray:
        return saved[f"{PREFIX}{number}/{name}{SUFFIX}"]

    first, deep, wide = model.layers[0], model.layers[25], model.layers[26]
    np.testing.assert_array_equal(first.filters.weight.detach()[7, 0], of(0, "kernel")[:, :, 0, 7])
    np.testing.assert_array_equal(
        deep.filters.weight.detach()[9, 0], of(50, "depthwise_kernel")[:, :, 9, 0]
    )
    np.testing.assert_array_equal(
        wide.filters.weight.detach()[:, :, 0, 0], of(52, "kernel")[0, 0].T
    )
    np.testing.assert_array_equal(wide.norm.running_var, of(53, "moving_variance"))
    np.testing.assert_array_equal(wide.norm.bias.detach(), of(53, "beta"))
    np.testing.assert_array_equal(model.tags.weight.detach(), of(54, "kernel").T)
    assert not model.training


def test_another_models_variables_are_refused() -> None:
    saved = variables()
    with pytest.raises(KeyError):
        filled_yamnet({name: value for name, value in saved.items() if "-52/" not in name})
    name = f"{PREFIX}54/bias{SUFFIX}"
    with pytest.raises(ValueError, match="no YAMNet"):
        filled_yamnet(saved | {name: saved[name][:100]})
