"""Starting from a trunk that has heard music before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from analysis.neural.weights import Weights

TRUNK_PARTS = ("stem", "middle", "top")


def is_of_trunk(name: str) -> bool:
    """Whether a parameter or buffer of a listening network, or of a student that holds one as
    ``ears``, belongs to its trunk."""
    return name.removeprefix("ears.").partition(".")[0] in TRUNK_PARTS


def load_trunk(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put the trunk of ``state`` into ``network``; heads in it are left aside.

    Raises ValueError if it does not hold a whole trunk of the network's shape.
    """
    trunk = {name: value.float() for name, value in state.items() if is_of_trunk(name)}
    wanted = {name: value for name, value in network.state_dict().items() if is_of_trunk(name)}
    missing = sorted(wanted.keys() - trunk.keys())
    if missing:
        raise ValueError(f"{len(missing)} parts of the trunk are missing, first: {missing[0]}")
    for name, value in wanted.items():
        if trunk[name].shape != value.shape:
            raise ValueError(
                f"{name} has the shape {tuple(trunk[name].shape)}, not {tuple(value.shape)}"
            )
    network.load_state_dict({name: trunk[name].to(wanted[name].dtype) for name in wanted}, False)


def trunk_of(weights: Weights) -> dict[str, Tensor]:
    """The trunk of a model that serves."""
    return {name: value for name, value in load_file(weights.path).items() if is_of_trunk(name)}


def mean_of(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of trunks that come from one another (Wortsman et al. 2022, "Model soups").

    Raises ValueError if they do not have the same parts.
    """
    names = states[0].keys()
    if any(state.keys() != names for state in states):
        raise ValueError("these trunks have different parts")
    return {
        name: torch.stack([state[name].float() for state in states])
        .mean(0)
        .to(states[0][name].dtype)
        for name in names
    }


def digest(state: Mapping[str, Tensor] | None) -> str:
    """Checksum of a state's names and numbers; empty for none."""
    if state is None:
        return ""
    sha = hashlib.sha256()
    for name in sorted(state):
        sha.update(name.encode())
        sha.update(state[name].detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()
