"""Two ears on the same held-out music: who names the genres better, who keeps the tracks of an
artist together better, and is it more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.neural.ears import Ears
from analysis.training import similarity_comparison
from analysis.training.comparison_verdicts import BETTER, NOT_WORSE, UNDECIDED, WORSE
from analysis.training.datasets import MelCorpus
from analysis.training.evaluation import accuracy, expected_calibration_error, log_losses
from analysis.training.intervals import Interval, mean_by_artist

FEWEST_TRACKS, FEWEST_ARTISTS = 16, 6
MARGIN = 0.10
"""A candidate counts as not worse if it names at most this share of tracks less, at the lower end
of the 95 % interval of the difference."""
SIGNIFICANT = 0.05
_FLOOR = 1e-4
_FLIPS = 10_000
_SHOWN_MISTAKES = 12

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EarsComparison:
    """``figures`` and ``mistakes`` are JSON (docs/models.md); ``verdict`` is one of the four."""

    verdict: str
    figures: dict[str, Any]
    mistakes: list[dict[str, Any]]


def compare(candidate: Ears, serving: Ears, corpus: MelCorpus) -> EarsComparison:
    """Compare on ``corpus``, which neither may have learned from; genres are the same if their
    names are, whatever the capitals.

    On the genres that both know, each answers among these alone: accuracy, log loss, calibration.
    Over all tracks, a genre that the serving ears do not know is one that they never name. Whole
    artists are drawn for the intervals, and have their signs flipped for the paired test.
    """
    (new, new_places), (old, old_places) = _heard(candidate, corpus), _heard(serving, corpus)
    genres = [corpus.names[index] for index in corpus.labels]
    known = {label.casefold(): label for label in serving.labels}
    common = [name for name in corpus.names if name.casefold() in known]
    all_new = _named(new, candidate.labels, genres)
    all_old = _named(old, serving.labels, genres)
    difference = _paired(all_new - all_old, corpus.artists)
    by_chance = max(np.bincount(corpus.labels)) / len(corpus)
    figures: dict[str, Any] = {
        "kind": "ears",
        "tracks": len(corpus),
        "artists": len(set(corpus.artists)),
        "genres": {
            "common": common,
            "new": [name for name in corpus.names if name.casefold() not in known],
            "lost": [
                label
                for label in serving.labels
                if label.casefold() not in {name.casefold() for name in candidate.labels}
            ],
        },
        "all": {
            "candidate": _shown(mean_by_artist(all_new, corpus.artists)),
            "serving": _shown(mean_by_artist(all_old, corpus.artists)),
            "difference": difference,
            "commonest": round(float(by_chance), 4),
        },
        "common": _on_common(candidate, serving, new, old, corpus, common),
        "similarity": similarity_comparison.by_artist(new_places, old_places, corpus.artists),
    }
    verdict, why = _verdict(figures)
    mistakes = _mistakes(candidate, serving, new, old, corpus)
    return EarsComparison(verdict, {**figures, "why": why}, mistakes)


def _heard(ears: Ears, corpus: MelCorpus) -> tuple[Float, npt.NDArray[np.float32]]:
    """Calibrated probabilities (n, k), and embeddings (n, 128) of length one: of sound, where a
    tagger heard the tracks, else of their pictures."""
    tagged: Sequence[Float32 | None] = corpus.tagged or [None] * len(corpus)
    heard = [
        ears.predict(picture, tagged=rows)
        for picture, rows in zip(corpus.pictures(), tagged, strict=True)
    ]
    probabilities = np.stack([one.probabilities for one in heard])
    return probabilities.astype(np.float64), np.stack([one.embedding for one in heard])


def _named(probabilities: Float, labels: list[str], genres: list[str]) -> Float:
    """1 or 0 (n,): whether the likeliest label is the track's genre."""
    answers = [labels[index].casefold() for index in probabilities.argmax(axis=1)]
    pairs = zip(answers, genres, strict=True)
    return np.array([float(answer == genre.casefold()) for answer, genre in pairs])


def _on_common(
    candidate: Ears,
    serving: Ears,
    new: Float,
    old: Float,
    corpus: MelCorpus,
    common: list[str],
) -> dict[str, Any] | None:
    """Both among the genres that both know, on these genres' tracks; None for fewer than two."""
    rows = np.flatnonzero([corpus.names[index] in common for index in corpus.labels])
    if len(common) < 2 or rows.size == 0:
        return None
    labels = np.array([common.index(corpus.names[index]) for index in corpus.labels[rows]])
    artists = [corpus.artists[row] for row in rows]
    found: dict[str, Any] = {"tracks": int(rows.size), "artists": len(set(artists))}
    right, loss = {}, {}
    for side, ears, heard in (("candidate", candidate, new), ("serving", serving, old)):
        folded = [label.casefold() for label in ears.labels]
        columns = np.array([folded.index(name.casefold()) for name in common])
        among = heard[np.ix_(rows, columns)]
        among = np.maximum(among, _FLOOR)
        among = among / among.sum(axis=1, keepdims=True)
        right[side] = (among.argmax(axis=1) == labels).astype(float)
        as_float = among.astype(np.float32)
        loss[side] = log_losses(as_float, labels)
        found[side] = {
            "accuracy": round(accuracy(as_float, labels), 4),
            "log_loss": round(float(loss[side].mean()), 4),
            "ece": round(expected_calibration_error(as_float, labels), 4),
        }
    found["difference"] = {
        "accuracy": _paired(right["candidate"] - right["serving"], artists),
        "log_loss": _paired(loss["candidate"] - loss["serving"], artists),
    }
    return found


