"""The site's verdicts on pairs of tracks as something to learn from."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from analysis.discovery.gallery_feedback import for_training
from analysis.discovery.gallery_models import Verdict
from analysis.models import EMBEDDING_DIMENSIONS, Embedding

if TYPE_CHECKING:  # loads PyTorch
    from analysis.training.verdicts import JudgedPairs


def judged_pairs(model_version: str, *, since: datetime | None = None) -> JudgedPairs:
    """All pairs that may be trained with and have a place in the space of ``model_version``;
    ``since`` leaves out every pair of which anybody said something before.

    Of several people's verdicts on a pair of contents the majority counts; a tie says nothing. A
    content that two artists have is the one's whose pair was judged first.
    """
    from analysis.training.verdicts import JudgedPairs

    votes: Counter[tuple[str, str]] = Counter()
    known: set[tuple[str, str]] = set()
    artists: dict[str, str] = {}
    rows = for_training().order_by("created_at", "pk").select_related("track_a", "track_b")
    for row in rows.iterator():
        sides = sorted(
            [
                (row.content_a_sha256, row.track_a.artist_id),
                (row.content_b_sha256, row.track_b.artist_id),
            ]
        )
        for content, artist in sides:
            artists.setdefault(content, str(artist))
        first, second = (content for content, _ in sides)
        if since is not None and row.created_at <= since:
            known.add((first, second))
        votes[first, second] += 1 if row.verdict == Verdict.SIMILAR else -1
    places = dict(
        Embedding.objects.filter(
            model_version=model_version, content_sha256__in=list(artists)
        ).values_list("content_sha256", "vector")
    )
    contents = sorted(places)
    number = {content: place for place, content in enumerate(contents)}
    kept = [
        (number[first], number[second], vote > 0)
        for (first, second), vote in sorted(votes.items())
        if vote != 0
        and first != second
        and first in number
        and second in number
        and (first, second) not in known
    ]
    vectors = np.array([places[content] for content in contents], dtype=np.float32)
    return JudgedPairs(
        vectors=vectors.reshape(-1, EMBEDDING_DIMENSIONS),
        artists=[artists[content] for content in contents],
        pairs=np.array([(first, second) for first, second, _ in kept], dtype=np.int64).reshape(
            -1, 2
        ),
        similar=np.array([similar for *_, similar in kept], dtype=np.bool_),
    )
