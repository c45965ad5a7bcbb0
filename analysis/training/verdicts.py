"""Learning from people's verdicts on pairs of tracks: which directions of the embedding matter.

A linear map of the embedding's 128 dimensions is fitted so that pairs called similar come to lie
nearer than pairs called not similar. The embedding head is linear, so that the map becomes part of
its weights. Verdicts are few and the map has a thousand numbers: it is pulled towards leaving all
as it is, and how hard is chosen on verdicts on artists that the fit has not seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from analysis.training.evaluation import unit

Float = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]

# Weight of the map's distance from the identity, from nearly free to nearly fixed.
PULLS = (0.003, 0.01, 0.03, 0.1, 1.0)
FOLDS = 5
FEWEST_OF_EACH = FEWEST_ARTISTS = 2 * FOLDS
_DIRECTIONS = 32
# Cosines that differ by this much are clearly apart.
_TEMPERATURE = 0.1
_STEPS = 40
_MOST_COMPARISONS = 10_000
_DRAWS = 1_000


class TooFewVerdicts(ValueError):
    """There is not enough to learn from and to check with; the message says what is missing."""


@dataclass(frozen=True)
class JudgedPairs:
    """n verdicts on pairs of m tracks.

    ``vectors`` (m, 128) have length one; ``artists`` (m,) are any names; ``pairs`` (n, 2) are rows
    of the vectors; ``similar`` (n,) is what people said.
    """

    vectors: Float
    artists: Sequence[str]
    pairs: Int
    similar: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pairs)

    def only(self, rows: npt.NDArray[np.bool_]) -> JudgedPairs:
        """The verdicts in ``rows`` (n,), of the same tracks."""
        return JudgedPairs(self.vectors, self.artists, self.pairs[rows], self.similar[rows])

    def digest(self) -> str:
        """SHA-256 of which places, whose, were judged how."""
        content = hashlib.sha256("\n".join(self.artists).encode())
        for part in (self.vectors.astype("<f2"), self.pairs.astype("<i8"), self.similar):
            content.update(np.ascontiguousarray(part).tobytes())
        return content.hexdigest()

    def judged_artists(self) -> list[str]:
        """Artists of whom a track was judged."""
        return sorted({self.artists[row] for row in self.pairs.ravel().tolist()})

    def of_artists(self, numbers: Mapping[str, int]) -> Int:
        """The number (n, 2) of each pair's two artists."""
        by_row = np.array([numbers.get(name, -1) for name in self.artists])
        return by_row[self.pairs]

    def has_both(self) -> bool:
        """Whether there is a similar pair and one that is not."""
        return bool(self.similar.any() and not self.similar.all())


@dataclass(frozen=True)
class VerdictFigures:
    """How well the cosine puts similar pairs before others, before and after the fit.

    ``before`` and ``after`` are areas under the ROC curve on pairs with at least one artist whom
    the fit has not seen; the interval of their difference (95 %) draws artists anew. ``digest`` is
    that of the verdicts.
    """

    pairs: int
    similar: int
    tracks: int
    artists: int
    before: float
    after: float
    gain: float
    gain_low: float
    gain_high: float
    pull: float
    digest: str


def learn(judged: JudgedPairs, *, seed: int = 0) -> tuple[Float, VerdictFigures]:
    """The map (128, 128) fitted on all verdicts, and what such a fit is worth on unseen artists.

    The strength of the pull is chosen within each training part, so that the figures come from
    verdicts that decided nothing. Raises TooFewVerdicts.
    """
    names = judged.judged_artists()
    least = min(judged.similar.sum(), (~judged.similar).sum())
    if least < FEWEST_OF_EACH or len(names) < FEWEST_ARTISTS:
        raise TooFewVerdicts(
            f"Learning needs {FEWEST_OF_EACH} pairs called similar, as many called not similar, and"
            f" {FEWEST_ARTISTS} artists; there are {judged.similar.sum()}, "
            f"{(~judged.similar).sum()} and {len(names)}."
        )
    tests, before, after = [], [], []
    for train, test in _folds(judged, seed=seed):
        matrix = fit(train, pull=_best_pull(train, seed=seed + 1))
        tests.append(test)
        before.append(Ranking.of(cosines(test, None), test.similar))
        after.append(Ranking.of(cosines(test, matrix), test.similar))
    if not tests:
        raise TooFewVerdicts(
            "The verdicts hang together too closely to hold artists out: more pairs of more artists"
            " are needed."
        )
    was, became = mean_area(before), mean_area(after)
    low, high = gain_interval(tests, before, after, seed=seed)
    pull = _best_pull(judged, seed=seed)
    figures = VerdictFigures(
        pairs=len(judged),
        similar=int(judged.similar.sum()),
        tracks=len(np.unique(judged.pairs)),
        artists=len(names),
        before=was,
        after=became,
        gain=became - was,
        gain_low=low,
        gain_high=high,
        pull=pull,
        digest=judged.digest(),
    )
    return fit(judged, pull=pull), figures


