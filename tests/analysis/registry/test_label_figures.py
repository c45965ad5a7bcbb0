"""Figures and verdicts, against sums done by hand and by brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from analysis.registry.figures import figures_of
from analysis.registry.models import ModelVersion
from analysis.training.timbre import label_figures
from analysis.training.timbre.comparison import Answers, compared, worst
from analysis.training.timbre.label_network import temperature_of
from analysis.training.timbre.labelled import (
    LabelledClip,
    LabelsUnusable,
    counts,
    divided,
    learnable,
)

NAN = float("nan")


def test_average_precision_by_hand():
    # Ranked: yes, no, yes, no -> precision 1 at the first yes, 2/3 at the second.
    labels, scores = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.9, 0.8, 0.7, 0.1])
    assert label_figures.average_precision(labels, scores) == pytest.approx((1 + 2 / 3) / 2)
    # Raters divided, or nobody asked: not counted.
    more = np.array([1.0, 0.5, 0.0, NAN, 1.0, 0.0])
    assert label_figures.average_precision(
        more, np.array([0.9, 0.85, 0.8, 0.75, 0.7, 0.1])
    ) == pytest.approx((1 + 2 / 3) / 2)
    # A constant answer is worth the share of yes.
    assert label_figures.average_precision(labels, np.full(4, 0.3)) == pytest.approx(0.5)
    assert label_figures.average_precision(np.ones(3), np.arange(3.0)) is None


def test_a_draw_counts_like_copies_of_its_singers():
    rng = np.random.default_rng(4)
    singers = [f"s{n % 5}" for n in range(30)]
    labels, scores = (rng.random(30) < 0.4).astype(float), rng.random(30).round(1)
    draws = label_figures.singer_draws(singers, draws=25, seed=3)
    found = label_figures.precision_draws(labels, scores, draws)
    for weights, value in zip(draws, found, strict=True):
        copies = np.repeat(np.arange(30), weights.astype(int))
        expected = label_figures.average_precision(labels[copies], scores[copies])
        assert (np.isnan(value) and expected is None) or value == pytest.approx(expected)
    assert (draws.sum(axis=1) == 30).all()


def test_threshold_and_f1():
    labels = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    said = np.array([0.9, 0.8, 0.3, 0.35, 0.2, 0.1])
    at = label_figures.best_threshold(labels, said)
    brute = max(label_figures.f1(labels, said, t) for t in np.linspace(0, 1, 1_001))
    assert label_figures.f1(labels, said, at) == pytest.approx(brute) == pytest.approx(6 / 7)
    assert 0.2 < at < 0.3


def test_calibration_of_what_is_right_on_average():
    labels = np.array([1.0, 0.0] * 50)
    assert label_figures.calibration_error(labels, np.full(100, 0.5)) == pytest.approx(0.0)
    assert label_figures.calibration_error(labels, np.full(100, 0.8)) == pytest.approx(0.3)
    assert label_figures.brier(labels, np.full(100, 0.8)) == pytest.approx((0.04 + 0.64) / 2)


def test_permutation_is_that_of_all_signs():
    differences, singers = np.array([1.0, 2.0, -0.5, 0.3]), ["a", "a", "b", "c"]
    sums = np.array([3.0, -0.5, 0.3])
    all_signs = [abs(np.dot(signs, sums)) for signs in itertools.product((1, -1), repeat=3)]
    expected = np.mean(np.array(all_signs) >= abs(sums.sum()) - 1e-12)
    assert label_figures.permutation_p(differences, singers) == pytest.approx(expected)


def test_temperature_of_answers_that_are_too_sure():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, size=(400, 2))
    labels = (rng.random((400, 2)) < 1 / (1 + np.exp(-logits))).astype(float)
    singers = [f"s{n % 10}" for n in range(400)]
    assert temperature_of(2 * logits, labels, singers) == pytest.approx(2.0, rel=0.2)
    assert temperature_of(2 * logits[:20], labels[:20], singers[:20]) == 1.0


# --- Verdicts -------------------------------------------------------------------------------------


def people(singers: int = 8, each: int = 10) -> list[LabelledClip]:
    rng = np.random.default_rng(1)
    return [
        LabelledClip(
            f"{singer:02}{number:02}", f"c{singer}_{number}", f"s{singer}", {"warm": float(label)}
        )
        for singer in range(singers)
        for number, label in enumerate(rng.random(each) < 0.4)
    ]


def answers(clips, noise: float, *, seed: int = 2, tag: str = "warm") -> Answers:
    """A model that says the truth through so much noise."""
    rng = np.random.default_rng(seed)
    truth = np.array([clip.labels["warm"] for clip in clips])
    logits = 3 * (truth - 0.5) + rng.normal(0, noise, len(clips))
    said = 1 / (1 + np.exp(-logits))
    return Answers("m", (tag,), list(clips), said[:, None], {tag: 0.5})


def test_verdicts():
    clips = people()
    good, bad = answers(clips, 0.5), answers(clips, 4.0, seed=3)
    found = compared(good, bad)
    assert found["verdict"] == "better"
    overall = found["overall"]["average_precision"]
    assert overall["difference"]["value"] == pytest.approx(
        overall["candidate"]["value"] - overall["baseline"]["value"]
    )
    assert 0 < overall["difference"]["low"] < overall["difference"]["high"]
    assert found["overall"]["cross_entropy"]["permutation_p"] < 0.02
    assert compared(bad, good)["verdict"] == "worse"
    same = compared(good, good)
    assert same["verdict"] == "not_worse"
    assert same["overall"]["average_precision"]["difference"]["p"] == 1.0


def test_too_little_to_tell():
    for clips in (people(singers=2), people(each=1), []):
        assert compared(answers(clips, 0.1), answers(clips, 4.0))["verdict"] == "undecided"
    clips = people()
    # Two that are about as good: the margin is narrower than the intervals of few singers.
    found = compared(answers(clips, 2.5, seed=5), answers(clips, 2.5, seed=6))
    assert found["verdict"] == "undecided"
    assert "Label more" in found["why"]


def test_tags_that_one_model_knows_stand_apart():
    clips = people()
    found = compared(answers(clips, 0.5, tag="new"), answers(clips, 0.5))
    assert list(found["only_candidate"]) == ["new"]
    assert list(found["only_baseline"]) == ["warm"]
    assert found["verdict"] == "undecided"


def test_the_worst_mistakes_first():
    clips = people(singers=3, each=4)
    model = answers(clips, 0.0)
    said = model.probabilities.copy()
    said[3] = 0.99 if clips[3].labels["warm"] == 0 else 0.01
    said[7] = 0.7 if clips[7].labels["warm"] == 0 else 0.3
    wrong = Answers("m", ("warm",), clips, said, {"warm": 0.5})
    found = worst(wrong, model, most=10)
    assert [one["clip"] for one in found] == [clips[3].clip, clips[7].clip]
    assert worst(model, wrong, most=10) == []
    assert found[0]["baseline"] == pytest.approx(model.probabilities[3, 0], abs=1e-4)


# --- Labels and splits ----------------------------------------------------------------------------


def test_what_can_be_learned():
    def clip(number: int, **labels: float) -> LabelledClip:
        return LabelledClip(f"{number:040x}", str(number), f"s{number % 4}", labels)

    clips = [clip(n, warm=float(n % 2), rough=1.0, clean=0.5) for n in range(20)]
    assert learnable(clips) == ["warm"]
    of_tags = counts(clips)
    assert (of_tags["clean"].divided, of_tags["rough"].yes) == (20, 20)
    assert of_tags["rough"].shortage == "every answer is yes"
    assert of_tags["clean"].shortage == "people do not agree about any clip"
    with pytest.raises(LabelsUnusable, match="every answer is yes"):
        learnable([clip(n, rough=1.0) for n in range(20)])


def test_no_singer_on_both_sides():
    clips = people(singers=9, each=6)
    learn, stop = divided(clips, ["warm"], share=0.2, seed=7)
    assert not {c.singer for c in learn} & {c.singer for c in stop}
    assert len(learn) + len(stop) == 54
    assert len(stop) == 12
    assert all({c.labels["warm"] for c in side} == {0.0, 1.0} for side in (learn, stop))
    assert divided(list(reversed(clips)), ["warm"], share=0.2, seed=7)[1] == stop[::-1]
    assert divided(clips, ["warm"], share=0.2, seed=8)[1] != stop


def test_a_split_needs_yes_and_no_on_both_sides():
    clips = [
        LabelledClip(f"{n:040x}", str(n), f"s{n % 4}", {"warm": float(n % 4 == 0)})
        for n in range(40)
    ]
    with pytest.raises(LabelsUnusable, match="more singers"):
        divided(clips, ["warm"], share=0.2, seed=7)


def test_what_a_training_learned_from_is_not_called_held_out():
    version = ModelVersion(
        model="timbre",
        manifest={
            "figures": {"clips": 30, "singers": 5, "stopping_clips": 6},
            "settings": {"labelled_clips": 36},
        },
    )
    shown = [(figure.label, figure.value) for figure in figures_of(version)]
    assert ("Clips learned from", "30") in shown
    assert not any("Held-out" in label for label, _ in shown)
    version.manifest["figures"].pop("stopping_clips")
    assert figures_of(version)[0].label == "Held-out clips"
