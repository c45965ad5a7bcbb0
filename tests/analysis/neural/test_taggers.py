"""The taggers: their input, their shapes, and reading their published checkpoints."""

import struct
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from analysis.neural import taggers
from analysis.neural.imagination import imagine, patches_of
from analysis.neural.loudest_band import loudest_band
from analysis.neural.published_taggers import load_tagger
from analysis.neural.tensorflow_checkpoint import DATA, INDEX, read_tensorflow_checkpoint
from analysis.sound.mel import log_mel
from analysis.sound.mono import mono_of_file
from analysis.training.recordings import demo_files


def chirp(seconds: float, rate: int) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * (200 * t + 150 * t**2))).astype(np.float32)


def test_patches_are_the_mel_spectrogram_that_the_tagger_was_trained_on() -> None:
    sound = chirp(7.0, taggers.SAMPLE_RATE)
    mel = librosa.feature.melspectrogram(y=sound, sr=16_000, n_fft=512, hop_length=256, n_mels=96)
    expected = np.log10(10_000 * mel + 1).T
    patches = taggers.log_mel_patches(sound)
    assert patches.shape == (2, 187, 96)
    np.testing.assert_allclose(patches[0], expected[:187], atol=2e-3)
    np.testing.assert_allclose(patches[1], expected[187:374], atol=2e-3)


def test_the_largest_of_each_band_is_found_before_it_is_normalised() -> None:
    """Also where the weight of a channel is negative."""
    generator = torch.Generator().manual_seed(0)
    convolution = torch.nn.Conv2d(1, 6, (3, 7))
    norm = torch.nn.BatchNorm2d(6, eps=1e-3)
    for parameter in [*convolution.parameters(), *norm.parameters()]:
        torch.nn.init.normal_(parameter, generator=generator)
    norm.running_mean.copy_(torch.randn(6, generator=generator))
    x = torch.randn(2, 1, 9, 20, generator=generator)
    for module in (norm.train(), norm.eval()):
        expected = module(torch.relu(convolution(x))).amax(dim=3)
        found = taggers._loudest(x, convolution, module)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert (norm.weight < 0).any()


def test_what_leads_to_the_largest_is_learned() -> None:
    """Every number of a front end gets the gradient that it has without the short cut."""
    generator = torch.Generator().manual_seed(3)
    convolution = torch.nn.Conv2d(1, 6, (4, 7))
    norm = torch.nn.BatchNorm2d(6, eps=1e-3).eval()
    parameters = [*convolution.parameters(), *norm.parameters()]
    for parameter in parameters:
        torch.nn.init.normal_(parameter, generator=generator)
    norm.running_mean.copy_(torch.randn(6, generator=generator))
    x = torch.randn(3, 1, 15, 20, generator=generator)
    towards = torch.randn(3, 6, 12, generator=generator)
    plain = norm(torch.relu(convolution(x))).amax(dim=3)
    expected = torch.autograd.grad((plain * towards).sum(), parameters)
    found = taggers._loudest(x, convolution, norm)
    gradients = torch.autograd.grad((found * towards).sum(), parameters)
    torch.testing.assert_close(found, plain, atol=1e-5, rtol=1e-5)
    for gradient, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, wanted, atol=1e-4, rtol=1e-4)


def test_the_largest_answer_over_the_bands_and_its_gradient() -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 12, 20, generator=generator)
    weight = torch.randn(5, 4, 7, generator=generator).requires_grad_()
    towards = torch.randn(3, 9, 5, generator=generator)
    expected = torch.nn.functional.conv2d(x[:, None], weight[:, None]).amax(3).transpose(1, 2)
    (wanted,) = torch.autograd.grad((expected * towards).sum(), weight)
    found = loudest_band(x, weight)
    (gradient,) = torch.autograd.grad((found * towards).sum(), weight)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradient, wanted, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(loudest_band(x, weight), expected, atol=1e-5, rtol=1e-5)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = loudest_band(x, weight)
    torch.testing.assert_close(rounded, expected.detach(), atol=0.1, rtol=0.02)


def test_a_short_clip_is_repeated_to_one_patch() -> None:
    assert taggers.log_mel_patches(chirp(1.0, taggers.SAMPLE_RATE)).shape == (1, 187, 96)


