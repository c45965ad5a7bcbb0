"""Weak labels: what the measures of a voice suggest about its tags, by formulas anybody can read.

Nobody has listened. Each measure is taken by its *standing* among the unchanged reference voices:
0 is the median, 1 as far above it as the 84th percentile of a normal curve would be (the distance
of the quartiles stands for it; percentages count by their logarithm). A tag's score is the weighted
sum of standings in :data:`FORMULAS`, itself scaled to the reference voices. The label is the
logistic function of it: 0.5 for a voice in their middle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.sound.voice.measures import NAMES
from analysis.training.timbre.families import HELD_OUT, NEUTRAL, TRAINING
from analysis.training.timbre.groups import Group

# After the literature in docs/voice.md. A sign says which way the measure speaks.
FORMULAS: dict[str, dict[str, float]] = {
    "warm": {
        "low_mid_db": 1.0,
        "first_harmonics_db": 0.7,
        "tilt_db_per_octave": -0.7,
        "sibilance_db": -0.5,
    },
    "bright": {
        "brightness": 1.0,
        "alpha_ratio_db": 0.7,
        "hammarberg_db": -0.5,
        "above_6k_db": 0.5,
    },
    # A growl has little periodicity, too: what shakes and is pressed is no breath.
    "breathy": {
        "cpps_db": -1.0,
        "hnr_db": -0.6,
        "h1_h2_db": 0.8,
        "above_6k_db": 0.6,
        "modulation_percent": -0.3,
    },
    "rough": {
        "modulation_percent": 1.0,
        "subharmonics_db": 0.6,
        "jitter_percent": 0.6,
        "shimmer_percent": 0.6,
        "flatness_db": 0.4,
        "clipped_percent": 0.3,
    },
    "clean": {
        "hnr_db": 1.0,
        "cpps_db": 0.6,
        "jitter_percent": -0.6,
        "shimmer_percent": -0.6,
        "flatness_db": -0.6,
        "modulation_percent": -0.4,
        "clipped_percent": -0.3,
    },
}
# What a known change moves is known better than measured: by at least this much (in logits).
KNOWN_MOVE = 0.9

_SLOPE = 1.3
_MOST_STANDING = 3.5
_MOST_LOGIT = 3.5
_LOGARITHMIC = frozenset(name for name in NAMES if name.endswith("_percent"))
_LEAST_PERCENT = 0.02
_LEAST_SPREAD = 1e-3
_IQR_OF_NORMAL = 1.349

# A change leaves these tags as they are, whatever the measures make of it: hiss upsets the measures
# of roughness, and a growl those of breath.
_KEEPS: dict[str, tuple[str, ...]] = {
    "breath_noise": ("rough", "warm"),
    "aspirate": ("rough", "warm"),
    "clip": ("breathy", "warm"),
    "overdrive": ("breathy",),
    "growl": ("breathy", "warm"),
    "high_shelf": ("rough", "clean"),
    "high_shelf_cut": ("rough", "clean"),
    "low_mid": ("rough", "clean", "breathy"),
    "low_mid_cut": ("rough", "clean", "breathy"),
    "low_pass": ("rough", "clean"),
}
_CHANGES = {change.name: change for change in (*TRAINING, *NEUTRAL, *HELD_OUT)}

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Standings:
    """Middle and spread of every measure, and of every tag's score, over the reference voices."""

    middle: Array
    spread: Array
    score_spread: Mapping[str, float]
    score_middle: Mapping[str, float]

    @classmethod
    def over(cls, measures: npt.NDArray[np.floating]) -> Standings:
        """From the measures (n, len(NAMES)) of unchanged clips."""
        values = _scaled(measures)
        middle = np.nanmedian(values, axis=0)
        low, high = np.nanpercentile(values, [25.0, 75.0], axis=0)
        spread = np.maximum((high - low) / _IQR_OF_NORMAL, _LEAST_SPREAD)
        # Unclipped voices all stand at the same place: a factor of e counts as one.
        spread = np.where(high - low < _LEAST_SPREAD, 1.0, spread)
        plain = cls(middle, spread, dict.fromkeys(FORMULAS, 1.0), dict.fromkeys(FORMULAS, 0.0))
        scores = {tag: plain._score(tag, measures) for tag in FORMULAS}
        return cls(
            middle,
            spread,
            {tag: float(np.std(values)) for tag, values in scores.items()},
            {tag: float(np.median(values)) for tag, values in scores.items()},
        )

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Standings:
        """The inverse of :meth:`settings`; raises KeyError where something is missing."""
        kept = settings["standings"]
        return cls(
            np.array([kept["measures"][name][0] for name in NAMES]),
            np.array([kept["measures"][name][1] for name in NAMES]),
            {tag: score[1] for tag, score in kept["scores"].items()},
            {tag: score[0] for tag, score in kept["scores"].items()},
        )

    def settings(self) -> dict[str, Any]:
        """Middle and spread of everything, for a manifest."""
        return {
            "standings": {
                "measures": {
                    name: [float(f"{middle:.6g}"), float(f"{spread:.6g}")]
                    for name, middle, spread in zip(NAMES, self.middle, self.spread, strict=True)
                },
                "scores": {
                    tag: [round(self.score_middle[tag], 5), round(self.score_spread[tag], 5)]
                    for tag in FORMULAS
                },
            }
        }

    def logits(self, tag: str, measures: npt.NDArray[np.floating]) -> Array:
        """A tag's weak label of each row of measures (n, len(NAMES)), as logits (n,)."""
        score = (self._score(tag, measures) - self.score_middle[tag]) / self.score_spread[tag]
        return np.clip(_SLOPE * score, -_MOST_LOGIT, _MOST_LOGIT)

    def _score(self, tag: str, measures: npt.NDArray[np.floating]) -> Array:
        standing = np.clip(
            (_scaled(measures) - self.middle) / self.spread, -_MOST_STANDING, _MOST_STANDING
        )
        total = np.zeros(len(measures))
        for name, weight in FORMULAS[tag].items():
            column = standing[:, NAMES.index(name)]
            # No pitch at all is the far end of noise, and says nothing of the rest.
            missing = -_MOST_STANDING if name in ("cpps_db", "hnr_db") else 0.0
            total += weight * np.where(np.isnan(column), missing, column)
        return total


