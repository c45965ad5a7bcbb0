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
    places = _heard(network, heads, sounds)[2].astype(np.float64)
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
    trunk, tagger, _ = _heard(network, _companion(network), sounds)
    own = [max(1.0, fit_temperature(logits, sounds.labels)) for logits in (trunk, tagger)]
    share = own[0] / own[1]
    return Agreement(share, fit_temperature(trunk + share * tagger, sounds.labels))


@torch.inference_mode()
def answers_of_both(network: ListeningNetwork, sounds: MelCorpus) -> tuple[Float, Float]:
    """Both listeners' logits (n, k), added up, and their embeddings (n, 128)."""
    companion = _companion(network)
    trunk, tagger, places = _heard(network, companion, sounds)
    embeddings = functional.normalize(companion.fuse(torch.from_numpy(places)), dim=1)
    return trunk + tagger, embeddings.numpy()


def apply(network: ListeningNetwork, found: Agreement) -> None:
    """Let the tagger's logits count as agreed."""
    companion = _companion(network)
    with torch.no_grad():
        companion.genre.weight.mul_(found.share)
        companion.genre.bias.mul_(found.share)


def _companion(network: ListeningNetwork) -> CompanionHeads:
    if network.companion is None:
        raise ValueError("there is no companion to agree with")
    return network.companion


def _tagged(sounds: MelCorpus) -> list[Float]:
    if sounds.tagged is None:
        raise ValueError("the corpus holds pictures alone: no tagger has heard its sound")
    return sounds.tagged


@torch.inference_mode()
def _heard(
    network: ListeningNetwork, heads: CompanionHeads, sounds: MelCorpus
) -> tuple[Float, Float, Float]:
    """Of each sound the mean logits (n, k) of the trunk, those of the tagger, and both listeners'
    vectors side by side (n, 328)."""
    rows: list[tuple[Tensor, Tensor, Tensor]] = []
    for pooled, tagged in zip(
        pool_pictures(network, sounds.pictures()), _tagged(sounds), strict=True
    ):
        windows, beside = torch.from_numpy(pooled), torch.from_numpy(tagged)
        place = heads.track(network.embed(windows).mean(0), beside)
        rows.append((network.genre(windows).mean(0), heads.genre(beside).mean(0), place))
    trunk, tagger, places = (torch.stack(column).numpy() for column in zip(*rows, strict=True))
    return trunk, tagger, places
