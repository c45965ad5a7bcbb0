"""The taggers of musicnn: teachers of the trunk, and one of them its companion on sound.

Pons & Serra 2019, "musicnn: pre-trained convolutional neural networks for music audio tagging". Two
networks, each in two versions: of the Million Song Dataset (MSD) and of MagnaTagATune (MTT). They
are written out in PyTorch after their description, and read the published TensorFlow checkpoints
(package ``musicnn`` 0.1.0, ISC) as they are. What the product does with one of them at run time
stands in :mod:`analysis.neural.companion`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from analysis.neural.loudest_band import loudest_band
from analysis.neural.tensorflow_checkpoint import read_tensorflow_checkpoint
from analysis.sound.mel import mel_filters_of

SAMPLE_RATE = 16_000
PATCH_FRAMES = 187
HOP_LENGTH = 256
N_MELS = 96
N_FFT = 512
TAGS = 50
FRAMES_PER_SECOND = SAMPLE_RATE / HOP_LENGTH
PATCH_SECONDS = PATCH_FRAMES / FRAMES_PER_SECOND
_FRONT_END_KERNELS = ((7, 38), (7, 67), (128, 1), (64, 1), (32, 1))


class Tagger(nn.Module):
    """A tagger on patches of log-mel frames, here (n, 187, 96).

    Calling it gives the logits of its tags (n, ``tag_count``), here 50, and the features below them
    (n, ``features``). ``input_norm`` is the layer that normalises the frames, if there is one.
    """

    features: int
    tag_count: int = TAGS
    input_norm: nn.Module | None


class MusiCNN(Tagger):
    """Filters shaped for timbre and for rhythm, dense layers on them, 200 features."""

    features = 200
    input_norm: nn.Module

    def __init__(self) -> None:
        super().__init__()
        widths = (204, 204, 51, 51, 51)
        self.input_norm = _norm(1)
        self.front = nn.ModuleList(
            nn.Conv2d(1, width, kernel)
            for width, kernel in zip(widths, _FRONT_END_KERNELS, strict=True)
        )
        self.front_norm = nn.ModuleList(_norm(width) for width in widths)
        self.middle = nn.ModuleList(nn.Conv1d(rows, 64, 7, padding=3) for rows in (561, 64, 64))
        self.middle_norm = nn.ModuleList(_norm(64, dimensions=1) for _ in range(3))
        self.pool_norm = _norm(2 * 753, dimensions=1)
        self.dense = nn.Linear(2 * 753, self.features)
        self.dense_norm = _norm(self.features, dimensions=1)
        self.tags = nn.Linear(self.features, TAGS)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        x = self.input_norm(patches[:, None])
        fronts = []
        for convolution, norm, (length, _) in zip(
            self.front, self.front_norm, _FRONT_END_KERNELS, strict=True
        ):
            padded = functional.pad(x, (0, 0, (length - 1) // 2, length // 2))
            fronts.append(
                _loudest(padded, cast(nn.Conv2d, convolution), cast(nn.BatchNorm2d, norm))
            )
        levels = [torch.cat(fronts, dim=1)]
        for convolution, norm in zip(self.middle, self.middle_norm, strict=True):
            heard = norm(functional.relu(convolution(levels[-1])))
            levels.append(heard if len(levels) == 1 else heard + levels[-1])
        everything = torch.cat(levels, dim=1)
        pooled = torch.stack([everything.amax(dim=2), everything.mean(dim=2)], dim=2).flatten(1)
        features = self.dense_norm(functional.relu(self.dense(self.pool_norm(pooled))))
        return self.tags(features), features


class Vgg(Tagger):
    """Five layers of 128 small filters; the features are what is left of the last pooling."""

    features = 256
    input_norm: nn.Module

    def __init__(self) -> None:
        super().__init__()
        self.input_norm = _norm(1)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inputs, 128, 3, padding=1) for inputs in (1, 128, 128, 128, 128)
        )
        self.norms = nn.ModuleList(_norm(128) for _ in range(5))
        self.pools = nn.ModuleList(
            [nn.MaxPool2d((4, 1), 2), *(nn.MaxPool2d(2) for _ in range(3)), nn.MaxPool2d(4)]
        )
        self.tags = nn.Linear(self.features, TAGS)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        x = self.input_norm(patches[:, None])
        for convolution, norm, pool in zip(self.convolutions, self.norms, self.pools, strict=True):
            x = pool(norm(functional.relu(convolution(x))))
        features = x.permute(0, 2, 3, 1).flatten(1)  # as TensorFlow lays them out
        return self.tags(features), features


def _loudest(padded: Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """The largest of ``norm(relu(convolution(padded)))`` over the bands, (n, channels, frames).

    The last steps only rise, or fall where a channel's weight is negative: outside of training they
    are asked for the largest or smallest value alone, and most of the work is saved.
    """
    if norm.training:
        return norm(functional.relu(convolved(padded, convolution))).amax(dim=3)
    sign = torch.where(norm.weight < 0, -1.0, 1.0)
    if padded.device.type == "cpu":
        filters = sign[:, None, None] * convolution.weight[:, 0]
        found = sign * loudest_band(padded[:, 0], filters) + cast(Tensor, convolution.bias)
        # Laid out anew: of a transposed view PyTorch's batch_norm gives wrong gradients on a CPU.
        extreme = found.transpose(1, 2).contiguous()
    else:
        signed = sign[:, None, None] * convolved(padded, convolution)
        extreme = sign[:, None] * signed.amax(dim=3)
    heard: Tensor = norm(functional.relu(extreme)[..., None])
    return heard[..., 0]


def convolved(x: Tensor, convolution: nn.Conv2d, *, by_product: bool | None = None) -> Tensor:
    """What a convolution makes of one channel (n, 1, frames, bands), without padding.

    ``by_product``, the default on CUDA, writes it as a product of matrices: for one channel and
    kernels of such shapes that is about ten times as fast there as what cuDNN does.
    """
    if not (x.is_cuda if by_product is None else by_product):
        return convolution(x)
    length, width = convolution.kernel_size
    places = x[:, 0].unfold(1, length, 1).unfold(2, width, 1).flatten(3)
    weight = convolution.weight.flatten(1)
    return functional.linear(places, weight, convolution.bias).permute(0, 3, 1, 2)


def _norm(channels: int, *, dimensions: int = 2) -> nn.Module:
    return (nn.BatchNorm1d if dimensions == 1 else nn.BatchNorm2d)(channels, eps=1e-3)


def filled_tagger(index: bytes, data: bytes) -> Tagger:
    """A tagger from the bytes of a checkpoint's two files; raises KeyError or ValueError."""
    return filled_tagger_of(read_tensorflow_checkpoint(index, data))


