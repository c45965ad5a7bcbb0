"""How much a track is like the music that the model was trained on.

Two looks at a track: its *spectral* side (mean and deviation of each mel band) and what the trunk
*heard* (its pooled features). In each, the distance to the nearest genre centre is taken in the
space whitened by the scatter within genres (Lee et al. 2018, "A simple unified framework for
detecting out-of-distribution samples"); both are added. A network is blind to differences that its
training never asked about, which is why the spectral side weighs more.

The sum is expressed as the share of known held-out tracks that lie at least as far: spread evenly
over 0..1 for music like the training corpus, near 0 for music unlike it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

# Below this the page says that the music is unlike what the model knows: one in ten known tracks
# is called unknown.
UNFAMILIAR_BELOW = 0.1

_DIMENSIONS = {"spectral": 32, "heard": 48}
_WEIGHTS = {"spectral": 1.0, "heard": 0.5}


def mel_statistics(mel: npt.NDArray[np.uint8]) -> Float:
    """Mean and deviation over time of each mel band: (..., 256) of pictures (..., 128, T)."""
    scaled = mel.astype(np.float32) / 255.0
    return np.concatenate([scaled.mean(axis=-1), scaled.std(axis=-1)], axis=-1)


@dataclass(frozen=True)
class Space:
    """A whitened space: mean (D,), whiten (d, D), centres (k, d), and the distance that counts as
    one: the median of the known held-out tracks."""

    mean: Float
    whiten: Float
    centres: Float
    unit: Float

    def distance(self, features: Float) -> Float:
        """Distance (n,) of features (n, D) to the nearest centre, in units."""
        points = (features - self.mean) @ self.whiten.T
        nearest = np.sqrt(((points[:, None, :] - self.centres[None]) ** 2).sum(-1)).min(axis=1)
        return nearest / self.unit


@dataclass(frozen=True)
class Familiarity:
    """Both spaces, and the sorted distances of the known held-out tracks."""

    spectral: Space
    heard: Space
    known_distances: Float

    def distance(self, statistics: Float, pooled: Float) -> Float:
        """Combined distance (n,) of mel statistics (n, 256) and pooled features (n, 512)."""
        return _WEIGHTS["spectral"] * self.spectral.distance(statistics) + _WEIGHTS[
            "heard"
        ] * self.heard.distance(pooled)

    def score(self, statistics: Float, pooled: Float) -> Float:
        """Familiarity (n,) in 0..1."""
        known = self.known_distances
        nearer = np.searchsorted(known, self.distance(statistics, pooled), side="left")
        return ((known.size - nearer) / known.size).astype(np.float32)

    def arrays(self) -> dict[str, Float]:
        """All numbers by name, for a weights file."""
        flat = {"known_distances": self.known_distances}
        for name, space in (("spectral", self.spectral), ("heard", self.heard)):
            flat |= {f"{name}.{key}": value for key, value in asdict(space).items()}
        return flat

    @classmethod
    def from_arrays(cls, arrays: dict[str, Float]) -> Self:
        """The inverse of :meth:`arrays`."""

        def space(name: str) -> Space:
            keys = ("mean", "whiten", "centres", "unit")
            return Space(**{key: arrays[f"{name}.{key}"] for key in keys})

        return cls(space("spectral"), space("heard"), np.sort(arrays["known_distances"]))


def fit(
    known: tuple[Float, Float], labels: npt.NDArray[np.int64], held_out: tuple[Float, Float]
) -> Familiarity:
    """Fit on (mel statistics, pooled features) of training tracks with their genres; calibrate on
    those of held-out known tracks."""
    spectral = _fit_space(known[0], labels, held_out[0], dimensions=_DIMENSIONS["spectral"])
    heard = _fit_space(known[1], labels, held_out[1], dimensions=_DIMENSIONS["heard"])
    fitted = Familiarity(spectral, heard, np.zeros(1, dtype=np.float32))
    distances = np.sort(fitted.distance(*held_out)).astype(np.float32)
    return Familiarity(spectral, heard, distances)


def _fit_space(
    features: Float, labels: npt.NDArray[np.int64], held_out: Float, *, dimensions: int
) -> Space:
    mean = features.mean(axis=0)
    classes = np.unique(labels)
    centres = np.stack([features[labels == c].mean(axis=0) for c in classes]) - mean
    within = features - mean - centres[np.searchsorted(classes, labels)]
    values, vectors = np.linalg.eigh(within.T @ within / len(within))
    keep = np.argsort(values)[::-1][:dimensions]
    # Shrinkage keeps directions with little training scatter from deciding everything.
    scale = 1.0 / np.sqrt(values[keep] + 0.1 * values[keep].mean())
    whiten = (vectors[:, keep] * scale).T.astype(np.float32)
    space = Space(
        mean=mean.astype(np.float32),
        whiten=whiten,
        centres=(centres @ whiten.T).astype(np.float32),
        unit=np.ones(1, dtype=np.float32),
    )
    unit = np.median(space.distance(held_out)).reshape(1).astype(np.float32)
    return Space(space.mean, space.whiten, space.centres, unit)
