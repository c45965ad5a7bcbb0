"""How far a mix lies from its target along each move of an equaliser.

Finished tracks of one genre differ from each other by several decibels, mostly in smooth,
correlated ways: a track with a strong bass has a strong kick as well. What an equaliser did to a
mix is found best by comparing shapes with that in mind. For a move of shape b (decibels per point
of the curve) and a deviation x from the target's middle, whose covariance among finished tracks is
S, the size of the move is estimated by generalised least squares,

    g = (b' S^-1 x) / (b' S^-1 b),

the matched filter for a known shape in coloured noise (S. Kay, "Fundamentals of Statistical Signal
Processing: Estimation Theory", 1993, chapter 4). The same estimate on the corpus's own tracks gives
the corridor in which eight of ten of them lie; see :mod:`analysis.training.measure_targets`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from analysis.sound.equaliser import Move, response_db

MOST_MOVES = 5
_RATE = 44_100
_FLOOR_DB2 = 0.3
"""Variance added to each point: no curve is measured better than to half a decibel."""

Array = npt.NDArray[np.float64]


def move_library() -> list[Move]:
    """The moves that are looked for: bells a third of an octave apart, and shelves, of 1 dB."""
    bells = [Move("bell", 50.0 * 2.0 ** (step / 3), 1.0, 1.0) for step in range(23)]
    lows = [Move("low_shelf", hz, 1.0) for hz in (80.0, 120.0, 180.0, 260.0, 400.0)]
    highs = [Move("high_shelf", hz, 1.0) for hz in (2_000.0, 3_000.0, 4_500.0, 6_500.0)]
    return [*bells, *lows, *highs]


@dataclass(frozen=True)
class Reach:
    """Corridor of each move of the library: 10th and 90th percentile of finished tracks, in dB."""

    p10_db: list[float]
    p90_db: list[float]


@dataclass(frozen=True)
class Deviation:
    """A move that explains how a mix differs from its target.

    ``size_db`` is how far along the move it lies from the target's middle, ``outside_db`` how far
    from the corridor, both signed: positive is too much.
    """

    move: Move
    size_db: float
    outside_db: float


class TonalModel:
    """Finds moves in deviations. ``covariance`` is that of finished tracks' deviations in dB²,
    shape (points, points), on the curve's points ``frequencies_hz``."""

    def __init__(self, frequencies_hz: npt.ArrayLike, covariance: npt.ArrayLike) -> None:
        self.frequencies_hz = np.asarray(frequencies_hz, dtype=np.float64)
        self.covariance = np.asarray(covariance, dtype=np.float64)
        points = self.frequencies_hz.size
        if self.covariance.shape != (points, points):
            raise ValueError(f"expected a covariance of {points} points")

    @classmethod
    def plain(cls, frequencies_hz: npt.ArrayLike) -> Self:
        """A model that takes every deviation at face value: then sizes are plain least squares.

        For a target that an artist chose, how finished tracks differ is no excuse: the mix is
        meant to sound like these very tracks.
        """
        return cls(frequencies_hz, np.eye(np.size(frequencies_hz)))

    @cached_property
    def moves(self) -> list[Move]:
        """The library."""
        return move_library()

    @cached_property
    def shapes(self) -> Array:
        """Deviation that each move makes by 1 dB, shape (moves, points), free of level."""
        # A bell's shape depends a little on its size; 4 dB is a typical one.
        rows = [
            response_db([Move(m.type, m.freq_hz, 4.0, m.q)], self.frequencies_hz, _RATE) / 4.0
            for m in self.moves
        ]
        return level_free(np.array(rows))

    @cached_property
    def _filters(self) -> Array:
        precision = np.linalg.inv(self.covariance + _FLOOR_DB2 * np.eye(len(self.covariance)))
        weighted = self.shapes @ precision
        return weighted / (weighted * self.shapes).sum(axis=1, keepdims=True)

    @cached_property
    def _certainty(self) -> Array:
        """One over the standard deviation of each estimate, shape (moves,)."""
        noise = self.covariance + _FLOOR_DB2 * np.eye(len(self.covariance))
        return 1.0 / np.sqrt(((self._filters @ noise) * self._filters).sum(axis=1))

    def sizes_db(self, deviations: Array) -> Array:
        """Size of each move in *deviations* (..., points), shape (..., moves)."""
        return level_free(np.asarray(deviations)) @ self._filters.T

    def explain(self, deviation: Array, reach: Reach, *, smallest_db: float) -> list[Deviation]:
        """The moves that explain a deviation (points,), the clearest first, at most five.

        Matching pursuit: the clearest move that lies outside its corridor by *smallest_db* or more
        is taken, what it explains is taken off, and the rest is looked at again.
        """
        rest = level_free(np.asarray(deviation, dtype=np.float64))
        low, high = np.array(reach.p10_db), np.array(reach.p90_db)
        found: list[Deviation] = []
        while len(found) < MOST_MOVES:
            sizes = self.sizes_db(rest)
            outside = np.maximum(sizes - high, 0.0) + np.minimum(sizes - low, 0.0)
            clarity = np.where(np.abs(outside) >= smallest_db, np.abs(sizes) * self._certainty, 0.0)
            for other in found:
                clarity[[_overlap(move, other.move) for move in self.moves]] = 0.0
            best = int(clarity.argmax())
            if clarity[best] <= 0.0:
                break
            found.append(Deviation(self.moves[best], float(sizes[best]), float(outside[best])))
            rest = rest - sizes[best] * self.shapes[best]
        return found


def level_free(curves: Array) -> Array:
    """Curves (..., points) less their own mean: how loud a track is says nothing of its tone."""
    return np.asarray(curves - curves.mean(axis=-1, keepdims=True))


def _overlap(one: Move, other: Move) -> bool:
    """Whether two moves do nearly the same."""
    near = abs(np.log2(one.freq_hz / other.freq_hz)) < 0.9
    return one.type == other.type and (near or one.type != "bell")
