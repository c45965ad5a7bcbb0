"""A fingerprint of a stretch of singing: how its sound moves, whatever its level, tone or codec.

The mel-frequency cepstrum (:mod:`analysis.neural.timbre.mfcc`), averaged over 0.2 s, ten times a
second. Its mean over the clip is taken out: an equaliser, a microphone or a master adds a constant
to a cepstrum. What remains is the course of the singing itself. Two clips are as similar as their
courses correlate at the best of all offsets, since cutting the same take from another file finds
other borders. No network is asked, so fingerprints stay comparable when models change.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

COEFFICIENTS = 12
STEPS_PER_SECOND = 10
MOST_STEPS = 50
_HOP = 20  # frames of the cepstrum, 5 ms each

FURTHEST_OFFSET = 15  # steps
_LEAST_OVERLAP = 18  # steps

# Spread of each coefficient around its clip's mean, over clips of 56 singers: each counts alike.
_SPREAD = np.array(
    [15.7, 8.67, 6.37, 5.56, 5.49, 4.06, 3.86, 3.63, 2.89, 2.77, 2.49, 2.37], dtype=np.float32
)

Float = npt.NDArray[np.float32]


def fingerprint(samples: npt.NDArray[np.floating]) -> Float:
    """The fingerprint, flat (steps * 12,), of mono sound (n,) at 32 kHz; of longer sound, that of
    its first five seconds. Raises ValueError for less than 20 ms."""
    from analysis.neural.timbre.mfcc import mfcc

    coefficients = mfcc(samples).numpy()[:COEFFICIENTS]
    sums = np.cumsum(coefficients, axis=1, dtype=np.float64)
    sums = np.concatenate([np.zeros((COEFFICIENTS, 1)), sums], axis=1)
    frames = coefficients.shape[1]
    middles = np.arange(_HOP // 2, max(frames, _HOP // 2 + 1), _HOP)[:MOST_STEPS]
    first = np.minimum(np.maximum(middles - _HOP, 0), frames - 1)
    last = np.minimum(middles + _HOP, frames)
    means = ((sums[:, last] - sums[:, first]) / (last - first)).T
    course = (means - means.mean(axis=0)) / _SPREAD
    return course.astype(np.float32).ravel()


class Nearest(NamedTuple):
    """Which fingerprint, in the order of adding, and how similar (-1..1)."""

    place: int
    similarity: float


class Fingerprints:
    """Many fingerprints to find the most similar one in."""

    def __init__(self) -> None:
        self._room = 256
        self._courses = np.zeros((self._room, MOST_STEPS, COEFFICIENTS), dtype=np.float32)
        self._energy = np.zeros((self._room, MOST_STEPS + 1), dtype=np.float32)
        self._steps = np.zeros(self._room, dtype=np.int32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, values: Float) -> None:
        """Add a fingerprint (steps * 12,)."""
        if self._count == self._room:
            self._grow()
        course = _course(values)
        at, steps = self._count, len(course)
        self._courses[at, :steps] = course
        energy = np.cumsum(np.square(course).sum(axis=1))
        self._energy[at, 1:] = np.concatenate(
            [energy, np.full(MOST_STEPS - steps, energy[-1] if steps else 0.0)]
        )
        self._steps[at] = steps
        self._count += 1

    def nearest(self, values: Float) -> Nearest | None:
        """The most similar fingerprint; None while there is none."""
        if not self._count:
            return None
        found = self.similarities(values)
        best = int(found.argmax())
        return Nearest(best, float(found[best]))

    def similarities(self, values: Float) -> Float:
        """Similarity (n,) to each: the correlation at the best offset of up to 1.5 s, where 1.8 s
        or the shorter of the two overlap."""
        course = _course(values)
        steps, known = len(course), self._steps[: self._count, None]
        offsets = np.arange(-FURTHEST_OFFSET, FURTHEST_OFFSET + 1)
        first, skipped = np.maximum(offsets, 0), np.maximum(-offsets, 0)
        shifted = np.zeros((offsets.size, MOST_STEPS, COEFFICIENTS), dtype=np.float32)
        for row, (start, skip) in enumerate(zip(first, skipped, strict=True)):
            part = course[skip : skip + MOST_STEPS - start]
            shifted[row, start : start + len(part)] = part
        flat = self._courses[: self._count].reshape(self._count, -1)
        product = flat @ shifted.reshape(offsets.size, -1).T
        overlap = np.clip(np.minimum(known - first, steps - skipped), 0, None)
        rows = np.arange(self._count)[:, None]
        theirs = self._energy[rows, first + overlap] - self._energy[rows, first]
        own = np.concatenate([[0.0], np.cumsum(np.square(course).sum(axis=1))])
        mine = own[np.minimum(skipped + overlap, steps)] - own[np.minimum(skipped, steps)]
        similarity = product / np.sqrt(np.maximum(theirs * mine, 1e-9))
        least = np.maximum(np.minimum(np.minimum(known, steps), _LEAST_OVERLAP), 1)
        best = np.where(overlap >= least, similarity, -1.0).max(axis=1)
        found: Float = best.astype(np.float32)
        return found

    def _grow(self) -> None:
        more = self._room
        self._courses = np.concatenate([self._courses, np.zeros_like(self._courses)])
        self._energy = np.concatenate([self._energy, np.zeros_like(self._energy)])
        self._steps = np.concatenate([self._steps, np.zeros_like(self._steps)])
        self._room += more


def _course(values: Float) -> Float:
    return np.asarray(values, dtype=np.float32).reshape(-1, COEFFICIENTS)[:MOST_STEPS]
