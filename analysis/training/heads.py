"""What is fitted on top of a trained trunk: embedding head, temperature, familiarity."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import TripletMarginMiner
from torch import nn

from analysis.neural.listener import ListeningNetwork, scale_mel
from analysis.training.augment import Augmentation, random_window
from analysis.training.datasets import MelCorpus

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EmbeddingRecipe:
    """Siamese training of the embedding head on the frozen trunk.

    The two sides of a positive pair are different, differently changed windows of one track, or of
    two tracks of one artist; negatives are whatever else is in the batch, the same genre included.
    """

    windows_per_track: int = 16
    epochs: int = 40
    tracks_per_batch: int = 64
    margin: float = 0.2
    learning_rate: float = 1e-3
    seed: int = 7


@torch.inference_mode()
def pooled_windows(
    network: ListeningNetwork, corpus: MelCorpus, *, per_track: int, seed: int
) -> torch.Tensor:
    """Trunk features (n, per_track, 512) of random, changed windows of each track."""
    generator = torch.Generator().manual_seed(seed)
    augmentation = Augmentation(tilt=0.08, noise=0.02, mask_bands=8, mask_columns=8)
    network.eval()
    rows = []
    for picture in torch.from_numpy(corpus.mel):
        windows = torch.stack(
            [
                random_window(picture, augmentation=augmentation, generator=generator)
                for _ in range(per_track)
            ]
        )
        rows.append(network(scale_mel(windows * 255.0)[:, None]).pooled)
    return torch.stack(rows)


def train_embedding_head(
    network: ListeningNetwork, corpus: MelCorpus, *, recipe: EmbeddingRecipe
) -> None:
    """Fit ``network.project`` in place by triplet margin loss with semi-hard mining."""
    torch.manual_seed(recipe.seed)
    features = pooled_windows(
        network, corpus, per_track=recipe.windows_per_track, seed=recipe.seed
    ).clone()
    names = sorted(set(corpus.artists))
    artist = torch.tensor([names.index(name) for name in corpus.artists])
    loss_of = TripletMarginLoss(margin=recipe.margin)
    miner = TripletMarginMiner(margin=recipe.margin, type_of_triplets="semihard")
    optimizer = torch.optim.AdamW(
        network.project.parameters(), lr=recipe.learning_rate, weight_decay=1e-3
    )
    generator = torch.Generator().manual_seed(recipe.seed)
    for epoch in range(recipe.epochs):
        total, batches = 0.0, 0
        for tracks in torch.randperm(len(corpus), generator=generator).split(
            recipe.tracks_per_batch
        ):
            picks = torch.randint(recipe.windows_per_track, (len(tracks), 4), generator=generator)
            batch = features[tracks[:, None], picks].flatten(0, 1)
            labels = artist[tracks].repeat_interleave(4)
            vectors = network.embed(batch)
            loss = loss_of(vectors, labels, miner(vectors, labels))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total, batches = total + float(loss.detach()), batches + 1
        if epoch % 10 == 9:
            log.info("embedding epoch %d loss %.4f", epoch + 1, total / batches)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Temperature that minimises the negative log likelihood (Guo et al. 2017)."""
    candidates = np.geomspace(0.2, 5.0, 400)
    tensor, target = torch.from_numpy(logits), torch.from_numpy(labels)
    losses = [
        float(nn.functional.cross_entropy(tensor / float(value), target)) for value in candidates
    ]
    return float(candidates[int(np.argmin(losses))])
