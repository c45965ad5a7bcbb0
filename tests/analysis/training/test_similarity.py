"""Baselines against another implementation, and similarity on music whose answer is known."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from analysis.training.genre_figures import genre
from analysis.training.held_out import Answers, HeldOut
from analysis.training.similarity import mfcc_statistics, similarity, standardised
from tests.analysis.training.corpora import two_genres


class Oracle(HeldOut):
    """Held-out tracks with given answers in place of a network's: what is counted is tested here,
    not what is heard."""

    def answers(self, pictures):
        n = len(self)
        generator = np.random.default_rng(0)
        names = sorted(set(self.corpus.artists))
        artist = np.eye(128, dtype="f4")[[names.index(name) for name in self.corpus.artists]]
        truth = np.eye(2, dtype="f4")[self.corpus.labels]
        truth[:3] = truth[:3, ::-1]  # three are named wrong
        return Answers(
            probabilities=0.8 * truth + 0.1,
            embeddings=artist,
            pooled=generator.normal(size=(n, 512)).astype("f4"),
        )

    def by_judge(self):
        yield None, np.arange(len(self))


def oracle(tracks: int) -> Oracle:
    corpus = two_genres(0, "a", tracks=tracks)
    return Oracle([], np.zeros(tracks, dtype=np.int64), corpus)


def test_mfcc_agree_with_librosa():
    mel = two_genres(0, "a").mel[:3]
    for picture, found in zip(mel, mfcc_statistics(mel), strict=True):
        cepstra = librosa.feature.mfcc(S=picture / 255.0, n_mfcc=20, dct_type=2, norm="ortho")
        change = np.diff(cepstra, axis=1)
        parts = [cepstra.mean(1), cepstra.std(1), np.abs(change).mean(1), change.std(1)]
        np.testing.assert_allclose(found, np.concatenate(parts), atol=1e-4)


def test_standardised_features_weigh_alike():
    features = np.random.default_rng(0).normal(0, [1.0, 1000.0], (500, 2)).astype("f4")
    vectors = standardised(features)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.abs(vectors).mean(0)[0] == pytest.approx(np.abs(vectors).mean(0)[1], rel=0.1)


def test_a_space_of_artists_is_perfect_by_artist_and_beats_chance_for_sure():
    figures = similarity(oracle(60))
    ours = figures.spaces["embedding"]
    assert (ours.triplet_accuracy_by_artist, ours.artist_hit_at_10) == (1.0, 1.0)
    assert figures.spaces["random"].triplet_accuracy_by_artist == pytest.approx(0.5, abs=0.1)
    assert (figures.tracks, figures.artists, figures.queries_by_artist) == (60, 30, 60)
    gain = figures.embedding_minus["random"].triplet_accuracy_by_artist
    expected = 1.0 - figures.spaces["random"].triplet_accuracy_by_artist
    assert gain.mean == pytest.approx(expected, abs=1e-6)
    assert 0 < gain.low < gain.mean < gain.high
    # The pictures' bands show the genre, the artists do not.
    assert figures.spaces["mel_statistics"].genre_map > 0.9


def test_genre_figures_count_what_is_named():
    figures = genre(oracle(60))
    assert figures.accuracy.mean == pytest.approx(57 / 60)
    assert figures.confusion == {"high": {"high": 28, "low": 2}, "low": {"high": 1, "low": 29}}
    assert figures.recall == {"high": pytest.approx(28 / 30), "low": pytest.approx(29 / 30)}
    shipped = figures.calibration_as_shipped
    assert shipped.mean_confidence == pytest.approx(0.9)
    assert shipped.ece == pytest.approx(0.95 - 0.9, abs=1e-6)
    # Others' tracks ask for a lower temperature, as only one in twenty is wrong.
    assert figures.calibration.mean_confidence == pytest.approx(0.95, abs=0.02)
