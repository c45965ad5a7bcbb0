"""Two heads of one trunk on people's verdicts: which puts similar pairs nearer than others."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file

from analysis.training.comparison_verdicts import BETTER, NOT_WORSE, UNDECIDED, WORSE
from analysis.training.head_shipping import space_of
from analysis.training.verdicts import (
    FEWEST_ARTISTS,
    FEWEST_OF_EACH,
    JudgedPairs,
    Ranking,
    TooFewVerdicts,
    VerdictFigures,
    cosines,
    gain_interval,
    mean_area,
)

Float = npt.NDArray[np.float32]

MARGIN = 0.02
"""A candidate counts as not worse if it ranks at most this much less of the comparisons right, at
the lower end of the 95 % interval of the difference."""

# What rounding to half precision leaves of a map that is none.
_ROUNDING = 0.02


def map_between(old: Path, new: Path) -> Float | None:
    """The linear map (128, 128) by which the embedding of the second safetensors file is made of
    the first's, where it is the only difference between the two; None if anything else differs."""
    before, after = load_file(old), load_file(new)
    mapped = space_of(before)
    if before.keys() != after.keys() or not all(name in before for name in mapped):
        return None
    for name, value in before.items():
        if name not in mapped and not torch.equal(value, after[name]):
            return None
    first, second = (
        torch.cat([found[name].double().reshape(len(found[name]), -1) for name in mapped], dim=1)
        for found in (before, after)
    )
    if first.shape != second.shape:
        return None
    matrix = torch.linalg.lstsq(first.T, second.T).solution.T
    if (matrix @ first - second).norm() > _ROUNDING * second.norm():
        return None
    return matrix.numpy().astype(np.float32)


def of_the_fit(figures: VerdictFigures) -> tuple[str, dict[str, Any]]:
    """The verdict on a fit by its cross-fitted figures, and both as JSON (docs/models.md)."""
    found = {k: v for k, v in asdict(figures).items() if k not in {"pull", "digest"}}
    return _concluded({**found, "judged": "cross_fitted"})


def on_new_verdicts(
    judged: JudgedPairs, matrix: Float, *, seed: int = 0
) -> tuple[str, dict[str, Any]]:
    """The verdict on a map by verdicts that it has not learned from, and both as JSON.

    Raises TooFewVerdicts.
    """
    names = judged.judged_artists()
    similar = int(judged.similar.sum())
    if min(similar, len(judged) - similar) < FEWEST_OF_EACH or len(names) < FEWEST_ARTISTS:
        raise TooFewVerdicts(
            f"It is compared on verdicts that were given after it was made: {FEWEST_OF_EACH} pairs "
            f"called similar, as many called not similar, and {FEWEST_ARTISTS} artists are needed; "
            f"there are {similar}, {len(judged) - similar} and {len(names)}."
        )
    before, after = ([Ranking.of(cosines(judged, each), judged.similar)] for each in (None, matrix))
    was, became = mean_area(before), mean_area(after)
    low, high = gain_interval([judged], before, after, seed=seed)
    return _concluded(
        {
            "pairs": len(judged),
            "similar": similar,
            "tracks": len(np.unique(judged.pairs)),
            "artists": len(names),
            "before": was,
            "after": became,
            "gain": became - was,
            "gain_low": low,
            "gain_high": high,
            "judged": "since",
        }
    )


def _concluded(found: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    low, high = found["gain_low"], found["gain_high"]
    if low > 0.0:
        verdict = BETTER
    elif high < 0.0:
        verdict = WORSE
    else:
        verdict = NOT_WORSE if low >= -MARGIN else UNDECIDED
    why = (
        f"On {found['pairs']} pairs by {found['artists']} artists, a pair that people call similar "
        f"is nearer than another in {found['after']:.1%} of comparisons, by the serving version in "
        f"{found['before']:.1%} (difference {100 * low:+.1f} to {100 * high:+.1f} points). Genres "
        "and features stay as they are."
    )
    rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in found.items()}
    return verdict, {"kind": "verdicts", **rounded, "why": why}
