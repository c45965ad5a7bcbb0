"""Hearing a track: genre with its course over time, familiarity, embedding and Grad-CAM map.

One forward pass over the track's windows serves all of them. The model is loaded once per process,
at first use.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch.nn import functional

from analysis.neural.familiarity import Familiarity, mel_statistics
from analysis.neural.listener import WINDOW_COLUMNS, ListeningNetwork, scale_mel, to_channels_last
from analysis.neural.weights import Weights, WeightsUnavailable, find
from analysis.neural.windows import at_least_one_window, cut, stitch, window_starts
from analysis.sound.mel import COLUMNS_PER_SECOND

WINDOW_HOP = 96
_BATCH = 16
_FAMILIARITY_PREFIX = "familiarity."


@dataclass(frozen=True)
class GenreSection:
    """The model's answer for one stretch of the track."""

    start_s: float
    end_s: float
    label: str
    confidence: float


@dataclass(frozen=True)
class HeardTrack:
    """What the network says about one track. Arrays are float32.

    ``probabilities`` are calibrated (temperature) and sum to 1; ``confidence`` is that of
    ``label``; ``familiarity`` is 0..1 (see :mod:`analysis.neural.familiarity`); ``heat`` (128, T)
    in 0..1 is the Grad-CAM map of ``label`` over the mel picture.
    """

    label: str
    probabilities: dict[str, float]
    confidence: float
    familiarity: float
    course: list[GenreSection]
    embedding: npt.NDArray[np.float32]
    heat: npt.NDArray[np.float32]


class Ears:
    """A loaded listening network with its calibration.

    Raises :class:`analysis.neural.weights.WeightsUnavailable` for weights of another network.
    """

    def __init__(self, weights: Weights) -> None:
        tensors = {name: value.float() for name, value in load_file(weights.path).items()}
        known = {
            name.removeprefix(_FAMILIARITY_PREFIX): tensors.pop(name).numpy()
            for name in list(tensors)
            if name.startswith(_FAMILIARITY_PREFIX)
        }
        self.weights = weights
        try:
            self.labels: list[str] = list(weights.settings["labels"])
            self.temperature = float(weights.settings["temperature"])
            self.familiarity = Familiarity.from_arrays(known)
            self.network = ListeningNetwork(len(self.labels))
            self.network.load_state_dict(tensors, assign=True)
        except (KeyError, RuntimeError) as error:
            raise WeightsUnavailable(
                f"{weights.path} was made for another version of this network: {error}"
            ) from error
        self.network.eval()
        to_channels_last(self.network)
        self.network.requires_grad_(False)

    def _probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        return functional.softmax(logits / self.temperature, dim=-1)

    def _familiarity(self, mel: npt.NDArray[np.uint8], pooled: npt.NDArray[np.float32]) -> float:
        return float(self.familiarity.score(mel_statistics(mel)[None], pooled[None])[0])

    def predict(
        self, mel: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], float]:
        """Probabilities (k,), embedding (128,) and familiarity of one picture (128, T)."""
        filled = at_least_one_window(mel)
        starts = window_starts(filled.shape[1], hop=WINDOW_HOP // 2)
        with torch.inference_mode():
            heard = [
                self.network(scale_mel(torch.from_numpy(batch))[:, None])
                for batch in np.array_split(cut(filled, starts), -(-len(starts) // _BATCH))
            ]
            logits = torch.cat([part.logits for part in heard]).mean(0)
            pooled = torch.cat([part.pooled for part in heard]).mean(0)
            embedding = torch.cat([part.embedding for part in heard]).mean(0)
        return (
            self._probabilities(logits).numpy(),
            functional.normalize(embedding, dim=0).numpy(),
            self._familiarity(mel, pooled.numpy()),
        )

    def hear(self, mel: npt.NDArray[np.uint8], *, explain: str | None = None) -> HeardTrack:
        """Listen to a whole track's mel picture (128, T) uint8.

        ``explain`` names the genre whose heat map is wanted; default is the predicted one.
        Raises ValueError for an empty picture or an unknown genre.
        """
        filled = at_least_one_window(mel)
        starts = window_starts(filled.shape[1], hop=WINDOW_HOP)
        maps, all_logits, pooled = [], [], []
        for batch in np.array_split(cut(filled, starts), -(-len(starts) // _BATCH)):
            windows = scale_mel(torch.from_numpy(batch))[:, None]
            windows = windows.to(memory_format=torch.channels_last)
            with torch.no_grad():
                feature_map = self.network.feature_map(windows)
            feature_map.requires_grad_(True)
            logits, pool = self.network.judge(feature_map)
            maps.append(feature_map)
            all_logits.append(logits)
            pooled.append(pool.detach())
        logits = torch.cat([part.detach() for part in all_logits])
        pools = torch.cat(pooled)
        probabilities = self._probabilities(logits.mean(0)).numpy()
        index = int(probabilities.argmax())
        explained = self.labels.index(explain) if explain else index
        heat = self._grad_cam(maps, all_logits, explained, starts, filled.shape[1])
        with torch.inference_mode():
            embedding = functional.normalize(self.network.embed(pools).mean(0), dim=0).numpy()
        return HeardTrack(
            label=self.labels[index],
            probabilities={n: float(p) for n, p in zip(self.labels, probabilities, strict=True)},
            confidence=float(probabilities[index]),
            familiarity=self._familiarity(mel, pools.mean(0).numpy()),
            course=self._course(logits, starts, mel.shape[1]),
            embedding=embedding.astype(np.float32),
            heat=heat[:, : mel.shape[1]],
        )

    def _grad_cam(
        self,
        maps: list[torch.Tensor],
        logits: list[torch.Tensor],
        index: int,
        starts: list[int],
        n_columns: int,
    ) -> npt.NDArray[np.float32]:
        """Heat (128, n_columns) in 0..1 for one class (Selvaraju et al. 2017), on layer 3."""
        heats = []
        for feature_map, part in zip(maps, logits, strict=True):
            (gradient,) = torch.autograd.grad(part[:, index].sum(), feature_map)
            importance = gradient.mean(dim=(2, 3), keepdim=True)
            cam = functional.relu((importance * feature_map.detach()).sum(1, keepdim=True))
            heats.append(
                functional.interpolate(
                    cam, size=(128, WINDOW_COLUMNS), mode="bilinear", align_corners=False
                )[:, 0]
            )
        heat = stitch(torch.cat(heats).numpy(), starts, n_columns)
        top = float(heat.max())
        return heat / top if top > 0 else heat

    def _course(
        self, logits: torch.Tensor, starts: list[int], n_columns: int
    ) -> list[GenreSection]:
        """Answers per window, as stretches that meet half-way between window centres."""
        probabilities = self._probabilities(logits)
        confidence, index = probabilities.max(dim=1)
        centres = [start + WINDOW_COLUMNS / 2 for start in starts]
        edges = [0.0, *((a + b) / 2 for a, b in pairwise(centres))]
        edges.append(float(n_columns))
        return [
            GenreSection(
                start_s=edges[i] / COLUMNS_PER_SECOND,
                end_s=edges[i + 1] / COLUMNS_PER_SECOND,
                label=self.labels[int(index[i])],
                confidence=float(confidence[i]),
            )
            for i in range(len(starts))
        ]


_lock = threading.Lock()
_loaded: dict[str, Ears] = {}


def load_ears() -> Ears:
    """The listening network that serves now; loaded once per process and weights file."""
    weights = find("ears")
    with _lock:
        if weights.identity not in _loaded:
            _loaded.clear()
            _loaded[weights.identity] = Ears(weights)
        return _loaded[weights.identity]
