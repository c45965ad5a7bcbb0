"""Which language is sung: a vote of several passages, each with the weight of its singing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from analysis.neural.lyrics.gate import Singing
from analysis.neural.lyrics.passages import Passage
from analysis.neural.lyrics.recogniser import Recogniser
from analysis.neural.lyrics.sound import Samples

MOST_PASSAGES = 5


def detect(
    recogniser: Recogniser,
    passages: Sequence[Passage],
    sound: Samples,
    singing: Singing,
    *,
    most: int = MOST_PASSAGES,
) -> tuple[str, float]:
    """The language with the greatest share of the votes, and that share (0 to 1)."""
    votes: dict[str, float] = defaultdict(float)
    for passage in spread(passages, most):
        weight = sum(singing.voiced_s(one.start_s, one.end_s) for one in passage.pieces)
        encoded = recogniser.encode(passage.samples(sound))
        for language, probability in recogniser.language_probabilities(encoded).items():
            votes[language] += weight * probability
    total = sum(votes.values())
    if total <= 0:
        return "", 0.0
    language = max(votes, key=lambda one: votes[one])
    return language, votes[language] / total


def spread(passages: Sequence[Passage], most: int) -> list[Passage]:
    """At most ``most`` passages, evenly over the recording."""
    if len(passages) <= most:
        return list(passages)
    return [passages[round((number + 0.5) * len(passages) / most - 0.5)] for number in range(most)]
