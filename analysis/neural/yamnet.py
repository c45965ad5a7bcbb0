"""YAMNet, a tagger of everyday sound and music, and how it takes in sound or a picture of it.

Plakal & Ellis 2020, "YAMNet" (Apache-2.0; github.com/tensorflow/models, research/audioset/yamnet):
a MobileNet (Howard et al. 2017) trained on 521 classes of AudioSet (Gemmeke et al. 2017), dozens of
them genres, instruments and ways of singing. Written out in PyTorch after its description; it reads
the published variables as they are (:func:`filled_yamnet`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from analysis.neural.taggers import Tagger

SAMPLE_RATE = 16_000
HOP_LENGTH = 160
N_MELS = 64
PATCH_FRAMES = 96
FRAMES_PER_SECOND = SAMPLE_RATE / HOP_LENGTH
CLASSES = 521
_WINDOW, _N_FFT = 400, 512
_LOWEST_HZ, _HIGHEST_HZ = 125.0, 7_500.0
_FLOOR = 0.001
# Channels and stride of each pair of layers, one filter a channel and one between the channels.
_PAIRS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *[(512, 1)] * 5,
    *((1024, 2), (1024, 1)),
)

Variables = Mapping[str, npt.NDArray[np.float32]]


class YAMNet(Tagger):
    """Patches (n, 96, 64) of log-mel frames give the logits of 521 classes and 1,024 features.

    ``picture_gain`` (64,) is how much each band of a picture is raised, in nepers, before it is
    heard as one of sound: see :mod:`analysis.neural.front_ends`.
    """

    features = 1024
    tag_count = CLASSES
    input_norm = None
    picture_gain: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers = [_Layer(1, 32, kernel=3, stride=2)]
        channels = 32
        for wider, stride in _PAIRS:
            layers.append(_Layer(channels, channels, kernel=3, stride=stride, groups=channels))
            layers.append(_Layer(channels, wider, kernel=1))
            channels = wider
        self.layers = nn.ModuleList(layers)
        self.tags = nn.Linear(channels, CLASSES)
        self.register_buffer("picture_gain", torch.zeros(N_MELS))

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        x = patches[:, None].contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = layer(x)
        features = x.mean(dim=(2, 3))
        return self.tags(features), features


class _Layer(nn.Module):
    """A convolution padded as TensorFlow pads ("same"), normalised and rectified."""

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.filters = nn.Conv2d(inputs, outputs, kernel, stride=stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-4)
        self._kernel, self._stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = (self._beside(size) for size in x.shape[2:])
        heard: Tensor = self.norm(self.filters(functional.pad(x, (*columns, *rows))))
        return functional.relu(heard)

    def _beside(self, size: int) -> tuple[int, int]:
        """Zeros before and after; where they cannot be halved, the one more stands after."""
        missing = max(0, (-(-size // self._stride) - 1) * self._stride + self._kernel - size)
        return missing // 2, missing - missing // 2


_PREFIX = "layer_with_weights-"


def is_yamnet(saved: Variables) -> bool:
    """Whether a checkpoint's variables are those of a YAMNet, alone or inside another model."""
    return any(f"yamnet/{_PREFIX}54/kernel" in name for name in saved)


def filled_yamnet(saved: Variables) -> YAMNet:
    """The network of a saved model's variables; raises KeyError or ValueError for another one's."""
    found = {
        name.rpartition(_PREFIX)[2].removesuffix("/.ATTRIBUTES/VARIABLE_VALUE"): values
        for name, values in saved.items()
        if f"yamnet/{_PREFIX}" in name
    }
    model = YAMNet()
    state = {"picture_gain": model.picture_gain}
    for number, layer in enumerate(model.layers):
        filters = layer.get_submodule("filters")
        assert isinstance(filters, nn.Conv2d)
        if filters.groups > 1:
            kernel = found[f"{2 * number}/depthwise_kernel"].transpose(2, 3, 0, 1)
        else:
            kernel = found[f"{2 * number}/kernel"].transpose(3, 2, 0, 1)
        mean = found[f"{2 * number + 1}/moving_mean"]
        values = {
            "filters.weight": kernel,
            "norm.weight": np.ones_like(mean),
            "norm.bias": found[f"{2 * number + 1}/beta"],
            "norm.running_mean": mean,
            "norm.running_var": found[f"{2 * number + 1}/moving_variance"],
            "norm.num_batches_tracked": np.zeros((), np.int64),
        }
        state |= {f"layers.{number}.{name}": torch.tensor(value) for name, value in values.items()}
    state["tags.weight"] = torch.tensor(found["54/kernel"].T)
    state["tags.bias"] = torch.tensor(found["54/bias"])
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"no YAMNet: {error}") from error
    return model.eval()


def mel_frames(mono: npt.NDArray[np.float32]) -> Tensor:
    """Mel amplitudes (frames, 64) of a 16 kHz mono signal, 100 frames a second."""
    sound = torch.from_numpy(np.ascontiguousarray(mono))
    missing = (PATCH_FRAMES - 1) * HOP_LENGTH + _WINDOW - sound.numel()
    sound = functional.pad(sound, (0, max(0, missing)))
    pieces = sound.unfold(0, _WINDOW, HOP_LENGTH) * torch.hann_window(_WINDOW)
    return torch.fft.rfft(pieces, _N_FFT).abs() @ _filters()


def compressed(amplitude: Tensor) -> Tensor:
    """The logarithm that the network was trained on, of mel amplitudes."""
    return torch.log(amplitude + _FLOOR)


def expanded(frames: Tensor) -> Tensor:
    """Mel amplitudes from their :func:`compressed` logarithm."""
    return frames.exp() - _FLOOR


def band_centres_hz() -> npt.NDArray[np.float64]:
    """Where the 64 bands have their tops."""
    return np.asarray(_hz(_edges()[1:-1]))


def _mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mels as TensorFlow and HTK count them."""
    return np.asarray(1127.0 * np.log1p(hz / 700.0))


def _hz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(700.0 * np.expm1(mels / 1127.0))


def _edges() -> npt.NDArray[np.float64]:
    """In mels, the feet and tops of the triangles."""
    lowest, highest = _mel(np.array([_LOWEST_HZ, _HIGHEST_HZ]))
    return np.linspace(lowest, highest, N_MELS + 2)


@cache
def _filters() -> Tensor:
    """Triangles (257, 64) over the bins, straight in mels, each one high; the constant is left
    out."""
    bins = _mel(np.linspace(0.0, SAMPLE_RATE / 2, _N_FFT // 2 + 1))[:, None]
    edges = _edges()
    below, top, above = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - below) / (top - below), (above - bins) / (above - top)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    return torch.from_numpy(weights.astype(np.float32))
