"""Where in a window the evidence for a genre lies: Grad-CAM in its element-wise form.

Grad-CAM (Selvaraju et al. 2017) weighs each channel of a feature map with the mean of its gradient,
and so smears a gradient that is strong in one place over all of the map. Taken element by element
(HiResCAM, Draelos and Carin 2020: gradient times activation, summed over the channels, then
rectified) it shows only places that really moved the answer. Two more choices, all of them
measured as :mod:`analysis.training.explanation_checks` does (36 validation tracks and the first
trained weights; 20 % of the picture replaced by its bands' means; drop of the class probability
over that of random blocks of 16 by 16 cells; with blocks of one cell of the map, and on 100 tracks,
the last line stands at 7.9):

=============================================  =========
map                                            drop
=============================================  =========
layer 3, Grad-CAM, of the logit                3.7 times
layer 3, element-wise, of the logit            4.6 times
layer 3, element-wise, against the others      4.9 times
layer 2, element-wise, of the logit            6.1 times
layer 2, element-wise, against the others      6.2 times
=============================================  =========

*Layer 2* has four times the cells of layer 3 (one is 8 mel bands by 0.6 s) and costs one backward
pass through layers 3 and 4. *Against the others*: what is explained is the logit minus those of
the other genres, weighted by their probability. What speaks for all genres alike ("this is music")
then cancels out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from analysis.neural.listener import ListeningNetwork


@dataclass(frozen=True)
class Trace:
    """A batch of n windows on its way through the network, open to questions about its answer.

    ``early`` (n, c, h, w) is the map of layer 2, a leaf of the graph that ends in ``late``, the map
    of layer 4; ``logits`` (n, k) and ``pooled`` (n, 512) carry no graph. ``size`` is that of the
    windows: bands, columns.
    """

    early: Tensor
    late: Tensor
    logits: Tensor
    pooled: Tensor
    size: tuple[int, int]

    @classmethod
    def of(cls, network: ListeningNetwork, windows: Tensor, *, keep_graph: bool = True) -> Self:
        """Send windows (n, 1, bands, columns) through the network.

        Without ``keep_graph`` a question costs a second pass through layers 3 and 4, but no memory
        until then (a graph takes about 2 MB a window).
        """
        with torch.no_grad():
            early = network.stem(windows)
        early.requires_grad_(True)
        with torch.set_grad_enabled(keep_graph):
            late = network.top(network.middle(early))
        pooled = late.detach().mean(dim=(2, 3))
        with torch.no_grad():
            logits = network.genre(pooled)
        bands, columns = windows.shape[-2:]
        return cls(early, late, logits, pooled, (int(bands), int(columns)))

    def heat(self, network: ListeningNetwork, weights: Tensor) -> npt.NDArray[np.float32]:
        """Evidence (n, bands, columns) >= 0 for ``weights`` (k,) times the logits."""
        late = self.late
        if not late.requires_grad:
            with torch.enable_grad():
                late = network.top(network.middle(self.early))
        (gradient,) = torch.autograd.grad(
            late, self.early, self._at_the_top(network, weights), retain_graph=True
        )
        evidence = functional.relu((gradient * self.early.detach()).sum(1, keepdim=True))
        full = functional.interpolate(evidence, self.size, mode="bilinear", align_corners=False)
        heat: npt.NDArray[np.float32] = full[:, 0].numpy()
        return heat

    def _at_the_top(self, network: ListeningNetwork, weights: Tensor) -> Tensor:
        """The gradient at ``late``: that at its mean, spread evenly.

        Laid out as the convolutions below like it, which makes the way down a fifth faster than
        what autograd makes of a mean.
        """
        pooled = self.pooled.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad((network.genre(pooled) @ weights).sum(), pooled)
        height, width = self.late.shape[2:]
        spread = (gradient / (height * width))[:, :, None, None].expand_as(self.late)
        return spread.contiguous(memory_format=torch.channels_last)


def against_the_others(index: int, probabilities: Tensor) -> Tensor:
    """Weights (k,) that make one number of k logits: class ``index`` minus the mean of the others,
    each counted by its probability."""
    others = probabilities.clone()
    others[index] = 0.0
    # A class so sure that the others round to nothing is compared with all of them alike.
    others += 1e-6 * (torch.arange(len(others)) != index)
    weights = -others / others.sum() if len(others) > 1 else torch.zeros_like(others)
    weights[index] = 1.0
    return weights


def cell_size(network: ListeningNetwork, bands: int, columns: int) -> tuple[int, int]:
    """Bands and columns of the picture that one cell of the map stands for."""
    with torch.no_grad():
        height, width = network.stem(torch.zeros(1, 1, bands, columns)).shape[-2:]
    return -(-bands // int(height)), -(-columns // int(width))
