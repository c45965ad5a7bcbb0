"""Weights are never asked about music that they were trained on."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from analysis.neural.ears import Ears
from analysis.neural.weights import SHIPPED_DIR, WeightsUnavailable, read_from
from analysis.training.datasets import MelCorpus
from analysis.training.held_out import NothingHeldOut, held_out, judge, subset, together

NAMES = json.loads((SHIPPED_DIR / "ears.json").read_text())["settings"]["labels"]


@pytest.fixture(scope="module")
def ears() -> Ears:
    return Ears(read_from(SHIPPED_DIR, "ears"))


def corpus(prefix: str, artists: list[str], seed: int = 0) -> MelCorpus:
    n = len(artists)
    mel = np.random.default_rng(seed).integers(0, 256, (n, 128, 140), dtype=np.uint8)
    ids = [f"{prefix}{i}" for i in range(n)]
    return MelCorpus(ids, mel, np.arange(n) % len(NAMES), NAMES, artists)


@pytest.fixture
def splits() -> dict[str, MelCorpus]:
    return {"train": corpus("t", ["a", "a", "b"]), "valid": corpus("v", ["c", "d"], seed=1)}


def saying(ears: Ears, trained_on: object) -> Ears:
    """The same ears with a manifest that says something about its training."""
    told = {**ears.weights.settings, "trained_on": trained_on}
    other = object.__new__(Ears)
    other.__dict__ |= ears.__dict__ | {"weights": replace(ears.weights, settings=told)}
    return other


def test_the_manifest_says_what_was_trained_on(ears, splits):
    found = held_out([judge(saying(ears, "train"), splits)], together(splits))
    assert found.corpus.ids == ["v0", "v1"]


def test_the_manifest_is_believed_before_the_command_line(ears, splits):
    everything = judge(saying(ears, "train+valid"), splits, trained_on="train")
    assert everything.seen_ids == {"t0", "t1", "t2", "v0", "v1"}


def test_weights_that_heard_everything_have_no_held_out_figures(ears, splits):
    with pytest.raises(NothingHeldOut, match="--weights"):
        held_out([judge(saying(ears, "train+valid"), splits)], together(splits))


def test_weights_that_do_not_say_what_they_heard_are_not_believed(ears, splits):
    silent = {k: v for k, v in ears.weights.settings.items() if k != "trained_on"}
    other = saying(ears, None)
    other.weights = replace(ears.weights, settings=silent)
    with pytest.raises(ValueError, match="--trained-on"):
        judge(other, splits)
    assert judge(other, splits, trained_on="train").seen_ids == {"t0", "t1", "t2"}


def test_unknown_splits_and_other_genres_are_refused(ears, splits):
    with pytest.raises(ValueError, match="tset"):
        judge(saying(ears, "train+tset"), splits)
    polka = {"train": replace(splits["train"], names=["polka"])}
    with pytest.raises(ValueError, match="polka"):
        judge(saying(ears, "train"), polka)


def test_an_artist_who_was_heard_is_not_held_out_with_another_track(ears, splits):
    found = held_out([judge(saying(ears, ["t0"]), splits)], together(splits))
    assert found.corpus.ids == ["t2", "v0", "v1"]


def test_in_a_cross_validation_each_track_has_the_judge_that_has_not_seen_it(ears, splits):
    one, two = judge(saying(ears, "train"), splits), judge(saying(ears, "valid"), splits)
    found = held_out([one, two], together(splits))
    assert found.corpus.ids == ["t0", "t1", "t2", "v0", "v1"]
    assert found.judge_of.tolist() == [1, 1, 1, 0, 0]
    assert [rows.tolist() for _, rows in found.by_judge()] == [[3, 4], [0, 1, 2]]


def test_answers_are_the_products_own_in_the_corpus_order(ears, splits):
    one, two = judge(saying(ears, "train"), splits), judge(saying(ears, "valid"), splits)
    tracks = held_out([one, two], together(splits)).only(["v1", "t0"])
    assert tracks.corpus.ids == ["t0", "v1"]
    found = tracks.answers(list(tracks.corpus.pictures()))
    for row, picture in enumerate(tracks.corpus.mel):
        told = ears.predict(picture)
        np.testing.assert_allclose(found.probabilities[row], told.probabilities, atol=1e-6)
        np.testing.assert_allclose(found.embeddings[row], told.embedding, atol=1e-6)
        np.testing.assert_allclose(found.pooled[row], told.pooled, atol=1e-6)
    assert found.pooled.shape == (2, 512)


def test_nothing_is_left_of_tracks_that_are_not_held_out(ears, splits):
    tracks = held_out([judge(saying(ears, "train"), splits)], together(splits))
    with pytest.raises(NothingHeldOut):
        tracks.only(["t0"])


def test_short_tracks_keep_their_length(splits):
    short = replace(splits["valid"], columns=np.array([50, 140]))
    joined = together({"train": splits["train"], "valid": short})
    assert [p.shape[1] for p in joined.pictures()] == [140, 140, 140, 50, 140]
    assert [p.shape[1] for p in subset(joined, [3, 0]).pictures()] == [50, 140]


def test_weights_are_read_from_a_folder(tmp_path):
    assert read_from(SHIPPED_DIR, "ears").name == "ears"
    with pytest.raises(WeightsUnavailable, match="no manifest"):
        read_from(tmp_path, "ears")
