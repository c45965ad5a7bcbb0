"""How much a track is like the music that the model was trained on.

Two distances in the space of the trunk's features, both squared and whitened by the scatter within
genres or of all music: how far the nearest genre's centre is (Lee et al. 2018, "A simple unified
framework for detecting out-of-distribution samples"), and how much farther that is than music as a
whole lies (Ren et al. 2021, "A simple fix to Mahalanobis distance for improving near-OOD
detection"). The first knows the far side of everything, the second what lies between the genres.
The genres' labels shape these distances only through their centres and scatter: the trunk itself
never learned to forget what tells other music apart.

The sum is expressed as the share of known held-out tracks that lie at least as far: spread evenly
over 0..1 for music like the training corpus, near 0 for music unlike it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

# Below this the page says that the music is unlike what the model knows: one in ten known tracks
# is called unknown.
UNFAMILIAR_BELOW = 0.1

_DIMENSIONS = 48
_SHRINKAGE = 0.1


@dataclass(frozen=True)
class Familiarity:
    """What is kept of the training music, for d dimensions and k genres.

    ``project`` (d, 512) and ``mean`` (512,) lead into the space; ``within`` and ``whole`` (d, d)
    whiten it; ``centres`` (k, d). ``middle`` and ``spread`` (2,) are those of both distances, and
    ``known_distances`` the sorted sums, of the known held-out tracks.
    """

    mean: Float
    project: Float
    centres: Float
    within: Float
    whole: Float
    middle: Float
    spread: Float
    known_distances: Float

    def _both(self, pooled: Float) -> Float:
        """Distance to the nearest genre, and how much that exceeds the one to all music (n, 2)."""
        points = (pooled - self.mean) @ self.project.T
        apart = (points[:, None, :] - self.centres[None]) @ self.within.T
        nearest = (apart**2).sum(axis=-1).min(axis=1)
        return np.stack([nearest, nearest - ((points @ self.whole.T) ** 2).sum(axis=-1)], axis=1)

    def distance(self, pooled: Float) -> Float:
        """Distance (n,) of pooled features (n, 512): the sum of both, each standardised."""
        return ((self._both(pooled) - self.middle) / self.spread).sum(axis=1)

    def score(self, pooled: Float) -> Float:
        """Familiarity (n,) in 0..1."""
        known = self.known_distances
        nearer = np.searchsorted(known, self.distance(pooled), side="left")
        return ((known.size - nearer) / known.size).astype(np.float32)

    def arrays(self) -> dict[str, Float]:
        """All numbers by name, for a weights file."""
        return asdict(self)

    @classmethod
    def from_arrays(cls, arrays: dict[str, Float]) -> Self:
        """The inverse of :meth:`arrays`; raises KeyError if one is missing."""
        return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})


def fit(known: Float, labels: npt.NDArray[np.int64], held_out: Float) -> Familiarity:
    """Fit on pooled features (n, 512) of training tracks with their genres (n,); calibrate on those
    of held-out known tracks."""
    return calibrate(_fit_space(known, labels), held_out)


def calibrate(space: Familiarity, held_out: Float) -> Familiarity:
    """The same distances, measured by other known held-out tracks (n, 512)."""
    both = space._both(held_out)
    standard = replace(
        space,
        middle=both.mean(axis=0).astype(np.float32),
        spread=(both.std(axis=0) + 1e-6).astype(np.float32),
    )
    distances = np.sort(standard.distance(held_out)).astype(np.float32)
    return replace(standard, known_distances=distances)


def _fit_space(features: Float, labels: npt.NDArray[np.int64]) -> Familiarity:
    mean = features.mean(axis=0)
    scale = features.std(axis=0) + 1e-6
    scaled = (features - mean) / scale
    _, _, directions = np.linalg.svd(scaled, full_matrices=False)
    project = directions[:_DIMENSIONS] / scale
    points = (features - mean) @ project.T
    classes = np.unique(labels)
    centres = np.stack([points[labels == c].mean(axis=0) for c in classes])
    return Familiarity(
        mean=mean.astype(np.float32),
        project=project.astype(np.float32),
        centres=centres.astype(np.float32),
        within=_whitener(points - centres[np.searchsorted(classes, labels)]),
        whole=_whitener(points),
        middle=np.zeros(2, dtype=np.float32),
        spread=np.ones(2, dtype=np.float32),
        known_distances=np.zeros(1, dtype=np.float32),
    )


def _whitener(scatter: Float) -> Float:
    """Matrix (d, d) that whitens; shrinkage keeps directions of little scatter from deciding."""
    covariance = scatter.T @ scatter / len(scatter)
    covariance += _SHRINKAGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    return np.linalg.inv(np.linalg.cholesky(covariance)).astype(np.float32)