def fit(judged: JudgedPairs, *, pull: float) -> Float:
    """The map (128, 128) that ranks these verdicts best for what it departs from the identity.

    It acts within the 32 directions in which the tracks differ most. Logistic loss over every
    similar pair against every other one (a random 10,000 of them at most): RankNet, Burges et al.
    2005. Solved by L-BFGS from the identity on, and so the same every time.
    """
    used = judged.vectors[np.unique(judged.pairs)].astype(np.float64)
    basis = np.linalg.svd(used - used.mean(axis=0), full_matrices=False)[2][:_DIRECTIONS]
    inside = torch.from_numpy(judged.vectors @ basis.T)
    outside = torch.from_numpy(judged.vectors - (judged.vectors @ basis.T) @ basis)
    left, right = (torch.from_numpy(judged.pairs[:, side]) for side in (0, 1))
    kept = (outside[left] * outside[right]).sum(dim=1)
    kept_square = outside.square().sum(dim=1)
    near = torch.from_numpy(np.flatnonzero(judged.similar))
    far = torch.from_numpy(np.flatnonzero(~judged.similar))
    comparisons = torch.cartesian_prod(near, far)
    if len(comparisons) > _MOST_COMPARISONS:
        generator = torch.Generator().manual_seed(0)
        chosen = torch.randperm(len(comparisons), generator=generator)[:_MOST_COMPARISONS]
        comparisons = comparisons[chosen]
    change = torch.zeros(len(basis), len(basis), dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS([change], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        moved = inside + inside @ change.T
        length = (moved.square().sum(dim=1) + kept_square).sqrt()
        cosine = ((moved[left] * moved[right]).sum(dim=1) + kept) / (length[left] * length[right])
        apart = cosine[comparisons[:, 0]] - cosine[comparisons[:, 1]]
        total = functional.softplus(-apart / _TEMPERATURE).mean() + pull * change.square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    matrix = np.eye(judged.vectors.shape[1]) + basis.T @ change.detach().numpy() @ basis
    return matrix.astype(np.float32)


def cosines(judged: JudgedPairs, matrix: Float | None) -> Float:
    """Cosine (n,) of the two tracks of each pair, mapped by ``matrix`` (None: as they are)."""
    vectors = judged.vectors if matrix is None else judged.vectors @ matrix.T
    places = unit(vectors)
    return np.einsum("nd,nd->n", places[judged.pairs[:, 0]], places[judged.pairs[:, 1]])


@dataclass(frozen=True)
class Ranking:
    """Which positives score above which negatives, to be weighed anew again and again."""

    positive: npt.NDArray[np.bool_]
    above: npt.NDArray[np.float64]  # (positives, negatives): 1, 0.5 or 0

    @classmethod
    def of(cls, scores: Float, positive: npt.NDArray[np.bool_]) -> Ranking:
        apart = scores[positive][:, None] - scores[~positive][None]
        return cls(positive, (np.sign(apart) + 1.0) / 2.0)

    def size(self, weights: npt.NDArray[np.float64]) -> float:
        return float(weights[self.positive].sum() * weights[~self.positive].sum())

    def area(self, weights: npt.NDArray[np.float64]) -> float:
        """Probability that a positive scores above a negative, ties half, where a comparison weighs
        the product of both ``weights`` (n,); NaN without one of them."""
        size = self.size(weights)
        if size <= 0.0:
            return float("nan")
        return float(weights[self.positive] @ self.above @ weights[~self.positive] / size)


def _folds(judged: JudgedPairs, *, seed: int) -> list[tuple[JudgedPairs, JudgedPairs]]:
    """Parts to learn from and to check with: no artist of a fold is among those learned from, and
    each pair checked has one at least. Parts that lack a kind of verdict are left out."""
    names = judged.judged_artists()
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[place]: number % FOLDS for number, place in enumerate(order)}
    folds = judged.of_artists(fold_of)
    parts = []
    for fold in range(FOLDS):
        inside = (folds == fold).any(axis=1)
        train, test = judged.only(~inside), judged.only(inside)
        if train.has_both() and test.has_both():
            parts.append((train, test))
    return parts


def _best_pull(judged: JudgedPairs, *, seed: int) -> float:
    parts = _folds(judged, seed=seed)
    if not parts:
        return PULLS[-1]

    def worth(pull: float) -> float:
        maps = [(test, cosines(test, fit(train, pull=pull))) for train, test in parts]
        return mean_area([Ranking.of(scores, test.similar) for test, scores in maps])

    # Of equals the one that changes less.
    return max(reversed(PULLS), key=worth)


def mean_area(
    rankings: Sequence[Ranking], weights: Sequence[npt.NDArray[np.float64]] | None = None
) -> float:
    """The area within each part, parts weighed by their comparisons: maps of different fits have no
    common scale."""
    if weights is None:
        weights = [np.ones(len(ranking.positive)) for ranking in rankings]
    sizes = [ranking.size(own) for ranking, own in zip(rankings, weights, strict=True)]
    total = sum(
        size * ranking.area(own)
        for ranking, own, size in zip(rankings, weights, sizes, strict=True)
        if size > 0.0
    )
    return total / sum(sizes) if sum(sizes) > 0.0 else float("nan")


def gain_interval(
    tests: Sequence[JudgedPairs],
    before: Sequence[Ranking],
    after: Sequence[Ranking],
    *,
    seed: int,
) -> tuple[float, float]:
    """95 % of the gains when artists are drawn anew: a pair is drawn as often as its first artist
    times its second (Owen 2007, "The pigeonhole bootstrap")."""
    names = sorted({name for test in tests for name in test.judged_artists()})
    number = {name: place for place, name in enumerate(names)}
    sides = [test.of_artists(number) for test in tests]
    generator = np.random.default_rng(seed)
    gains = []
    for _ in range(_DRAWS):
        drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names))).astype(float)
        weights = [
            np.where(pair[:, 0] == pair[:, 1], drawn[pair[:, 0]], drawn[pair].prod(axis=1))
            for pair in sides
        ]
        gains.append(mean_area(after, weights) - mean_area(before, weights))
    low, high = np.nanpercentile(gains, [2.5, 97.5])
    return float(low), float(high)
