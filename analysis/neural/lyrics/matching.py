"""Which written word is which heard one: two lists of words laid side by side."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

# Words less alike than this are not the same word misheard.
LEAST_LIKENESS = 0.5
# A word without a partner costs this much: what keeps a chorus from being matched with the next.
_GAP_COST = 0.05


def pairs(written: Sequence[str], heard: Sequence[str]) -> list[tuple[int, int]]:
    """Indices (written, heard) of words that belong together, both in rising order.

    The alignment with the highest sum of likeness (Needleman and Wunsch, 1970).
    """
    if not written or not heard:
        return []
    likeness = likenesses(written, heard)
    gain = np.where(likeness >= LEAST_LIKENESS, likeness, -np.inf)
    rows, columns = gain.shape
    best = np.zeros((rows + 1, columns + 1))
    best[1:, 0] = -_GAP_COST * np.arange(1, rows + 1)
    best[0, 1:] = -_GAP_COST * np.arange(1, columns + 1)
    costs = _GAP_COST * np.arange(columns + 1)
    for row in range(1, rows + 1):
        above = best[row - 1, 1:] - _GAP_COST
        diagonal = best[row - 1, :-1] + gain[row - 1]
        best[row, 1:] = np.maximum(above, diagonal)
        # Gaps in the row, all at once: the best of everything to the left minus its distance.
        best[row] = np.maximum.accumulate(best[row] + costs) - costs
    return _way_back(best, gain)


def likenesses(written: Sequence[str], heard: Sequence[str]) -> npt.NDArray[np.float64]:
    """Dice coefficient of the letter pairs of every two words, 1 for equal ones: (n, m)."""
    forms = [_form(word) for word in [*written, *heard]]
    index: dict[str, int] = {}
    rows, columns = [], []
    for row, form in enumerate(forms):
        for bigram in {form[at : at + 2] for at in range(len(form) - 1)}:
            rows.append(row)
            columns.append(index.setdefault(bigram, len(index)))
    grams = sparse.csr_matrix(
        (np.ones(len(rows)), (rows, columns)), shape=(len(forms), max(len(index), 1))
    )
    first, second = grams[: len(written)], grams[len(written) :]
    shared = (first @ second.T).toarray()
    counts = np.asarray(first.sum(axis=1)) + np.asarray(second.sum(axis=1)).T
    likeness: npt.NDArray[np.float64] = 2.0 * shared / np.maximum(counts, 1.0)
    return likeness


def _form(word: str) -> str:
    """Small letters without accents and marks, between two bounds that count as letters."""
    letters = unicodedata.normalize("NFKD", word).casefold()
    return "^" + "".join(char for char in letters if char.isalnum()) + "$"


def _way_back(
    best: npt.NDArray[np.float64], gain: npt.NDArray[np.float64]
) -> list[tuple[int, int]]:
    row, column = gain.shape
    found = []
    while row and column:
        here = best[row, column]
        if np.isclose(here, best[row - 1, column - 1] + gain[row - 1, column - 1]):
            row, column = row - 1, column - 1
            found.append((row, column))
        elif np.isclose(here, best[row - 1, column] - _GAP_COST):
            row -= 1
        else:
            column -= 1
    return found[::-1]
