"""Fitting what a tagger adds to the trunk where there is sound (``analysis.neural.companion``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from analysis.neural.listener import EMBEDDING_DIMENSIONS, CompanionHeads, ListeningNetwork
from analysis.training.datasets import MelCorpus
from analysis.training.genre_head import Examples, HeadRecipe, discriminant, pool_pictures
from analysis.training.heads import fit_temperature

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Agreement:
    """How two listeners' genre logits become one answer: those of the tagger count ``share`` times
    beside the trunk's, and the sum is divided by ``temperature``."""

    share: float
    temperature: float


def fit_companion(
    network: ListeningNetwork, sounds: MelCorpus, *, recipe: HeadRecipe | None = None
) -> None:
    """Give ``network`` heads on the features that the tagger heard in ``sounds``.

    The genre head is a linear discriminant like the trunk's (:mod:`analysis.training.genre_head`).
    The place in the similarity space needs no labels: of both listeners' vectors side by side, the
    128 directions are kept in which the sounds' products are largest (uncentred principal
    components), so that cosines stay what they were as nearly as 128 numbers can. Raises ValueError
    for a corpus without tagged sound, or without a track of some class.
    """
    recipe = recipe or HeadRecipe()
    tagged = _tagged(sounds)
    heads = CompanionHeads(network.genre.out_features)
    windows = np.concatenate(tagged)
    heads.mean.copy_(torch.from_numpy(windows.mean(axis=0)))
    heads.spread.copy_(torch.from_numpy(windows.std(axis=0) + 1e-6))
    counts = [len(rows) for rows in tagged]
    examples = Examples(
        windows,
        np.repeat(np.arange(len(tagged)), counts),
        np.repeat([1.0 / count for count in counts], counts).astype(np.float32),
    )
    matrix, offset = discriminant(
        examples, sounds.labels, classes=network.genre.out_features, shrinkage=recipe.shrinkage
    )
    places = _side_by_side(network, heads, sounds)
    _, vectors = np.linalg.eigh(places.T @ places)
    with torch.no_grad():
        heads.genre.weight.copy_(torch.from_numpy(matrix))
        heads.genre.bias.copy_(torch.from_numpy(offset))
        heads.fuse.weight.copy_(torch.from_numpy(vectors[:, -EMBEDDING_DIMENSIONS:].T.copy()))
    network.companion = heads.eval().requires_grad_(False)


def agree(network: ListeningNetwork, sounds: MelCorpus) -> Agreement:
    """Weigh both listeners on sounds that neither has learned from.

    Each is first made less sure by a temperature of its own, where it was too sure, then both count
    alike: one number for each listener and one for the sum, fitted to the likelihood (Guo et al.
    2017). None is made surer than it was: where few sounds are all named right, the likelihood asks
    for temperatures near nothing.
    """
    trunk, tagger = _logits(network, sounds)
    own = [max(1.0, fit_temperature(logits, sounds.labels)) for logits in (trunk, tagger)]
    share = own[0] / own[1]
    return Agreement(share, fit_temperature(trunk + share * tagger, sounds.labels))


@torch.inference_mode()
def answers_of_both(network: ListeningNetwork, sounds: MelCorpus) -> tuple[Float, Float]:
    """Both listeners' logits (n, k), added up, and their embeddings (n, 128)."""
    trunk, tagger = _logits(network, sounds)
    if network.companion is None:
        raise ValueError("there is no companion to agree with")
    places = torch.from_numpy(_side_by_side(network, network.companion, sounds)).float()
    embeddings = functional.normalize(network.companion.fuse(places), dim=1)
    return trunk + tagger, embeddings.numpy()


def apply(network: ListeningNetwork, found: Agreement) -> None:
    """Let the tagger's logits count as agreed."""
    if network.companion is None:
        raise ValueError("there is no companion to agree with")
    with torch.no_grad():
        network.companion.genre.weight.mul_(found.share)
        network.companion.genre.bias.mul_(found.share)


def _tagged(sounds: MelCorpus) -> list[Float]:
    if sounds.tagged is None:
        raise ValueError("the corpus holds pictures alone: no tagger has heard its sound")
    return sounds.tagged


def _logits(network: ListeningNetwork, sounds: MelCorpus) -> tuple[Float, Float]:
    """Mean logits (n, k) of the trunk, and of the tagger."""
    if network.companion is None:
        raise ValueError("there is no companion to agree with")
    trunk, tagger = [], []
    with torch.inference_mode():
        for pooled, rows in zip(
            pool_pictures(network, sounds.pictures()), _tagged(sounds), strict=True
        ):
            trunk.append(network.genre(torch.from_numpy(pooled)).mean(0))
            tagger.append(network.companion.genre(torch.from_numpy(rows)).mean(0))
    return torch.stack(trunk).numpy(), torch.stack(tagger).numpy()


@torch.inference_mode()
def _side_by_side(
    network: ListeningNetwork, heads: CompanionHeads, sounds: MelCorpus
) -> npt.NDArray[np.float64]:
    """Both listeners' mean vectors (n, 328) of each sound."""
    rows: list[Tensor] = []
    for pooled, tagged in zip(
        pool_pictures(network, sounds.pictures()), _tagged(sounds), strict=True
    ):
        place = network.embed(torch.from_numpy(pooled)).mean(0)
        rows.append(heads.track(place, torch.from_numpy(tagged)))
    return torch.stack(rows).numpy().astype(np.float64)
