"""Do the heat maps tell the truth? Two checks with figures, for the model card and the tests.

*Deletion.* Wiping the hottest 20 % of a picture's cells must hurt the class that they are said to
speak for much more than wiping a random 20 %.

A wiped cell gets *its band's mean over the track*. What is taken away is then what happened there
(the hit, the note, the pause), while the tonal balance stays that of the track and the picture one
that could be music. Black cells (0) would be holes of silence that no music has: they throw the
network off wherever they are (0.27 of the probability for a random 20 %, against 0.06), so that the
measure would say more of the holes than of the map. Random cells come in blocks of one cell of the
network's map, because single scattered pixels would be an easier opponent.

*Sanity* (Adebayo et al. 2018, "Sanity checks for saliency maps"). A map that hardly changes when
the weights are thrown away shows the picture's edges, not what the model learned. Every tensor's
numbers are shuffled within the tensor, which keeps their scale and destroys what was learned; the
maps of the same class are then compared by Spearman's rank correlation over all cells.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import stats

from analysis.neural.ears import Ears
from analysis.neural.grad_cam import cell_size

Mel = npt.NDArray[np.uint8]
Heat = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Deletion:
    """Mean fall of the likeliest class's probability over ``tracks``, when ``share`` of the cells
    are wiped: the hottest, and at random (mean over ``draws`` draws a track).

    ``hot_fell_more`` is the share of tracks on which the hottest cells cost more than random ones.
    """

    tracks: int
    share: float
    draws: int
    confidence: float
    hot_drop: float
    random_drop: float
    hot_fell_more: float

    @property
    def ratio(self) -> float:
        """How many times as much the hottest cells cost; infinite if random ones cost nothing."""
        return self.hot_drop / self.random_drop if self.random_drop > 0 else float("inf")


@dataclass(frozen=True)
class Sanity:
    """Spearman's rank correlation of maps before and after the weights were shuffled: the mean and
    the mean of the absolute values over ``tracks`` (each with weights shuffled anew)."""

    tracks: int
    correlation: float
    absolute_correlation: float


def deletion(
    ears: Ears, pictures: Sequence[Mel], *, share: float = 0.2, draws: int = 5, seed: int = 0
) -> Deletion:
    """Wipe the hottest and random cells of mel pictures (128, T).

    Raises ValueError without pictures, or for a share outside of 0..1.
    """
    _check(pictures)
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, got {share}")
    generator = np.random.default_rng(seed)
    confidence, hot, random = [], [], []
    for mel in pictures:
        heard = ears.hear(mel)
        index = ears.labels.index(heard.label)
        cell = cell_size(ears.network, *mel.shape)

        def drop(
            mask: Mask, mel: Mel = mel, index: int = index, before: float = heard.confidence
        ) -> float:
            return before - float(ears.probabilities(wiped(mel, mask))[index])

        confidence.append(heard.confidence)
        hot.append(drop(hottest(heard.heat, share)))
        masks = [random_blocks(mel.shape, cell, share, generator) for _ in range(draws)]
        random.append(float(np.mean([drop(mask) for mask in masks])))
    return Deletion(
        tracks=len(pictures),
        share=share,
        draws=draws,
        confidence=float(np.mean(confidence)),
        hot_drop=float(np.mean(hot)),
        random_drop=float(np.mean(random)),
        hot_fell_more=float(np.mean(np.array(hot) > np.array(random))),
    )


def sanity(ears: Ears, pictures: Sequence[Mel], *, seed: int = 0) -> Sanity:
    """Compare the maps of mel pictures (128, T) with those of shuffled weights.

    Raises ValueError without pictures.
    """
    _check(pictures)
    correlations = []
    for number, mel in enumerate(pictures):
        heard = ears.hear(mel)
        other = with_shuffled_weights(ears, seed=seed + number).hear(mel, explain=heard.label)
        if np.ptp(heard.heat) > 0 and np.ptp(other.heat) > 0:
            found = stats.spearmanr(heard.heat.ravel(), other.heat.ravel())
            correlations.append(float(found.statistic))
        else:  # an empty map has no order that could agree
            correlations.append(0.0)
    return Sanity(
        tracks=len(pictures),
        correlation=float(np.mean(correlations)),
        absolute_correlation=float(np.mean(np.abs(correlations))),
    )


def wiped(mel: Mel, mask: Mask) -> Mel:
    """A picture (128, T) with each masked cell at its band's mean over the track."""
    means = np.round(mel.mean(axis=1, keepdims=True)).astype(np.uint8)
    return np.where(mask, means, mel)


def hottest(heat: Heat, share: float) -> Mask:
    """The ``share`` of cells (128, T) with most heat; among equals, the first ones."""
    count = round(share * heat.size)
    mask = np.zeros(heat.size, dtype=bool)
    mask[np.argsort(-heat, axis=None, kind="stable")[:count]] = True
    return mask.reshape(heat.shape)


def random_blocks(
    shape: tuple[int, ...], cell: tuple[int, int], share: float, generator: np.random.Generator
) -> Mask:
    """Blocks of ``cell`` (bands, columns) at random on the map's grid, ``share`` of all cells."""
    bands, columns = shape
    rows = np.arange(bands) // cell[0]
    across = np.arange(columns) // cell[1]
    luck = generator.random((rows[-1] + 1, across[-1] + 1)).astype(np.float32)
    return hottest(luck[rows[:, None], across[None, :]], share)


def with_shuffled_weights(ears: Ears, *, seed: int) -> Ears:
    """The same ears with every parameter's numbers in random order; the original is untouched."""
    generator = torch.Generator().manual_seed(seed)
    shuffled = copy.copy(ears)
    shuffled.network = copy.deepcopy(ears.network)
    with torch.no_grad():
        for parameter in shuffled.network.parameters():
            order = torch.randperm(parameter.numel(), generator=generator)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return shuffled


def _check(pictures: Sequence[Mel]) -> None:
    if not pictures:
        raise ValueError("no pictures to check the maps on")
