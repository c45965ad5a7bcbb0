"""The network that learns from labels: how it starts, and how its answers are put right at the end.

Both change nothing but its last layer, so what ships is an ordinary timbre network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from analysis.neural.timbre.model import Timbre
from analysis.neural.timbre.network import TimbreNetwork
from analysis.training.timbre.label_figures import entropies

LEAST_LABELS_TO_SCALE = 60
LEAST_SINGERS_TO_SCALE = 4
_TEMPERATURES = np.geomspace(0.4, 2.5, 41)

Array = npt.NDArray[np.float64]


def warm_started(
    serving: Timbre, tags: Sequence[str], base_rates: Mapping[str, float]
) -> TimbreNetwork:
    """A network for ``tags`` that answers like the one that serves where that knows the tag; any
    other tag starts from its share of yes, whatever the voice."""
    network = TimbreNetwork(len(tags))
    old = serving.network
    state = {
        name: value.clone()
        for name, value in old.state_dict().items()
        if not name.startswith(("local.", "attention."))
    }
    for layer in ("local", "attention"):
        weight, bias = getattr(old, layer).weight, getattr(old, layer).bias
        rows, biases = [], []
        for tag in tags:
            if tag in serving.tags:
                column = serving.tags.index(tag)
                rows.append(weight[column])
                biases.append(bias[column])
            elif layer == "attention":
                rows.append(weight.mean(dim=0))
                biases.append(bias.mean())
            else:
                share = float(np.clip(base_rates.get(tag, 0.5), 0.02, 0.98))
                rows.append(torch.zeros_like(weight[0]))
                biases.append(torch.tensor(np.log(share / (1 - share)), dtype=bias.dtype))
        state[f"{layer}.weight"] = torch.stack(rows)
        state[f"{layer}.bias"] = torch.stack(biases)
    network.load_state_dict(state)
    return network


@torch.no_grad()
def put_right(
    network: TimbreNetwork, *, less: Tensor | None = None, temperature: float = 1.0
) -> None:
    """Take ``less`` (tags,) from every logit and divide by a temperature, in the last layer: the
    attention sums to 1, so the sum over time moves as each of its moments does."""
    bias = network.local.bias
    assert bias is not None
    if less is not None:
        bias -= less
    network.local.weight /= temperature
    bias /= temperature


def temperature_of(logits: Array, labels: Array, singers: Sequence[str]) -> float:
    """Temperature that makes answers (clips, tags) as sure as labels (NaN for none) let them be;
    1 where labels are few, or where it does not help with singers that it was not chosen by (Guo
    et al. 2017, "On calibration of modern neural networks")."""
    known = np.isfinite(labels)
    names = sorted(set(singers))
    if known.sum() < LEAST_LABELS_TO_SCALE or len(names) < LEAST_SINGERS_TO_SCALE:
        return 1.0
    # (temperatures, singers): summed cross entropy
    sums = np.zeros((_TEMPERATURES.size, len(names)))
    of_singer = np.array([names.index(singer) for singer in singers])
    for row, temperature in enumerate(_TEMPERATURES):
        said = 1 / (1 + np.exp(-logits / temperature))
        each = np.nansum(entropies(labels, said), axis=1)
        sums[row] = np.bincount(of_singer, weights=each, minlength=len(names))
    others = sums.sum(axis=1, keepdims=True) - sums
    of_others = sums[np.argmin(others, axis=0), np.arange(len(names))].sum()
    plain = sums[np.argmin(np.abs(_TEMPERATURES - 1.0))].sum()
    if of_others >= plain:
        return 1.0
    return float(_TEMPERATURES[np.argmin(sums.sum(axis=1))])
