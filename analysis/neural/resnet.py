"""ResNet18 (He et al. 2016) for one-channel pictures.

Layer for layer the network of ``torchvision.models.resnet18`` (the tests load its weights and
compare), written out here because importing torchvision costs every worker some 130 MB.
"""

from __future__ import annotations

from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, channels_in: int, channels: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + shortcut)


def layer(channels_in: int, channels: int, *, stride: int) -> nn.Sequential:
    """Two basic blocks; the first one changes size and width."""
    return nn.Sequential(
        BasicBlock(channels_in, channels, stride=stride),
        BasicBlock(channels, channels, stride=1),
    )


def stem() -> nn.Sequential:
    """Everything up to and with layer 2: (n, 1, h, w) to (n, 128, h/8, w/8)."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
        layer(64, 64, stride=1),
        layer(64, 128, stride=2),
    )


def initialise(network: nn.Module) -> None:
    """He initialisation of every convolution, as torchvision does it."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