def test_imagined_patches_resemble_the_heard_ones() -> None:
    """On real music; the picture knows neither fast changes nor the level."""
    for path in demo_files()[:3]:
        sound = mono_of_file(path)
        picture = torch.from_numpy(log_mel(sound))[None] / 255.0
        imagined = imagine(picture)[0].unfold(0, 187, 187).transpose(1, 2)
        heard = taggers.log_mel_patches(librosa.resample(sound, orig_sr=22_050, target_sr=16_000))
        together = min(len(imagined), len(heard))
        assert abs(len(imagined) - len(heard)) <= 1
        likeness = np.corrcoef(imagined[:together].flatten(), heard[:together].flatten())[0, 1]
        assert likeness > 0.9


def test_the_tagger_gives_tags_and_features_of_each_patch() -> None:
    model = taggers.MusiCNN().eval()
    with torch.inference_mode():
        tags, features = model(torch.rand(3, 187, 96))
    assert tags.shape == (3, 50)
    assert features.shape == (3, 200)
    # The paper's count: 0.79 million weights.
    assert 0.75e6 < sum(p.numel() for p in model.parameters()) < 0.83e6


def test_the_other_tagger_gives_them_too() -> None:
    model = taggers.Vgg().eval()
    with torch.inference_mode():
        tags, features = model(torch.rand(3, 187, 96))
    assert tags.shape == (3, 50)
    assert features.shape == (3, 256)


@pytest.mark.parametrize("kernel", [(7, 38), (32, 1)])
def test_a_convolution_as_a_product_of_matrices(kernel: tuple[int, int]) -> None:
    torch.manual_seed(1)
    convolution = torch.nn.Conv2d(1, 5, kernel)
    x = torch.rand(2, 1, 60, 96)
    expected = convolution(x)
    found = taggers.convolved(x, convolution, by_product=True)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(taggers.convolved(x, convolution), expected)


def test_imagined_frames_are_the_picture_read_between_its_cells() -> None:
    """A band that is louder by 20 dB from one second on, in both."""
    picture = torch.full((1, 128, 40), 0.5)
    picture[:, 64:, 13:] = 0.75
    frames = imagine(picture)[0]
    assert frames.shape == (194, 96)
    power = (10.0**frames - 1.0) / 10_000.0
    decibels = 10.0 * (power / 66.0).log10()
    assert decibels[:55].numpy() == pytest.approx(-40.0, abs=0.05)
    assert decibels[70:, -20:].numpy() == pytest.approx(-20.0, abs=0.05)
    assert decibels[70:, :20].numpy() == pytest.approx(-40.0, abs=0.05)
    assert patches_of(imagine(picture)).shape == (1, 1, 187, 96)
    whole = imagine(torch.rand(1, 128, 128))
    patches = patches_of(whole)
    assert patches.shape == (1, 3, 187, 96)
    assert torch.equal(patches[0, 0], whole[0, :187])
    assert torch.equal(patches[0, 2], whole[0, -187:])
    # What is too short is repeated.
    short = imagine(torch.rand(1, 128, 30))
    assert torch.equal(patches_of(short)[0, 0, short.shape[1] :][:10], short[0, :10])


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def table_block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A LevelDB block with full keys, one restart point, no compression, no checksum."""
    body = b"".join(
        varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in entries
    )
    return body + struct.pack("<II", 0, 1)


def write_checkpoint(folder: Path, variables: dict[str, np.ndarray]) -> None:
    """TensorFlow's tensor bundle after its description, written for this test alone."""
    data, entries = b"", [(b"", b"\x08\x01")]
    for name, value in sorted(variables.items()):
        shape = b"".join(
            b"\x12" + varint(len(dim)) + dim for dim in (b"\x08" + varint(n) for n in value.shape)
        )
        raw = value.astype("<f4").tobytes()
        entry = b"\x08\x01" + b"\x12" + varint(len(shape)) + shape
        entry += b"\x20" + varint(len(data)) + b"\x28" + varint(len(raw))
        entries.append((name.encode(), entry))
        data += raw
    block = table_block(entries)
    handle = varint(0) + varint(len(block))
    index_block = table_block([(b"zzz", handle)])
    index_offset = len(block) + 5
    footer = varint(0) + varint(0) + varint(index_offset) + varint(len(index_block))
    footer = footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    trailer = b"\0" * 5
    (folder / ".index").write_bytes(block + trailer + index_block + trailer + footer)
    (folder / ".data-00000-of-00001").write_bytes(data)