def label_rows(group: Group, tags: Sequence[str], standings: Standings) -> tuple[Array, Array]:
    """Labels (rows, tags) from 0 to 1, NaN where there is none, and known moves (rows, tags):
    +1 or -1 where a change raises or lowers a tag against row 0, else 0."""
    labels = np.full((len(group.changes), len(tags)), np.nan)
    moves = np.zeros(labels.shape)
    for column, tag in enumerate(tags):
        of_people = group.labels.get(tag)
        moves[:, column] = [
            _CHANGES[name].moves.get(tag, 0) if name in _CHANGES else 0 for name in group.changes
        ]
        if tag not in FORMULAS and of_people is None:
            continue
        logits = standings.logits(tag, group.measures) if tag in FORMULAS else np.zeros(len(labels))
        if of_people is not None:
            kept = np.clip(of_people, 0.02, 0.98)
            logits = logits - logits[0] + np.log(kept / (1.0 - kept))
        labels[:, column] = _logistic(_with_known_moves(group, tag, logits, moves[:, column]))
    return labels, moves


def _with_known_moves(group: Group, tag: str, logits: Array, moves: Array) -> Array:
    base = logits[0]
    known = logits.copy()
    for row, name in enumerate(group.changes):
        family = _CHANGES[name].family if name in _CHANGES else ""
        if tag in _KEEPS.get(family, ()):
            known[row] = base
        if moves[row]:
            least = base + moves[row] * KNOWN_MOVE
            known[row] = max(known[row], least) if moves[row] > 0 else min(known[row], least)
    return np.clip(known, -_MOST_LOGIT, _MOST_LOGIT)


def _scaled(measures: npt.NDArray[np.floating]) -> Array:
    values = measures.astype(np.float64)
    for column, name in enumerate(NAMES):
        if name in _LOGARITHMIC:
            values[:, column] = np.log(np.maximum(values[:, column], _LEAST_PERCENT))
    return values


def _logistic(logits: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-logits))
