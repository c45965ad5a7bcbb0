"""Where in a window the evidence for a genre lies: Grad-CAM in its element-wise form.

Grad-CAM (Selvaraju et al. 2017) weighs each channel of a feature map with the mean of its gradient,
and so smears a gradient that is strong in one place over all of the map. Taken element by element
(HiResCAM, Draelos and Carin 2020: gradient times activation, summed over the channels, then
rectified) it shows only places that really moved the answer. Two more choices, all of them
measured as :mod:`analysis.training.explanation_checks` does (36 validation tracks, 20 % of the
picture replaced by its bands' means; drop of the class probability over that of random blocks):

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

    ``early`` (n, c, h, w) is the map of layer 2, a leaf of the graph that ends in ``logits``
    (n, k); ``pooled`` (n, 512) carries no graph. ``size`` is that of the windows: bands, columns.
    """

    early: Tensor
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
            logits, pooled = network.judge(network.middle(early))
        bands, columns = windows.shape[-2:]
        return cls(early, logits, pooled.detach(), (int(bands), int(columns)))

    def heat(self, network: ListeningNetwork, weights: Tensor) -> npt.NDArray[np.float32]:
        """Evidence (n, bands, columns) >= 0 for ``weights`` (k,) times the logits."""
        logits = self.logits
        if not logits.requires_grad:
            with torch.enable_grad():
                logits, _ = network.judge(network.middle(self.early))
        (gradient,) = torch.autograd.grad((logits @ weights).sum(), self.early, retain_graph=True)
        evidence = functional.relu((gradient * self.early.detach()).sum(1, keepdim=True))
        full = functional.interpolate(evidence, self.size, mode="bilinear", align_corners=False)
        heat: npt.NDArray[np.float32] = full[:, 0].numpy()
        return heat


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
