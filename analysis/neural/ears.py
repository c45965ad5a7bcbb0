"""Hearing a track: genre with its course, familiarity, features, embedding and Grad-CAM map.

One forward pass over the track's windows serves all of them. A tagger hears the sound beside the
trunk, others the picture where no sound is at hand (:mod:`analysis.neural.companion`): genre
and embedding are then those of both, and only the trunk's part is drawn as a map. Embeddings of
pictures alone and of sound lie in different spaces. The model is loaded once per process, at first
use.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch.nn import functional

from analysis.neural import tagger_weights
from analysis.neural.companion import WindowTagger, hear_picture
from analysis.neural.familiarity import Familiarity
from analysis.neural.grad_cam import Trace, against_the_others
from analysis.neural.listener import (
    FEATURE_NAMES,
    WINDOW_COLUMNS,
    CompanionHeads,
    ListeningNetwork,
    scale_mel,
    to_channels_last,
)
from analysis.neural.reference import Reference
from analysis.neural.weights import Weights, WeightsUnavailable, find
from analysis.neural.windows import cut, stitch, wide_enough, window_starts
from analysis.sound.mel import COLUMNS_PER_SECOND

EXPLAINED = 3
_BATCH = 16
_GRAPHS_KEPT = 64
_FAMILIARITY_PREFIX = "familiarity."


@dataclass(frozen=True)
class GenreSection:
    """The model's answer for one stretch of the track."""

    start_s: float
    end_s: float
    label: str
    confidence: float


@dataclass(frozen=True)
class HeardSections:
    """The places of n stretches of the track, in the order of time: the windows that the network
    heard. ``vectors`` (n, 128) float32 have length one; the embedding lies in their midst."""

    start_s: list[float]
    end_s: list[float]
    vectors: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Explanation:
    """Where the evidence for one genre lies: ``heat`` (128, T) float32 over the mel picture, its
    hottest cell 1 (all 0 if nothing speaks for the genre)."""

    label: str
    probability: float
    heat: npt.NDArray[np.float32]


@dataclass(frozen=True)
class HeardTrack:
    """What the network says about one track. Arrays are float32.

    ``probabilities`` are calibrated (temperature) and sum to 1; ``confidence`` is that of
    ``label``; ``trunk_label`` is the genre that the trunk alone would name, from the picture that
    the maps are drawn over; ``familiarity`` is 0..1 (see :mod:`analysis.neural.familiarity`);
    ``explanations`` are those of the three likeliest genres, best first (see
    :mod:`analysis.neural.grad_cam`); ``heat`` is the first one's, or that of the genre that was
    asked for. ``features`` are 0..1 and ``feature_percentiles`` 0..100, the share of the reference
    corpus that lies below.
    """

    label: str
    trunk_label: str
    probabilities: dict[str, float]
    confidence: float
    familiarity: float
    course: list[GenreSection]
    embedding: npt.NDArray[np.float32]
    heat: npt.NDArray[np.float32]
    explanations: list[Explanation]
    features: dict[str, float]
    feature_percentiles: dict[str, float]
    sections: HeardSections


class Prediction(NamedTuple):
    """What is said of one picture or sound, without explanations."""

    probabilities: npt.NDArray[np.float32]  # (k,), calibrated
    embedding: npt.NDArray[np.float32]  # (128,), of length one
    familiarity: float
    pooled: npt.NDArray[np.float32]  # (512,), the trunk's features before its heads
    tagged: npt.NDArray[np.float32] | None  # (d,), the taggers'