Variables = Mapping[str, npt.NDArray[np.float32]]


def filled_tagger_of(saved: Variables) -> Tagger:
    """A tagger from a checkpoint's variables; raises KeyError or ValueError."""
    return (_filled_vgg(saved) if "1CNN/kernel" in saved else _filled_musicnn(saved)).eval()


def _filled_musicnn(saved: Variables) -> MusiCNN:
    model = MusiCNN()
    _fill_norm(model.input_norm, saved, 0)
    for index, convolution in enumerate(model.front):
        _fill(convolution, saved, _numbered("conv2d", index), 3, 2, 0, 1)
        _fill_norm(model.front_norm[index], saved, index + 1)
    for index, convolution in enumerate(model.middle):
        # TensorFlow sees (7 frames, all rows, 1) -> 64; here the rows are the channels.
        _fill(convolution, saved, _numbered("conv2d", index + 5), 3, 1, 0, 2)
        _fill_norm(model.middle_norm[index], saved, index + 6)
    _fill_norm(model.pool_norm, saved, 9)
    _fill(model.dense, saved, "dense", 1, 0)
    _fill_norm(model.dense_norm, saved, 10)
    _fill(model.tags, saved, "dense_1", 1, 0)
    return model


def _filled_vgg(saved: Variables) -> Vgg:
    model = Vgg()
    _fill_norm(model.input_norm, saved, 0)
    for index, convolution in enumerate(model.convolutions):
        _fill(convolution, saved, f"{index + 1}CNN", 3, 2, 0, 1)
        _fill_norm(model.norms[index], saved, index + 1)
    _fill(model.tags, saved, "dense", 1, 0)
    return model


def _numbered(name: str, index: int) -> str:
    return f"{name}_{index}" if index else name


def _fill_norm(module: nn.Module, saved: Variables, index: int) -> None:
    prefix = _numbered("batch_normalization", index)
    module.load_state_dict(
        {
            "weight": torch.from_numpy(saved[f"{prefix}/gamma"]),
            "bias": torch.from_numpy(saved[f"{prefix}/beta"]),
            "running_mean": torch.from_numpy(saved[f"{prefix}/moving_mean"]),
            "running_var": torch.from_numpy(saved[f"{prefix}/moving_variance"]),
            "num_batches_tracked": torch.tensor(0),
        }
    )


def _fill(module: nn.Module, saved: Variables, name: str, *axes: int) -> None:
    kernel = saved[f"{name}/kernel"].transpose(axes)
    own = module.state_dict()["weight"]
    module.load_state_dict(
        {
            "weight": torch.from_numpy(kernel.copy()).reshape(own.shape),
            "bias": torch.from_numpy(saved[f"{name}/bias"]),
        }
    )


def compressed(power: Tensor) -> Tensor:
    """The logarithm that the taggers were trained on, of mel power."""
    return torch.log10(10_000.0 * power + 1.0)


def mel_frames(mono: npt.NDArray[np.float32]) -> Tensor:
    """Mel power (frames, 96) of a 16 kHz mono signal, 62.5 frames a second."""
    spectrum = torch.stft(
        torch.from_numpy(np.ascontiguousarray(mono)),
        N_FFT,
        HOP_LENGTH,
        window=torch.hann_window(N_FFT),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    filters = mel_filters_of(SAMPLE_RATE, n_fft=N_FFT, n_mels=N_MELS)
    return (torch.from_numpy(filters) @ spectrum.abs().square()).T


def log_mel_patches(mono: npt.NDArray[np.float32], *, hop_seconds: float = PATCH_SECONDS) -> Tensor:
    """Patches (n, 187, 96) of a 16 kHz mono signal, one every ``hop_seconds``.

    A signal shorter than one patch (3 s) is repeated until it fills one.
    """
    needed = PATCH_FRAMES * HOP_LENGTH
    if mono.size < needed:
        mono = np.tile(mono, -(-needed // max(1, mono.size)))[:needed]
    step = max(1, round(hop_seconds * FRAMES_PER_SECOND))
    frames = compressed(mel_frames(mono))
    return frames.unfold(0, PATCH_FRAMES, step).transpose(1, 2).contiguous()