def _paired(differences: Float, artists: Sequence[str]) -> dict[str, float]:
    """Mean difference with its interval, and the p of a sign-flip test over artists."""
    return {**_shown(mean_by_artist(differences, artists)), "p": sign_flip_p(differences, artists)}


def sign_flip_p(differences: Float, artists: Sequence[str], *, seed: int = 0) -> float:
    """Two-sided p of a mean difference of 0: how often chance signs, one for each artist, bring a
    sum as far from 0 as the one there is (Pitman 1937)."""
    _, group = np.unique(np.array(artists), return_inverse=True)
    sums = np.bincount(group, weights=differences)
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), size=(_FLIPS, sums.size))
    as_far = np.abs(signs @ sums) >= abs(sums.sum()) - 1e-12
    return round((1 + int(as_far.sum())) / (1 + _FLIPS), 5)


def _shown(interval: Interval) -> dict[str, float]:
    return {name: round(getattr(interval, name), 4) for name in ("mean", "low", "high")}


def _verdict(figures: dict[str, Any]) -> tuple[str, str]:
    """The verdict, and why, in words."""
    overall, common = figures["all"], figures["common"]
    if figures["tracks"] < FEWEST_TRACKS or figures["artists"] < FEWEST_ARTISTS:
        return UNDECIDED, (
            f"Only {figures['tracks']} held-out tracks by {figures['artists']} artists: at least "
            f"{FEWEST_TRACKS} by {FEWEST_ARTISTS} are needed."
        )
    if overall["candidate"]["low"] <= overall["commonest"]:
        return UNDECIDED, (
            f"It names {overall['candidate']['mean']:.0%} of the held-out tracks, which is not "
            f"surely more than naming the commonest genre always ({overall['commonest']:.0%})."
        )
    if similarity_comparison.is_lost(figures["similarity"]):
        triplets = figures["similarity"]["triplets"]
        return WORSE, (
            f"It finds similar tracks worse: of two tracks it puts the one by the same artist "
            f"nearer in {triplets['candidate']:.0%} of comparisons, the serving version in "
            f"{triplets['serving']:.0%}."
        )
    if common is None:
        new = ", ".join(figures["genres"]["new"])
        return BETTER, (
            f"The serving version does not know {new}, so on its own genres nothing is compared. "
            f"The candidate names {overall['candidate']['mean']:.0%} of the held-out tracks, where "
            f"always naming the commonest genre gives {overall['commonest']:.0%}."
        )
    change, loss = common["difference"]["accuracy"], common["difference"]["log_loss"]
    words = (
        f"On {common['tracks']} held-out tracks of the genres both know: "
        f"{common['candidate']['accuracy']:.0%} named right, the serving version "
        f"{common['serving']['accuracy']:.0%} (difference {change['low']:+.0%} to "
        f"{change['high']:+.0%}, p = {change['p']:.3f})."
    )
    if change["mean"] < 0 and change["p"] < SIGNIFICANT:
        return WORSE, words
    if change["mean"] <= 0 and loss["mean"] > 0 and loss["p"] < SIGNIFICANT:
        return WORSE, f"{words} Its probabilities are worse, too."
    if change["mean"] > 0 and change["p"] < SIGNIFICANT:
        return BETTER, words
    if figures["genres"]["new"] and change["low"] >= -MARGIN:
        gain = overall["difference"]
        if gain["mean"] > 0 and gain["p"] < SIGNIFICANT:
            return BETTER, f"{words} It names new genres besides."
    return (NOT_WORSE if change["low"] >= -MARGIN else UNDECIDED), words


def _mistakes(
    candidate: Ears, serving: Ears, new: Float, old: Float, corpus: MelCorpus
) -> list[dict[str, Any]]:
    """Tracks that the candidate names wrong, the surest first."""
    found = []
    for row, track in enumerate(corpus.ids):
        answer = candidate.labels[int(new[row].argmax())]
        genre = corpus.names[corpus.labels[row]]
        if answer.casefold() != genre.casefold():
            found.append(
                {
                    "track": track[-200:],
                    "genre": genre,
                    "answer": answer,
                    "probability": round(float(new[row].max()), 3),
                    "serving_answer": serving.labels[int(old[row].argmax())],
                }
            )
    found.sort(key=lambda one: -float(one["probability"]))
    return found[:_SHOWN_MISTAKES]
