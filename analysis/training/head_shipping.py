"""Putting a newly fitted head into the files of trained ears."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from analysis.neural import tagger_weights
from analysis.neural.front_ends import front_end_of
from analysis.neural.listener import ListeningNetwork
from analysis.neural.weights import Weights, write_manifest
from analysis.training import model_card
from analysis.training.companion_heads import Agreement
from analysis.training.features import FeatureFit
from analysis.training.verdicts import VerdictFigures

Float = npt.NDArray[np.float32]

_COMPANION = "companion."
_OF_PICTURES = "picture_companion."
FUSED = f"{_COMPANION}fuse.weight"
_HEAD = "features."
_OF_MANIFEST = ("file", "sha256")


def load_network(weights: Weights) -> ListeningNetwork:
    """The network of trained ears, with or without a feature head; a missing one is random.

    Raises RuntimeError if the file is of another network, KeyError if its labels are missing.
    """
    tensors = {
        name: value.float()
        for name, value in load_file(weights.path).items()
        if not name.startswith("familiarity.")
    }
    network = ListeningNetwork.holding(tensors, len(weights.settings["labels"]))
    if not any(name.startswith(_HEAD) for name in tensors):
        own = network.state_dict()
        tensors |= {name: own[name] for name in own if name.startswith(_HEAD)}
    network.load_state_dict(tensors)
    return network.eval()


def with_features(
    weights: Weights, network: ListeningNetwork, fit: FeatureFit, *, out: Path
) -> Path:
    """Write ``ears.safetensors``, ``ears.json`` and ``ears.md`` with this head to ``out``.

    Everything else is taken over from ``weights`` bit by bit. Returns the manifest.
    """
    heads = {name: value for name, value in network.state_dict().items() if name.startswith(_HEAD)}
    fields = _fields(weights)
    fields["settings"] |= fit.settings
    fields.setdefault("figures", {})["features"] = _rounded(fit.figures)
    return _write(weights, heads, fields, out=out)


def with_map(
    weights: Weights, matrix: Float, figures: VerdictFigures, *, version: str, out: Path
) -> Path:
    """Write the same files with the embedding's space mapped by ``matrix`` (128, 128): that of
    sound, where a tagger hears beside the trunk.

    The head is linear, so that its embedding of a window is the old one mapped, of length one.
    Everything else is taken over bit by bit. Returns the manifest.
    """
    old = load_file(weights.path)
    turn = torch.from_numpy(matrix)
    heads = {name: turn @ old[name].float() for name in space_of(old)}
    fields = _fields(weights)
    fields["version"] = version
    fields.setdefault("figures", {})["verdicts"] = _rounded(asdict(figures))
    return _write(weights, heads, fields, out=out)


def with_companions(
    weights: Weights,
    network: ListeningNetwork,
    of_sound: Agreement,
    of_pictures: Agreement | None = None,
    *,
    version: str,
    out: Path,
) -> Path:
    """Write the same files with the network's companion, and with that for pictures if the
    listeners have agreed ``of_pictures``.

    Everything else is taken over bit by bit. Returns the manifest.
    """
    chosen = (_COMPANION,) if of_pictures is None else (_COMPANION, _OF_PICTURES)
    heads = {name: value for name, value in network.state_dict().items() if name.startswith(chosen)}
    fields = _fields(weights)
    fields["version"] = version
    fields["settings"] |= {
        "sound_temperature": of_sound.temperature,
        "tagger": tagger_weights.identity(),
    }
    if of_pictures is not None and network.picture_companion is not None:
        fields["settings"] |= {
            "picture_temperature": of_pictures.temperature,
            "picture_taggers": [
                front_end_of(tagger).name for tagger in network.picture_companion.taggers
            ],
        }
    return _write(weights, heads, fields, replaced=chosen, out=out)


def as_kept(name: str, value: Tensor) -> Tensor:
    """A tensor as the file has it: in half precision, the companions' few in full."""
    keeps = name.startswith((_COMPANION, f"{_OF_PICTURES}heads.")) or not value.is_floating_point()
    return (value if keeps else value.half()).contiguous()


def space_of(tensors: Collection[str]) -> tuple[str, ...]:
    """The tensors whose linear image the space is in which tracks are compared."""
    if FUSED in tensors:
        return (FUSED,)
    return ("project.weight", "project.bias")


def _fields(weights: Weights) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(
        weights.path.with_suffix(".json").read_text(encoding="utf-8")
    )
    return {name: value for name, value in fields.items() if name not in _OF_MANIFEST}


def _write(
    weights: Weights,
    heads: dict[str, Tensor],
    fields: dict[str, Any],
    *,
    replaced: tuple[str, ...] = (),
    out: Path,
) -> Path:
    """All tensors of ``weights`` but these, and but those whose names begin with one of
    ``replaced``, as they are kept; the manifest; the card."""
    old = load_file(weights.path)
    tensors = {name: value for name, value in old.items() if not name.startswith(replaced)}
    tensors |= {name: as_kept(name, value) for name, value in heads.items()}
    out.mkdir(parents=True, exist_ok=True)
    file = out / weights.path.name
    unfinished = file.with_suffix(".new")
    save_file({name: value.clone() for name, value in tensors.items()}, unfinished)
    unfinished.chmod(0o644)  # safetensors lets nobody but the owner read
    unfinished.replace(file)
    manifest = file.with_suffix(".json")
    write_manifest(manifest, weights_file=file, **fields)
    card = model_card.render(json.loads(manifest.read_text(encoding="utf-8")))
    file.with_suffix(".md").write_text(card, encoding="utf-8")
    return manifest


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(value, 4) if isinstance(value, float) else value
