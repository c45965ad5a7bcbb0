"""Pairs of tracks that are near in tempo and timbre, whoever made them and whatever they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.training.datasets import MelCorpus
from analysis.training.similarity import mfcc_statistics, standardised

TEMPO_TOLERANCE = 0.04


def near_in_tempo_and_timbre(corpus: MelCorpus) -> npt.NDArray[np.int64]:
    """A number (n,) for each track, shared by the two tracks of a pair and else its own.

    Two tracks are a pair if each is the other's nearest in MFCC statistics among all tracks whose
    tempo is within 4 %. Without annotated tempi there are no pairs.
    """
    numbers = np.arange(len(corpus))
    if corpus.tempo_bpm is None:
        return numbers
    timbre = standardised(mfcc_statistics(corpus.mel))
    nearness = timbre @ timbre.T
    tempo = corpus.tempo_bpm
    with np.errstate(invalid="ignore"):
        same_tempo = np.abs(tempo[:, None] / tempo[None] - 1.0) <= TEMPO_TOLERANCE
    np.fill_diagonal(same_tempo, False)
    nearest = np.where(same_tempo, nearness, -np.inf).argmax(axis=1)
    for one, other in enumerate(nearest):
        if one < other and nearest[other] == one and same_tempo[one, other]:
            numbers[other] = one
    return numbers
