"""Spleeter's U-Net: a magnitude picture in, one instrument's share of it out.

Hennequin et al. 2020, "Spleeter: a fast and efficient music source separation tool with
pre-trained models" (JOSS 5(50), 2154); the network after Jansson et al. 2017. Six strided
convolutions down, six transposed ones up, skip connections, and a dilated layer with a sigmoid.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

BLOCK_FRAMES = 512
BINS = 1024
CHANNELS = 2
_DOWN = (16, 32, 64, 128, 256, 512)
_UP = (256, 128, 64, 32, 16, 1)
_EPS = 1e-3  # of the batch normalisation, as trained


class UNet(nn.Module):
    """Sigmoid mask of one instrument.

    ``forward`` takes magnitudes (batch, 2, frames, bins), both sizes multiples of 64, and gives the
    mask of the same shape, 0 to 1.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (CHANNELS, *_DOWN)
        self.down = nn.ModuleList(
            nn.Conv2d(widths[i], widths[i + 1], 5, stride=2) for i in range(len(_DOWN))
        )
        self.down_norm = nn.ModuleList(nn.BatchNorm2d(width, eps=_EPS) for width in _DOWN[:-1])
        entering = (_DOWN[-1], *(_UP[i] + _DOWN[-2 - i] for i in range(5)))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(entering[i], _UP[i], 5, stride=2) for i in range(len(_UP))
        )
        self.up_norm = nn.ModuleList(nn.BatchNorm2d(width, eps=_EPS) for width in _UP)
        self.mask = nn.Conv2d(1, CHANNELS, 4, dilation=2, padding=3)

    def forward(self, magnitude: torch.Tensor) -> torch.Tensor:
        """Mask of ``magnitude``'s shape."""
        skips: list[torch.Tensor] = []
        signal = magnitude.contiguous(memory_format=torch.channels_last)  # faster on the CPU
        for level, convolution in enumerate(self.down):
            # TensorFlow's "same" padding for kernel 5, stride 2: one before, two after.
            signal = convolution(functional.pad(signal, (1, 2, 1, 2)))
            skips.append(signal)
            if level < len(self.down_norm):
                signal = functional.leaky_relu(self.down_norm[level](signal), 0.2)
        signal = skips.pop()
        for level, (convolution, norm) in enumerate(zip(self.up, self.up_norm, strict=True)):
            if level:
                signal = torch.cat([skips.pop(), signal], dim=1)
            signal = norm(functional.relu(convolution(signal)[:, :, 1:-2, 1:-2]))
        return torch.sigmoid(self.mask(signal))


def from_checkpoint(state: dict[str, torch.Tensor]) -> UNet:
    """The network with a checkpoint's weights, ready to judge.

    Raises
    ------
    RuntimeError
        If a tensor is missing, left over or of another shape.
    """
    renamed = {}
    for name, tensor in state.items():
        block, part, *rest = name.split(".")
        if part == "num_batches_tracked" or rest == ["num_batches_tracked"]:
            continue
        field = rest[0] if rest else part
        if block.startswith("down"):
            level, kind = block.removeprefix("down").split("_")
            list_name = "down" if kind == "conv" else "down_norm"
            if list_name == "down_norm" and level == "6":
                continue  # trained along, but nothing reads it: the deepest layer goes up as it is
            renamed[f"{list_name}.{int(level) - 1}.{field}"] = tensor
        elif block == "up7":
            renamed[f"mask.{field}"] = tensor
        else:
            list_name = "up" if part == "0" else "up_norm"
            renamed[f"{list_name}.{int(block.removeprefix('up')) - 1}.{field}"] = tensor
    network = UNet()
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            renamed[name] = tensor
    network.load_state_dict(renamed)
    return network.eval().requires_grad_(False)
