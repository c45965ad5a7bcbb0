"""The embedding head: whitening, pairs near in tempo and timbre, and what training makes of it."""

from dataclasses import replace

import numpy as np
import torch

from analysis.neural.listener import ListeningNetwork
from analysis.training import evaluation
from analysis.training.genre import hear_tracks
from analysis.training.heads import EmbeddingRecipe, train_embedding_head, whitening
from analysis.training.neighbours import near_in_tempo_and_timbre
from tests.analysis.training.corpora import two_genres


def test_whitened_scatter_within_groups_is_the_same_in_all_directions():
    generator = np.random.default_rng(0)
    groups = torch.arange(200) // 10
    centres = generator.normal(0, 5, (20, 512))
    # Windows of a group differ a lot in the first directions, hardly in the others.
    noise = generator.normal(0, 1, (200, 6, 512)) * np.linspace(8, 0.2, 512)
    features = torch.from_numpy(centres[groups][:, None] + noise).float()
    matrix, mean = whitening(features, groups, shrinkage=1e-4)
    assert matrix.shape == (128, 512)
    points = ((features - mean) @ matrix.T).reshape(20, 60, 128)
    within = (points - points.mean(dim=1, keepdim=True)).reshape(-1, 128).double()
    covariance = within.T @ within / len(within)
    values = torch.linalg.eigvalsh(covariance)
    assert float(values.min()) > 0.9
    assert float(values.max()) < 1.1


def test_pairs_are_mutual_nearest_neighbours_of_one_tempo():
    corpus = two_genres(0, "a", tracks=6)
    assert near_in_tempo_and_timbre(corpus).tolist() == list(range(6))
    tempo = np.array([100.0, 101.0, 102.0, 150.0, np.nan, 149.0])
    # 0 and 2 sound alike and share a tempo; 1 is of their tempo but sounds like 3 and 5.
    numbers = near_in_tempo_and_timbre(replace(corpus, tempo_bpm=tempo))
    assert numbers.tolist() == [0, 1, 0, 3, 4, 3]


def test_the_embedding_finds_an_artists_other_tracks_better_than_the_trunk_alone():
    generator = np.random.default_rng(0)
    corpus = two_genres(0, "a", tracks=40)
    # An artist's sound: a faint band of its own below louder chance.
    for index, picture in enumerate(corpus.mel):
        band = 3 * (index // 2) + 60
        picture[band : band + 3] = np.minimum(picture[band : band + 3].astype(int) + 60, 255)
        picture[:40] = np.minimum(picture[:40] + generator.integers(0, 100), 255)
    torch.manual_seed(1)
    network = ListeningNetwork(2).eval()
    recipe = EmbeddingRecipe(windows_per_track=4, epochs=3)
    train_embedding_head(network, corpus, recipe=recipe)
    _, pooled, embeddings = hear_tracks(network, corpus.mel, device=torch.device("cpu"))
    plain = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
    before = evaluation.triplet_accuracy(plain, corpus.artists)
    after = evaluation.triplet_accuracy(embeddings, corpus.artists)
    assert after > before + 0.05
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, rtol=1e-5)