def test_a_published_checkpoint_becomes_the_same_network(tmp_path: Path) -> None:
    """Variables in TensorFlow's layout and names, as the package's own models.py creates them."""
    generator = np.random.default_rng(0)
    model = taggers.MusiCNN().eval()
    variables: dict[str, np.ndarray] = {}

    def kernel(name: str, *shape: int) -> np.ndarray:
        value = generator.normal(0, 0.05, shape).astype(np.float32)
        variables[f"{name}/kernel"] = value
        variables[f"{name}/bias"] = generator.normal(0, 0.05, shape[-1]).astype(np.float32)
        return value

    def norm(index: int, channels: int) -> None:
        name = f"batch_normalization_{index}" if index else "batch_normalization"
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            variables[f"{name}/{part}"] = generator.uniform(0.5, 1.0, channels).astype(np.float32)

    front = kernel("conv2d", 7, 38, 1, 204)
    kernel("conv2d_1", 7, 67, 1, 204)
    for index, length in ((2, 128), (3, 64), (4, 32)):
        kernel(f"conv2d_{index}", length, 1, 1, 51)
    middle = kernel("conv2d_5", 7, 561, 1, 64)
    kernel("conv2d_6", 7, 64, 1, 64)
    kernel("conv2d_7", 7, 64, 1, 64)
    dense = kernel("dense", 1506, 200)
    kernel("dense_1", 200, 50)
    for index, channels in enumerate((1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)):
        norm(index, channels)
    write_checkpoint(tmp_path, variables)

    model = load_tagger(tmp_path)
    read = read_tensorflow_checkpoint(
        (tmp_path / INDEX).read_bytes(), (tmp_path / DATA).read_bytes()
    )
    assert read.keys() == variables.keys()
    for name, value in variables.items():
        np.testing.assert_array_equal(read[name], value)
    np.testing.assert_array_equal(model.front[0].weight.detach()[5, 0], front[:, :, 0, 5])
    np.testing.assert_array_equal(model.middle[0].weight.detach()[9], middle[:, :, 0, 9].T)
    np.testing.assert_array_equal(model.dense.weight.detach(), dense.T)
    np.testing.assert_array_equal(
        model.pool_norm.running_var, variables["batch_normalization_9/moving_variance"]
    )


def vgg_variables() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    variables: dict[str, np.ndarray] = {}
    for index in range(5):
        shape = (3, 3, 1 if index == 0 else 128, 128)
        variables[f"{index + 1}CNN/kernel"] = generator.normal(0, 0.1, shape).astype(np.float32)
        variables[f"{index + 1}CNN/bias"] = np.full(128, index, np.float32)
    variables["dense/kernel"] = generator.normal(0, 0.1, (256, 50)).astype(np.float32)
    variables["dense/bias"] = np.zeros(50, np.float32)
    for index, channels in enumerate((1, 128, 128, 128, 128, 128)):
        name = f"batch_normalization_{index}" if index else "batch_normalization"
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            variables[f"{name}/{part}"] = np.full(channels, 0.5 + index, np.float32)
    return variables


def test_a_published_checkpoint_of_the_other_kind(tmp_path: Path) -> None:
    variables = vgg_variables()
    write_checkpoint(tmp_path, variables)
    model = load_tagger(tmp_path)
    assert isinstance(model, taggers.Vgg)
    np.testing.assert_array_equal(
        model.convolutions[3].weight.detach()[7, 5], variables["4CNN/kernel"][:, :, 5, 7]
    )
    assert float(model.norms[4].running_var[0]) == 5.5
    np.testing.assert_array_equal(model.tags.weight.detach(), variables["dense/kernel"].T)


def test_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".index").write_bytes(b"no table" * 20)
    (tmp_path / ".data-00000-of-00001").write_bytes(b"")
    with pytest.raises(ValueError, match="no index of a TensorFlow checkpoint"):
        load_tagger(tmp_path)
