"""The listening network: one ResNet18 trunk on mel pictures, and three heads on it.

Everything that the product says about the character of a track comes out of one forward pass:

* the *trunk* turns a window of 128 mel columns (9.9 s) into a feature map and a 512-d mean;
* the *genre head* is linear on that mean;
* the *embedding head* projects the mean to 128 dimensions on the unit sphere (triplet loss);
* the *feature head*, linear and squashed, says what measurements on full-quality sound say about
  energy, danceability, acousticness and valence (:mod:`analysis.sound.features`).

A tagger may listen beside the trunk, to sound or, retrained, to pictures
(:mod:`analysis.neural.companion`); genre and embedding then come from both.

He et al. 2016, "Deep residual learning for image recognition" (ResNet18), with one input channel.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor, nn

from analysis.neural import resnet
from analysis.neural.taggers import MusiCNN, Tagger
from analysis.neural.yamnet import YAMNet

WINDOW_COLUMNS = 128
EMBEDDING_DIMENSIONS = 128
TRUNK_DIMENSIONS = 512
COMPANION_DIMENSIONS = MusiCNN.features
FEATURE_NAMES = ("energy", "danceability", "acousticness", "valence")


class Heard(NamedTuple):
    """What one forward pass gives for n windows."""

    logits: Tensor  # (n, classes)
    pooled: Tensor  # (n, 512)
    embedding: Tensor  # (n, 128), L2-normalised
    features: Tensor  # (n, 4) in 0..1, in the order of FEATURE_NAMES


class CompanionHeads(nn.Module):
    """What the features (n, d) of a tagger, or of several side by side, add to the trunk's
    answers."""

    mean: Tensor
    spread: Tensor

    def __init__(self, n_classes: int, dimensions: int = COMPANION_DIMENSIONS) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.genre = nn.Linear(dimensions, n_classes)
        self.fuse = nn.Linear(EMBEDDING_DIMENSIONS + dimensions, EMBEDDING_DIMENSIONS, bias=False)
        self.register_buffer("mean", torch.zeros(dimensions))
        self.register_buffer("spread", torch.ones(dimensions))

    def embed(self, places: Tensor, tagged: Tensor) -> Tensor:
        """Unit vectors (n, 128) from the trunk's (n, 128) and the tagger's features (n, d)."""
        both = torch.cat([places, self._own(tagged)], dim=1)
        return nn.functional.normalize(self.fuse(both), dim=1)

    def track(self, place: Tensor, tagged: Tensor) -> Tensor:
        """Both listeners' vectors side by side (128 + d,): the mean (128,) of the trunk's unit
        vectors of a track, and the mean of the tagger's, of its features (n, d)."""
        return torch.cat([place, self._own(tagged).mean(0)])

    def _own(self, tagged: Tensor) -> Tensor:
        """Standardised features (n, d) of length one."""
        return nn.functional.normalize((tagged - self.mean) / self.spread, dim=1)


class PictureCompanion(nn.Module):
    """A tagger that has been retrained to hear pictures, or two, and what they add."""

    yamnet: YAMNet | None

    def __init__(self, n_classes: int, *, yamnet: bool = False) -> None:
        super().__init__()
        self.tagger = MusiCNN()
        self.yamnet = YAMNet() if yamnet else None
        self.heads = CompanionHeads(n_classes, sum(tagger.features for tagger in self.taggers))

    @property
    def taggers(self) -> list[Tagger]:
        """Those whose features the heads take, in the order in which these stand."""
        return [self.tagger] if self.yamnet is None else [self.tagger, self.yamnet]


class ListeningNetwork(nn.Module):
    """ResNet18 on one-channel mel pictures scaled to about -2..2, with three heads, and perhaps
    those of a ``companion`` that hears the sound, and of another one that hears the picture."""

    companion: CompanionHeads | None
    picture_companion: PictureCompanion | None

    def __init__(
        self,
        n_classes: int,
        *,
        dropout: float = 0.2,
        companion: bool = False,
        picture_companion: bool = False,
        yamnet: bool = False,
    ) -> None:
        """``yamnet`` is whether the one that hears pictures has two taggers."""
        super().__init__()
        self.stem = resnet.stem()
        self.middle = resnet.layer(128, 256, stride=2)
        self.top = resnet.layer(256, 512, stride=2)
        resnet.initialise(self)
        self.dropout = nn.Dropout(dropout)
        self.genre = nn.Linear(TRUNK_DIMENSIONS, n_classes)
        self.project = nn.Linear(TRUNK_DIMENSIONS, EMBEDDING_DIMENSIONS)
        self.features = nn.Linear(TRUNK_DIMENSIONS, len(FEATURE_NAMES))
        self.companion = CompanionHeads(n_classes) if companion else None
        self.picture_companion = (
            PictureCompanion(n_classes, yamnet=yamnet) if picture_companion else None
        )

    @classmethod
    def holding(cls, names: Collection[str], n_classes: int) -> ListeningNetwork:
        """A network, not filled yet, with the parts that these names of tensors are of."""
        parts = {name.partition(".")[0] for name in names}
        return cls(
            n_classes,
            companion="companion" in parts,
            picture_companion="picture_companion" in parts,
            yamnet=any(name.startswith("picture_companion.yamnet.") for name in names),
        )

    def feature_map(self, windows: Tensor) -> Tensor:
        """Map (n, 256, 8, 8) of windows (n, 1, 128, 128), the output of layer 3."""
        return self.middle(self.stem(windows))

    def judge(self, feature_map: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, classes) and pooled features (n, 512) from :meth:`feature_map`'s output."""
        pooled = self.top(feature_map).mean(dim=(2, 3))
        return self.genre(self.dropout(pooled)), pooled

    def embed(self, pooled: Tensor) -> Tensor:
        """Unit vectors (n, 128) from pooled features (n, 512)."""
        return nn.functional.normalize(self.project(pooled), dim=1)

    def feel(self, pooled: Tensor) -> Tensor:
        """Perceptual features (n, 4) in 0..1 from pooled features (n, 512).

        Those of a whole track come from the mean of its windows' pooled features.
        """
        return torch.sigmoid(self.features(pooled))

    def forward(self, windows: Tensor) -> Heard:
        logits, pooled = self.judge(self.feature_map(windows))
        return Heard(logits, pooled, self.embed(pooled), self.feel(pooled))


def to_channels_last(network: nn.Module) -> None:
    """Lay the convolutions out as processors like them best: about 1.7 times as fast on a CPU."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def scale_mel(mel: Tensor) -> Tensor:
    """Network input from the 0..255 mel picture: (mel / 255 - 0.5) / 0.25."""
    return mel.to(torch.float32).div_(255.0).sub_(0.5).div_(0.25)
