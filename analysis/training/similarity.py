"""Is the embedding better than what needs no learning? Similarity beside its baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from analysis.training import evaluation
from analysis.training.evaluation import unit
from analysis.training.held_out import HeldOut
from analysis.training.intervals import Interval, mean_by_artist

Float = npt.NDArray[np.float32]

EMBEDDING = "embedding"
MFCCS = 20


@dataclass(frozen=True)
class SpaceFigures:
    """One space. Triplets and hits are by artist, mAP is by genre, without and with the tracks of
    the query's own artist in the ranking; cosine everywhere."""

    triplet_accuracy_by_artist: float
    artist_hit_at_10: float
    genre_map: float
    genre_map_other_artists: float


@dataclass(frozen=True)
class Difference:
    """Embedding minus a baseline on the same queries, with 95 % intervals over artists."""

    triplet_accuracy_by_artist: Interval
    artist_hit_at_10: Interval
    genre_map: Interval


@dataclass(frozen=True)
class SimilarityFigures:
    """Tracks whose artists the judge has never heard; ``queries_by_artist`` have a second track of
    their artist among them."""

    tracks: int
    artists: int
    queries_by_artist: int
    spaces: dict[str, SpaceFigures]
    embedding_minus: dict[str, Difference]


def similarity(tracks: HeldOut) -> SimilarityFigures:
    """Embedding, the classifier's penultimate features, MFCC and mel statistics, and chance."""
    found = tracks.answers(list(tracks.corpus.pictures()))
    noise = np.random.default_rng(0).standard_normal(found.embeddings.shape)
    spaces: dict[str, Float] = {
        EMBEDDING: found.embeddings,
        "penultimate": found.penultimate,
        "mfcc_statistics": standardised(mfcc_statistics(tracks.corpus.mel)),
        "mel_statistics": standardised(mel_statistics(tracks.corpus.mel)),
        "random": unit(noise.astype(np.float32)),
    }
    queries = {name: _queries(tracks, vectors) for name, vectors in spaces.items()}
    ours = queries[EMBEDDING]
    return SimilarityFigures(
        tracks=len(tracks),
        artists=len(set(tracks.corpus.artists)),
        queries_by_artist=int((~np.isnan(ours["artist_hit_at_10"])).sum()),
        spaces={
            name: SpaceFigures(**{key: float(np.nanmean(rows)) for key, rows in figures.items()})
            for name, figures in queries.items()
        },
        embedding_minus={
            name: Difference(
                *(
                    mean_by_artist(ours[key] - figures[key], tracks.corpus.artists)
                    for key in ("triplet_accuracy_by_artist", "artist_hit_at_10", "genre_map")
                )
            )
            for name, figures in queries.items()
            if name != EMBEDDING
        },
    )


def _queries(tracks: HeldOut, vectors: Float) -> dict[str, Float]:
    """Every figure per query (n,), each track compared with those of the same judge."""
    artists, genres = np.array(tracks.corpus.artists), np.array(tracks.genres)
    rules: dict[str, Callable[[Float, list[str], list[str]], Float]] = {
        "triplet_accuracy_by_artist": lambda v, a, _: evaluation.triplet_shares(v, a),
        "artist_hit_at_10": lambda v, a, _: evaluation.hits(v, a),
        "genre_map": lambda v, _, g: evaluation.average_precisions(v, g),
        "genre_map_other_artists": lambda v, a, g: evaluation.average_precisions(v, g, left_out=a),
    }
    figures = {name: np.full(len(tracks), np.nan, dtype=np.float32) for name in rules}
    for _, rows in tracks.by_judge():
        inside = vectors[rows], artists[rows].tolist(), genres[rows].tolist()
        for name, rule in rules.items():
            figures[name][rows] = rule(*inside)
    return figures


def mel_statistics(mel: npt.NDArray[np.uint8]) -> Float:
    """Mean and deviation over time of each mel band: (..., 256) of pictures (..., 128, T)."""
    scaled = mel.astype(np.float32) / 255.0
    return np.concatenate([scaled.mean(axis=-1), scaled.std(axis=-1)], axis=-1)


def mfcc_statistics(mel: npt.NDArray[np.uint8]) -> Float:
    """Timbre as it was described before networks: (..., 80) of pictures (..., 128, T).

    20 cepstral coefficients (orthonormal DCT-II over the bands of the log-mel picture, Davis &
    Mermelstein 1980; the first holds the level), their mean and deviation over time, and the mean
    size and the deviation of their change from column to column.
    """
    cepstra = scipy.fft.dct(mel.astype(np.float32) / 255.0, type=2, norm="ortho", axis=-2)
    cepstra = cepstra[..., :MFCCS, :]
    change = np.diff(cepstra, axis=-1)
    parts = [cepstra.mean(-1), cepstra.std(-1), np.abs(change).mean(-1), change.std(-1)]
    return np.concatenate(parts, axis=-1).astype(np.float32)


def standardised(features: Float) -> Float:
    """Unit vectors (n, d) of features with mean 0 and deviation 1 over the n tracks."""
    return unit((features - features.mean(0)) / (features.std(0) + 1e-6))
