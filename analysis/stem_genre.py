"""What each separated stem is worth to the genre: the model's answer with stems switched off."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.genre_document import rounded
from analysis.neural.ears import load_ears
from analysis.neural.separation.segments import Segments
from analysis.neural.separation.spectra import SAMPLE_RATE
from analysis.neural.stem_attention import stem_attention
from analysis.neural.weights import WeightsUnavailable, find
from analysis.sound.measure import MonoCollector

log = logging.getLogger(__name__)

LONGEST_S = 600.0
"""Of longer sounds (sets, sides of records) one genre says little, and all stems would have to be
in memory at once."""


def genre_by_stem(made: Segments) -> dict[str, Any] | None:
    """``genre.stems`` of a report, with the version of the ``ears`` that answered; None for a
    sound that is too long, and while the model is out of order."""
    duration_s = made.n_samples / SAMPLE_RATE
    if duration_s > LONGEST_S:
        return None
    try:
        ears, version = load_ears(), find("ears").version
    except (WeightsUnavailable, KeyError, ValueError, OSError) as error:
        log.error("no genre by stem: %s", error)
        return None
    stems = {name: _mono(made, name) for name in made.stems}
    mix = np.sum(list(stems.values()), axis=0)
    found: dict[str, Any] = rounded(asdict(stem_attention(ears, mix, stems)))
    return {"ears": version, **found}


def _mono(made: Segments, name: str) -> npt.NDArray[np.float32]:
    """A stem at 22,050 Hz, (n,)."""
    collector = MonoCollector(sample_rate=SAMPLE_RATE, expected_s=made.n_samples / SAMPLE_RATE)
    for block in made.blocks(name):
        collector.add(block.mean(axis=1))
    return collector.result()
