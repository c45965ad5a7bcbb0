"""Calibration estimates against hand-computed values and models whose truth is known."""

import numpy as np
import pytest

from analysis.training.calibration import (
    calibration,
    cross_fitted,
    debiased_calibration_error,
    error_of_a_perfect_model,
    sweep_calibration_error,
)
from analysis.training.evaluation import expected_calibration_error, log_losses


def two_classes(confidence) -> np.ndarray:
    """Probabilities (n, 2) whose first class has the confidence."""
    confidence = np.asarray(confidence, dtype=np.float32)
    return np.stack([confidence, 1 - confidence], axis=1)


def test_equal_width_error_by_hand():
    # 15 bins of 1/15. 0.61 and 0.65 share bin 9 (0.600 to 0.667), one of them right; 0.95 twice in
    # bin 14, both right.
    probabilities = two_classes([0.61, 0.65, 0.95, 0.95])
    labels = np.array([0, 1, 0, 0])
    by_hand = 0.5 * abs(0.63 - 0.5) + 0.5 * abs(0.95 - 1.0)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(by_hand, abs=1e-6)


def test_log_loss_by_hand():
    probabilities = np.array([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7], [1.0, 0.0, 0.0]], dtype=np.float32)
    by_hand = [np.log(2), -np.log(0.7), 12 * np.log(10)]  # the last was called impossible
    losses = log_losses(probabilities, np.array([1, 2, 1]))
    np.testing.assert_allclose(losses, by_hand, rtol=1e-5)
    found = calibration(probabilities, np.array([1, 2, 1]))
    assert found.log_loss == pytest.approx(np.mean(by_hand), rel=1e-5)


def test_sweep_by_hand():
    # One bin: |0.7 - 0.75| = 0.05. Two: accuracies 0.5 and 1.0 rise. Three (2, 1, 1): 0.5, 1, 1.
    # Four: 1, 0, ... falls, so that three bins count.
    probabilities = two_classes([0.6, 0.65, 0.7, 0.85])
    labels = np.array([0, 1, 0, 0])
    by_hand = 0.5 * abs(0.625 - 0.5) + 0.25 * abs(0.7 - 1) + 0.25 * abs(0.85 - 1)
    assert sweep_calibration_error(probabilities, labels) == pytest.approx(by_hand, abs=1e-6)


def test_debiased_by_hand():
    # Bins of four: confidence 0.6 with 2 of 4 right, 0.9 with 4 of 4 right.
    probabilities = two_classes([0.6] * 4 + [0.9] * 4)
    labels = np.array([0, 0, 1, 1, 0, 0, 0, 0])
    squared = 0.5 * (0.1**2 - 0.25 / 3) + 0.5 * 0.1**2
    assert squared < 0
    assert debiased_calibration_error(probabilities, labels, bins=2) == 0.0
    wrong = np.ones(8, dtype=np.int64)
    squared = 0.5 * 0.6**2 + 0.5 * 0.9**2
    found = debiased_calibration_error(probabilities, wrong, bins=2)
    assert found == pytest.approx(np.sqrt(squared), abs=1e-6)


def test_a_perfect_model_scores_above_zero_on_few_tracks_and_what_is_foretold():
    generator = np.random.default_rng(0)
    few = two_classes(generator.uniform(0.5, 1, 200))
    mean, p95 = error_of_a_perfect_model(few)
    assert 0.04 < mean < p95 < 0.2
    # An independent simulation: draw truths, ask the ordinary estimate.
    drawn = [
        expected_calibration_error(few, (generator.uniform(size=200) >= few[:, 0]).astype(int))
        for _ in range(400)
    ]
    assert mean == pytest.approx(np.mean(drawn), rel=0.05)
    assert p95 == pytest.approx(np.percentile(drawn, 95), rel=0.1)
    many = two_classes(generator.uniform(0.5, 1, 50_000))
    assert error_of_a_perfect_model(many, draws=50)[0] < 0.01


def test_estimates_with_less_bias_are_nearer_to_the_truth():
    generator = np.random.default_rng(1)
    sweeps, debiased, plain = [], [], []
    for _ in range(20):
        honest = two_classes(generator.uniform(0.5, 1, 200))
        labels = (generator.uniform(size=200) >= honest[:, 0]).astype(int)
        found = calibration(honest, labels)
        sweeps.append(found.sweep)
        debiased.append(found.debiased_rms)
        plain.append(found.ece)
    assert np.mean(sweeps) < 0.75 * np.mean(plain)
    assert np.mean(debiased) < 0.75 * np.mean(plain)


def test_a_boasting_model_is_caught_by_every_estimate():
    labels = np.array([0, 1] * 150)
    boasting = two_classes(np.linspace(0.9, 0.99, 300))
    found = calibration(boasting, labels)
    for estimate in (found.ece, found.sweep, found.debiased_rms):
        assert estimate == pytest.approx(0.445, abs=0.03)
    assert found.ece > found.perfect_p95


def test_cross_fitting_never_lets_an_artists_tracks_choose_their_own_temperature():
    # Two artists: one always right, one always wrong. Its own temperature would make the right one
    # sure; the other's makes it unsure.
    generator = np.random.default_rng(2)
    logits = generator.normal(0, 2, (40, 3))
    probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype("f4")
    answers = probabilities.argmax(1)
    artists = ["right"] * 20 + ["wrong"] * 20
    labels = np.where(np.arange(40) < 20, answers, (answers + 1) % 3)
    fitted = cross_fitted(probabilities, labels, artists)
    np.testing.assert_allclose(fitted.sum(1), 1, atol=1e-5)
    assert (fitted.argmax(1) == answers).all()
    assert fitted[:20].max(1).mean() < probabilities[:20].max(1).mean()
    assert fitted[20:].max(1).mean() > probabilities[20:].max(1).mean()


def test_cross_fitting_leaves_a_calibrated_model_almost_as_it_is():
    generator = np.random.default_rng(3)
    logits = generator.normal(0, 2, (1_000, 5))
    probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype("f4")
    labels = (probabilities.cumsum(1) > generator.uniform(size=(1_000, 1))).argmax(1)
    fitted = cross_fitted(probabilities, labels, [f"a{i // 4}" for i in range(1_000)])
    np.testing.assert_allclose(fitted, probabilities, atol=0.05)
