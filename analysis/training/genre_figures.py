"""How often the genre is right, where it goes wrong, and how far its confidence can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.training import evaluation
from analysis.training.calibration import Calibration, calibration, cross_fitted
from analysis.training.held_out import HeldOut
from analysis.training.intervals import Interval, mean_by_artist


@dataclass(frozen=True)
class GenreFigures:
    """``confusion[truth][answer]`` counts tracks. ``calibration`` is cross-fitted: each artist's
    tracks with the temperature fitted on the others; ``calibration_as_shipped`` is with the
    weights' own temperature, which has seen these tracks."""

    tracks: int
    artists: int
    accuracy: Interval
    recall: dict[str, float]
    confusion: dict[str, dict[str, int]]
    calibration: Calibration
    calibration_as_shipped: Calibration


def genre(tracks: HeldOut) -> GenreFigures:
    """Figures on the mel pictures of held-out tracks."""
    corpus = tracks.corpus
    shipped = tracks.answers(list(corpus.pictures())).probabilities
    answers = shipped.argmax(axis=1)
    fitted = cross_fitted(shipped, corpus.labels, corpus.artists)
    right = (answers == corpus.labels).astype(np.float32)
    return GenreFigures(
        tracks=len(corpus),
        artists=len(set(corpus.artists)),
        accuracy=mean_by_artist(right, corpus.artists),
        recall=evaluation.recall_by_class(shipped, corpus.labels, corpus.names),
        confusion={
            truth: {
                answer: int(((corpus.labels == i) & (answers == j)).sum())
                for j, answer in enumerate(corpus.names)
            }
            for i, truth in enumerate(corpus.names)
        },
        calibration=calibration(fitted, corpus.labels),
        calibration_as_shipped=calibration(shipped, corpus.labels),
    )
