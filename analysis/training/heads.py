"""What is fitted on top of a trained trunk besides the genres: embedding head and temperature."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import TripletMarginMiner
from torch import Tensor, nn

from analysis.neural.listener import EMBEDDING_DIMENSIONS, ListeningNetwork, scale_mel
from analysis.training.augment import Augmentation, random_windows
from analysis.training.datasets import MelCorpus
from analysis.training.neighbours import near_in_tempo_and_timbre
from analysis.training.picture_bank import PictureBank

log = logging.getLogger(__name__)

# What may happen to a recording on its way: another speed, another master, noise, a codec that
# empties quiet cells, whereupon the picture's scale spans more decibels.
_OTHER_MASTER = Augmentation(
    stretch=0.02,
    shift_bands=0,
    speed=0.05,
    depth=0.2,
    equaliser=0.12,
    tilt=0.1,
    mask_bands=8,
    mask_columns=8,
    masks=1,
    short=0.0,
)


@dataclass(frozen=True)
class EmbeddingRecipe:
    """Siamese training of the embedding head on the frozen trunk.

    The two sides of a positive pair are differently changed windows of one track, of two tracks of
    one artist, or of two tracks near in tempo and timbre, each kind with its weight; negatives are
    whatever else is in the batch, the same genre included.
    """

    windows_per_track: int = 8
    epochs: int = 10
    tracks_per_batch: int = 96
    margin: float = 0.2
    learning_rate: float = 3e-4
    track_weight: float = 1.0
    artist_weight: float = 1.0
    near_weight: float = 0.5
    shrinkage: float = 0.1
    seed: int = 7
    augmentation: Augmentation = field(default_factory=lambda: _OTHER_MASTER)


@torch.inference_mode()
def pooled_windows(
    network: ListeningNetwork, corpus: MelCorpus, *, recipe: EmbeddingRecipe
) -> Tensor:
    """Trunk features (n, windows, 512) of random, changed windows of each track."""
    generator = torch.Generator().manual_seed(recipe.seed)
    bank = PictureBank(corpus.pictures())
    network.eval()
    rounds = []
    for _ in range(recipe.windows_per_track):
        batches = []
        for tracks in torch.arange(len(bank)).split(64):
            windows = random_windows(
                bank, tracks, augmentation=recipe.augmentation, generator=generator
            )
            scaled = scale_mel(windows * 255.0)[:, None]
            scaled = scaled.to(memory_format=torch.channels_last)
            batches.append(network.judge(network.feature_map(scaled))[1])
        rounds.append(torch.cat(batches))
    return torch.stack(rounds, dim=1)


def train_embedding_head(
    network: ListeningNetwork, corpus: MelCorpus, *, recipe: EmbeddingRecipe
) -> None:
    """Fit ``network.project`` in place.

    It begins as the linear map that whitens what differs within an artist's music (Hatch et al.
    2006, "Within-class covariance normalization") and keeps the 128 directions in which the rest
    differs most; triplet margin loss with semi-hard mining (Schroff et al. 2015, "FaceNet") goes
    on from there.
    """
    torch.manual_seed(recipe.seed)
    features = pooled_windows(network, corpus, recipe=recipe).clone()
    kinds = [
        (recipe.track_weight, torch.arange(len(corpus))),
        (recipe.artist_weight, _numbered(corpus.artists)),
        (recipe.near_weight, torch.from_numpy(near_in_tempo_and_timbre(corpus))),
    ]
    matrix, mean = whitening(features, kinds[1][1], shrinkage=recipe.shrinkage)
    with torch.no_grad():
        network.project.weight.copy_(matrix)
        network.project.bias.copy_(-matrix @ mean)
    loss_of = TripletMarginLoss(margin=recipe.margin)
    miner = TripletMarginMiner(margin=recipe.margin, type_of_triplets="semihard")
    scale = float(matrix.norm(dim=1).mean())
    optimizer = torch.optim.Adam(
        network.project.parameters(), lr=recipe.learning_rate * scale / matrix.shape[1] ** 0.5
    )
    generator = torch.Generator().manual_seed(recipe.seed)
    for epoch in range(recipe.epochs):
        total = 0.0
        for tracks in torch.randperm(len(corpus), generator=generator).split(
            recipe.tracks_per_batch
        ):
            picks = torch.randint(features.shape[1], (len(tracks), 3), generator=generator)
            vectors = network.embed(features[tracks[:, None], picks].flatten(0, 1))
            loss = torch.zeros(())
            for weight, groups in kinds:
                labels = groups[tracks].repeat_interleave(3)
                loss = loss + weight * loss_of(vectors, labels, miner(vectors, labels))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(tracks)
        log.info("embedding epoch %d loss %.4f", epoch + 1, total / len(corpus))


def whitening(features: Tensor, groups: Tensor, *, shrinkage: float) -> tuple[Tensor, Tensor]:
    """Matrix (128, 512) and mean (512,): whiten the scatter within groups (n,) of features
    (n, windows, 512), then keep the principal directions."""
    flat = features.flatten(0, 1).double()
    members = groups.repeat_interleave(features.shape[1])
    mean, spread = flat.mean(dim=0), flat.std(dim=0) + 1e-6
    scaled = (flat - mean) / spread
    names, inside = members.unique(return_inverse=True)
    sums = torch.zeros(len(names), flat.shape[1], dtype=torch.double).index_add(0, inside, scaled)
    centres = sums / inside.bincount()[:, None]
    within = scaled - centres[inside]
    covariance = within.T @ within / len(within)
    covariance += shrinkage * covariance.diag().mean() * torch.eye(len(covariance))
    whiten = torch.linalg.cholesky(torch.linalg.inv(covariance))
    points = scaled @ whiten
    _, vectors = torch.linalg.eigh(points.T @ points / len(points))
    principal = vectors[:, -EMBEDDING_DIMENSIONS:]
    matrix = (whiten @ principal).T / spread
    return matrix.float(), mean.float()


def _numbered(names: list[str]) -> Tensor:
    order = {name: index for index, name in enumerate(sorted(set(names)))}
    return torch.tensor([order[name] for name in names])


def fit_temperature(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    """Temperature that minimises the negative log likelihood (Guo et al. 2017).

    Discriminants of many dimensions are far too sure of themselves and ask for one near ten.
    """
    candidates = np.geomspace(0.1, 50.0, 600)
    tensor, target = torch.from_numpy(logits), torch.from_numpy(labels)
    losses = [
        float(nn.functional.cross_entropy(tensor / float(value), target)) for value in candidates
    ]
    return float(candidates[int(np.argmin(losses))])
