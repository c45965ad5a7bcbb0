"""From one song to another in small steps. No Django here.

Candidates are what lies near the great circle between the two places. Among them the way is taken
whose steps, each raised to a high power, add up to the least: one large step outweighs many small
ones, so that it is only taken where there is no way around. The power and the number of candidates
were chosen by measure (docs/discovery-pages.md).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

STEP_POWER = 8
_PARALLEL = 1e-6


def waypoints(a: Float, b: Float, steps: int) -> Float:
    """``steps`` places (steps, d) of length one between the unit vectors ``a`` and ``b`` (d,),
    neither of them included, at equal angles."""
    angle = float(np.arccos(np.clip(a @ b, -1.0, 1.0)))
    shares = np.arange(1, steps + 1) / (steps + 1)
    if np.sin(angle) < _PARALLEL:
        straight = np.outer(1 - shares, a) + np.outer(shares, b)
        lengths = np.linalg.norm(straight, axis=1, keepdims=True)
        found: Float = (straight / np.maximum(lengths, _PARALLEL)).astype(np.float32)
        return found
    weights = np.stack([np.sin((1 - shares) * angle), np.sin(shares * angle)], axis=1)
    places: Float = ((weights @ np.stack([a, b])) / np.sin(angle)).astype(np.float32)
    return places


def smoothest(a: Float, b: Float, places: Float, most: int) -> list[int]:
    """At most ``most`` indexes of ``places`` (m, d), in the order of the way from ``a`` to ``b``
    (d,) whose cosine distances, to the power of :data:`STEP_POWER`, add up to the least.

    No place comes twice: a way without the loop would cost less. All vectors have length one.
    """
    if not len(places) or most < 1:
        return []
    between = _cost(places, places)
    np.fill_diagonal(between, np.inf)
    last = _cost(places, b[None])[:, 0]
    reached = _cost(a[None], places)[0]
    came_from: list[npt.NDArray[np.intp]] = []
    best_cost, best = float(_cost(a[None], b[None])[0, 0]), []
    for hops in range(1, most + 1):
        if hops > 1:
            ways = reached[:, None] + between
            came_from.append(np.argmin(ways, axis=0))
            reached = np.min(ways, axis=0)
        at = int(np.argmin(reached + last))
        # By more than rounding: a longer way has to be worth it.
        if float(reached[at] + last[at]) < best_cost * (1 - 1e-9):
            best_cost, best = float(reached[at] + last[at]), _back(at, came_from)
    return best


def _back(at: int, came_from: list[npt.NDArray[np.intp]]) -> list[int]:
    way = [at]
    for arrows in reversed(came_from):
        at = int(arrows[at])
        way.append(at)
    return way[::-1]


def _cost(a: Float, b: Float) -> npt.NDArray[np.float64]:
    distances = np.maximum(1.0 - a.astype(float) @ b.astype(float).T, 0.0)
    cost: npt.NDArray[np.float64] = distances**STEP_POWER
    return cost


def steps_of(way: Float) -> npt.NDArray[np.float64]:
    """Cosine distances (n - 1,) from each place of ``way`` (n, d) to the next."""
    products: npt.NDArray[np.float64] = 1.0 - np.sum(way[:-1] * way[1:], axis=1)
    return products
