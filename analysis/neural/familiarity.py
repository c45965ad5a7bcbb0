"""How much a track is like the music that the model was trained on.

Distance of the trunk's pooled features to the nearest genre centre, in the space whitened by the
scatter within genres (Lee et al. 2018, "A simple unified framework for detecting
out-of-distribution samples"), expressed as the share of known held-out tracks that lie at least
as far: uniform in 0..1 for music like the training corpus, near 0 for music unlike it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

# Below this the page says that the music is unlike what the model knows: one in twenty known
# tracks is called unknown.
UNFAMILIAR_BELOW = 0.05


@dataclass(frozen=True)
class Familiarity:
    """Whitening (d, 512), centres (k, d) and the sorted distances of known held-out tracks."""

    mean: Float
    whiten: Float
    centres: Float
    known_distances: Float

    def distance(self, pooled: Float) -> Float:
        """Distance (n,) of pooled features (n, 512) to the nearest centre."""
        points = (pooled - self.mean) @ self.whiten.T
        return np.sqrt(((points[:, None, :] - self.centres[None]) ** 2).sum(-1)).min(axis=1)

    def score(self, pooled: Float) -> Float:
        """Familiarity (n,) in 0..1 of pooled features (n, 512)."""
        known = np.sort(self.known_distances)
        nearer = np.searchsorted(known, self.distance(pooled), side="left")
        return ((known.size - nearer) / known.size).astype(np.float32)


def fit(
    pooled: Float, labels: npt.NDArray[np.int64], held_out: Float, *, dimensions: int = 48
) -> Familiarity:
    """Fit on training features (n, 512); calibrate on held-out known ones (m, 512)."""
    mean = pooled.mean(axis=0)
    classes = np.unique(labels)
    centres = np.stack([pooled[labels == c].mean(axis=0) for c in classes]) - mean
    within = pooled - mean - centres[np.searchsorted(classes, labels)]
    covariance = within.T @ within / len(within)
    values, vectors = np.linalg.eigh(covariance)
    keep = np.argsort(values)[::-1][:dimensions]
    # Shrinkage keeps directions with little training scatter from deciding everything.
    scale = 1.0 / np.sqrt(values[keep] + 0.1 * values[keep].mean())
    whiten = (vectors[:, keep] * scale).T.astype(np.float32)
    fitted = Familiarity(
        mean=mean.astype(np.float32),
        whiten=whiten,
        centres=(centres @ whiten.T).astype(np.float32),
        known_distances=np.zeros(1, dtype=np.float32),
    )
    return Familiarity(
        mean=fitted.mean,
        whiten=fitted.whiten,
        centres=fitted.centres,
        known_distances=np.sort(fitted.distance(held_out)).astype(np.float32),
    )
