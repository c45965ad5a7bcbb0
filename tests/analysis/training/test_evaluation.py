"""Figures against other implementations and known answers."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from analysis.training import evaluation
from analysis.training.heads import fit_temperature


def test_calibration_error_of_a_calibrated_and_of_a_boasting_model():
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.5, 1.0, 40_000).astype("f4")
    labels = (generator.uniform(size=40_000) >= confidence).astype(np.int64)
    honest = np.stack([confidence, 1 - confidence], axis=1)
    assert evaluation.expected_calibration_error(honest, labels) < 0.02
    boasting = np.tile(np.array([[0.99, 0.01]], dtype="f4"), (40_000, 1))
    error = evaluation.expected_calibration_error(boasting, labels)
    assert error == pytest.approx(0.99 - (labels == 0).mean(), abs=1e-3)


def test_temperature_finds_the_one_that_was_hidden():
    generator = np.random.default_rng(1)
    logits = generator.normal(0, 2, (20_000, 5))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (shares.cumsum(1) > generator.uniform(size=(20_000, 1))).argmax(1)
    assert fit_temperature((logits * 2.5).astype("f4"), labels) == pytest.approx(2.5, rel=0.06)


def test_mean_average_precision_agrees_with_scikit_learn():
    generator = np.random.default_rng(2)
    vectors = generator.normal(size=(40, 8)).astype("f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = [f"g{i % 5}" for i in range(40)]
    expected = []
    for i in range(40):
        others = np.arange(40) != i
        expected.append(
            average_precision_score(
                [groups[j] == groups[i] for j in np.flatnonzero(others)],
                (vectors @ vectors[i])[others],
            )
        )
    assert evaluation.mean_average_precision(vectors, groups) == pytest.approx(
        np.mean(expected), abs=1e-6
    )


def test_perfect_and_random_spaces():
    perfect = np.repeat(np.eye(4, dtype="f4"), 5, axis=0)
    groups = [f"g{i // 5}" for i in range(20)]
    assert evaluation.triplet_accuracy(perfect, groups) == 1.0
    assert evaluation.hit_rate(perfect, groups, k=1) == 1.0
    noise = np.random.default_rng(3).normal(size=(400, 16)).astype("f4")
    assert evaluation.triplet_accuracy(noise, [f"g{i % 4}" for i in range(400)]) == pytest.approx(
        0.5, abs=0.05
    )


def test_average_precision_among_other_artists_agrees_with_scikit_learn():
    generator = np.random.default_rng(4)
    vectors = generator.normal(size=(30, 8)).astype("f4")
    groups = [f"g{i % 3}" for i in range(30)]
    artists = [f"a{i // 3}" for i in range(30)]
    found = evaluation.average_precisions(vectors, groups, left_out=artists)
    for i in range(30):
        others = np.array([artist != artists[i] for artist in artists])
        expected = average_precision_score(
            [groups[j] == groups[i] for j in np.flatnonzero(others)],
            (vectors @ vectors[i])[others],
        )
        assert found[i] == pytest.approx(expected, abs=1e-6)


def test_queries_that_are_alone_have_no_figures():
    vectors = np.eye(3, dtype="f4")
    groups = ["g", "g", "alone"]
    for figures in (
        evaluation.average_precisions(vectors, groups),
        evaluation.hits(vectors, groups),
        evaluation.triplet_shares(vectors, groups),
    ):
        assert np.isnan(figures).tolist() == [False, False, True]
    assert np.isnan(evaluation.hit_rate(vectors, ["a", "b", "c"]))
