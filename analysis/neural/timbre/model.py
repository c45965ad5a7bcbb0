"""The timbre model that serves: weights, tags, reference voices; and what it hears in clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file

from analysis.neural import loaded_models
from analysis.neural.timbre.mfcc import mfcc
from analysis.neural.timbre.network import STEPS_PER_SECOND, TimbreNetwork
from analysis.neural.timbre.reference_voices import ReferenceVoices
from analysis.neural.weights import Weights, WeightsUnavailable, find
from analysis.sound.voice.clips import cut
from analysis.sound.voice.measures import RATE_HZ, at_measuring_rate

NAME = "timbre"
_SHORTEST_SAMPLES = RATE_HZ // 4

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class HeardClip:
    """``probabilities`` (tags,); ``course`` (tags, steps) is the tag's probability in each 40 ms
    and ``attention`` (tags, steps) how much that moment counts (sums to 1)."""

    probabilities: Float
    course: Float
    attention: Float


class Timbre:
    """A loaded timbre network; raises WeightsUnavailable for weights of another one."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        try:
            self.tags: tuple[str, ...] = tuple(weights.settings["tags"])
            self.reference = ReferenceVoices.from_settings(weights.settings)
            # Which measures speak for or against each tag, and how much: the evidence to show.
            self.formulas: dict[str, dict[str, float]] = dict(weights.settings["formulas"])
            self.network = TimbreNetwork(len(self.tags))
            tensors = {name: value.float() for name, value in load_file(weights.path).items()}
            self.network.load_state_dict(tensors)
        except (KeyError, RuntimeError) as error:
            raise WeightsUnavailable(
                f"{weights.path} was made for another version of this network: {error}"
            ) from error
        self.network.eval().requires_grad_(False)

    def hear(self, samples: npt.NDArray[np.floating]) -> HeardClip:
        """Listen to one clip, mono (n,) at 32 kHz, at least 0.25 s."""
        with torch.inference_mode():
            heard = self.network(mfcc(samples)[None])
            return HeardClip(
                probabilities=torch.sigmoid(heard.logits[0]).numpy(),
                course=torch.sigmoid(heard.local[0]).numpy(),
                attention=heard.attention[0].numpy(),
            )

    def tag_probabilities(
        self, samples: npt.NDArray[np.floating], sample_rate: int
    ) -> dict[str, float]:
        """Probability of each tag for a voice, mono (n,) or (channels, n), at any rate and level.

        The mean over its clips; what is too short or too uncertain for clips is heard as one.
        Raises ValueError for less than 0.25 s.
        """
        mono = samples.mean(axis=0) if samples.ndim == 2 else samples
        clips = cut(mono, sample_rate).kept
        parts = [clip.samples for clip in clips] or [at_measuring_rate(mono, sample_rate)]
        if parts[0].size < _SHORTEST_SAMPLES:
            raise ValueError("needs a quarter of a second of sound")
        mean = self.mean_of([self.hear(part) for part in parts])
        return dict(zip(self.tags, mean.tolist(), strict=True))

    def mean_of(self, heard: Sequence[HeardClip]) -> Float:
        """Mean probabilities (tags,) over clips."""
        return np.mean([clip.probabilities for clip in heard], axis=0)


def step_times_s(steps: int) -> Float:
    """Middle of each of a clip's steps, in seconds from its beginning."""
    return (np.arange(steps) + 0.5).astype(np.float32) / np.float32(STEPS_PER_SECOND)


def load() -> Timbre:
    """The timbre model that serves now, loaded at first use; raises WeightsUnavailable."""
    weights = find(NAME)
    return loaded_models.get(("timbre", weights.identity), lambda: Timbre(weights))


def tag_probabilities(samples: npt.NDArray[np.floating], sample_rate: int) -> dict[str, float]:
    """:meth:`Timbre.tag_probabilities` of the model that serves now."""
    return load().tag_probabilities(samples, sample_rate)