class _Beside(NamedTuple):
    """What a tagger heard beside the trunk, features (..., d), what that adds to the trunk's
    answer, and the temperature of both."""

    tagged: torch.Tensor
    heads: CompanionHeads
    temperature: float

    def mean(self) -> _Beside:
        """Of the whole track, from its windows."""
        return self._replace(tagged=self.tagged.mean(0))


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
        has_head = "features.weight" in tensors and "feature_quantiles" in weights.settings
        if "genre.weight" in tensors and not has_head:
            raise WeightsUnavailable(
                f"{weights.path} has no fitted head for energy, danceability, acousticness and "
                "valence; fit one with manage.py train_features"
            )
        try:
            self.labels: list[str] = list(weights.settings["labels"])
            self.temperature = float(weights.settings["temperature"])
            self.familiarity = Familiarity.from_arrays(known)
            self.reference = Reference.from_settings(weights.settings)
            self.network = ListeningNetwork.holding(tensors, len(self.labels))
            self.network.load_state_dict(tensors, assign=True)
            self._tagger = self._companion()
        except (KeyError, RuntimeError) as error:
            raise WeightsUnavailable(
                f"{weights.path} was made for another version of this network: {error}"
            ) from error
        self.network.eval()
        to_channels_last(self.network)
        self.network.requires_grad_(False)

    def _companion(self) -> WindowTagger | None:
        """The tagger that these weights were fitted with; None for a trunk that hears alone."""
        settings = self.weights.settings
        if self.network.picture_companion is not None:
            self.picture_temperature = float(settings["picture_temperature"])
        if self.network.companion is None:
            return None
        self.sound_temperature = float(settings["sound_temperature"])
        wanted = settings["tagger"]
        if wanted != tagger_weights.identity():
            raise WeightsUnavailable(
                f"{self.weights.path} hears with the tagger {wanted}, and this is "
                f"{tagger_weights.identity()}"
            )
        return WindowTagger(tagger_weights.load())

    def tag(
        self, mono: npt.NDArray[np.float32], *, level_of: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32] | None:
        """What the tagger hears in a 22,050 Hz mono signal, (windows, 200), for the other methods;
        None for ears without a tagger. See :meth:`WindowTagger.hear`."""
        return None if self._tagger is None else self._tagger.hear(mono, level_of=level_of)

    def _beside(
        self, tagged: npt.NDArray[np.float32] | None, filled: npt.NDArray[np.uint8]
    ) -> _Beside | None:
        """What was heard beside the trunk in the windows of a picture, in its sound or else in
        themselves; None for a trunk that hears alone."""
        of_sound, of_picture = self.network.companion, self.network.picture_companion
        if tagged is not None and of_sound is not None:
            return _Beside(torch.from_numpy(tagged), of_sound, self.sound_temperature)
        if of_picture is None:
            return None
        heard = torch.from_numpy(hear_picture(of_picture.taggers, filled))
        return _Beside(heard, of_picture.heads, self.picture_temperature)

    def _probabilities(self, logits: torch.Tensor, beside: _Beside | None) -> torch.Tensor:
        """Calibrated answers (..., k) from the trunk's logits (..., k) and what was heard beside
        it."""
        if beside is None:
            return functional.softmax(logits / self.temperature, dim=-1)
        with torch.no_grad():
            both = logits + beside.heads.genre(beside.tagged)
        return functional.softmax(both / beside.temperature, dim=-1)

    def _likely(self, logits: torch.Tensor, beside: _Beside | None) -> torch.Tensor:
        """Calibrated answer (k,) for a whole track, from its windows' logits (windows, k)."""
        return self._probabilities(logits.mean(0), None if beside is None else beside.mean())

    def _track_place(self, places: torch.Tensor, beside: _Beside | None) -> torch.Tensor:
        """Unit vector (128,) of a track from the trunk's (windows, 128)."""
        mean = places.mean(0)
        if beside is None:
            return functional.normalize(mean, dim=0)
        heads = beside.heads
        return functional.normalize(heads.fuse(heads.track(mean, beside.tagged)), dim=0)

    def _familiarity(self, pooled: npt.NDArray[np.float32]) -> float:
        return float(self.familiarity.score(pooled[None])[0])

    def predict(
        self, mel: npt.NDArray[np.uint8], *, tagged: npt.NDArray[np.float32] | None = None
    ) -> Prediction:
        """What :meth:`hear` says of a picture (128, T), or of a sound's picture and what
        :meth:`tag` heard in it, in short."""
        filled = wide_enough(mel)
        starts = window_starts(filled.shape[1])
        with torch.inference_mode():
            heard = [self.network(windows) for windows in _batches(filled, starts)]
            logits = torch.cat([part.logits for part in heard])
            pooled = torch.cat([part.pooled for part in heard]).mean(0).numpy()
            beside = self._beside(tagged, filled)
            place = self._track_place(torch.cat([part.embedding for part in heard]), beside)
            return Prediction(
                probabilities=self._likely(logits, beside).numpy(),
                embedding=place.numpy(),
                familiarity=self._familiarity(pooled),
                pooled=pooled,
                tagged=None if beside is None else beside.tagged.mean(0).numpy(),
            )

    def hear(
        self,
        mel: npt.NDArray[np.uint8],
        *,
        tagged: npt.NDArray[np.float32] | None = None,
        explain: str | None = None,
    ) -> HeardTrack:
        """Listen to a whole track's mel picture (128, T) uint8.

        ``tagged`` is what :meth:`tag` heard in the picture's sound. ``explain`` names the genre
        whose map ``heat`` shall be; default is the predicted one. Raises ValueError for an empty
        picture, another sound's ``tagged`` or an unknown genre.
        """
        if explain is not None and explain not in self.labels:
            raise ValueError(f"unknown genre {explain!r}; known: {', '.join(self.labels)}")
        filled = wide_enough(mel)
        starts = window_starts(filled.shape[1])
        if tagged is not None and len(tagged) != len(starts):
            raise ValueError(f"{len(tagged)} windows were tagged, the picture has {len(starts)}")
        beside = self._beside(tagged, filled)
        traces = self._traces(filled, starts)
        logits = torch.cat([trace.logits for trace in traces])
        pools = torch.cat([trace.pooled for trace in traces])
        likely = self._likely(logits, beside)
        probabilities = likely.numpy()
        ranked = [int(index) for index in likely.argsort(descending=True)]

        def explanation(index: int) -> Explanation:
            weights = against_the_others(index, likely)
            maps = np.concatenate([trace.heat(self.network, weights) for trace in traces])
            heat = stitch(maps, starts, filled.shape[1])[:, : mel.shape[1]]
            hottest = float(heat.max())
            return Explanation(
                label=self.labels[index],
                probability=float(probabilities[index]),
                heat=heat / hottest if hottest > 0 else heat,
            )

        explanations = [explanation(index) for index in ranked[:EXPLAINED]]
        by_label = {one.label: one for one in explanations}
        wanted = explain or explanations[0].label
        asked = by_label.get(wanted) or explanation(self.labels.index(wanted))
        with torch.inference_mode():
            places = self.network.embed(pools)
            embedding = self._track_place(places, beside).numpy()
            if beside is not None:
                places = beside.heads.embed(places, beside.tagged)
            felt = self.network.feel(pools.mean(0)).tolist()
        features = dict(zip(FEATURE_NAMES, felt, strict=True))
        return HeardTrack(
            label=self.labels[ranked[0]],
            trunk_label=self.labels[int(logits.mean(0).argmax())],
            probabilities={n: float(p) for n, p in zip(self.labels, probabilities, strict=True)},
            confidence=float(probabilities[ranked[0]]),
            familiarity=self._familiarity(pools.mean(0).numpy()),
            course=self._course(self._probabilities(logits, beside), starts, mel.shape[1]),
            embedding=embedding.astype(np.float32),
            heat=asked.heat,
            explanations=explanations,
            features=features,
            feature_percentiles={
                name: self.reference.percentile(name, value) for name, value in features.items()
            },
            sections=HeardSections(
                start_s=[start / COLUMNS_PER_SECOND for start in starts],
                end_s=[
                    min(start + WINDOW_COLUMNS, mel.shape[1]) / COLUMNS_PER_SECOND
                    for start in starts
                ],
                vectors=places.numpy().astype(np.float32),
            ),
        )

    def probabilities(
        self, mel: npt.NDArray[np.uint8], *, tagged: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32]:
        """The probabilities (k,) that :meth:`hear` gives for a picture (128, T), and only those."""
        filled = wide_enough(mel)
        starts = window_starts(filled.shape[1])
        with torch.inference_mode():
            logits = [self.network(windows).logits for windows in _batches(filled, starts)]
            beside = self._beside(tagged, filled)
            return self._likely(torch.cat(logits), beside).numpy()

    def _traces(self, filled: npt.NDArray[np.uint8], starts: list[int]) -> list[Trace]:
        # The graphs of a long track would fill the memory: it is sent through the upper layers
        # once more for each explanation instead.
        keep_graph = len(starts) <= _GRAPHS_KEPT
        return [
            Trace.of(self.network, windows, keep_graph=keep_graph)
            for windows in _batches(filled, starts)
        ]

    def _course(
        self, probabilities: torch.Tensor, starts: list[int], n_columns: int
    ) -> list[GenreSection]:
        """Answers per window (n, k), as stretches that meet half-way between window centres."""
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


def _batches(filled: npt.NDArray[np.uint8], starts: list[int]) -> Iterator[torch.Tensor]:
    """Windows (n, 1, 128, columns) as the network takes them, a few at a time."""
    for batch in np.array_split(cut(filled, starts), -(-len(starts) // _BATCH)):
        windows = scale_mel(torch.from_numpy(batch))[:, None]
        yield windows.to(memory_format=torch.channels_last)


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
