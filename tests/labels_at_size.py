"""Labels in numbers, and a training on a thousand clips, timed inside ``manage.py shell``
(:mod:`tests.bench_labelling`)."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def time_the_labels() -> None:
    """What is read of all labels, written to tables and read from them; seconds, as JSON."""
    from analysis.labels.agreement import agreement
    from analysis.labels.consensus import consensus
    from analysis.labels.disputes import disputed
    from analysis.labels.label_export import Options, exported
    from analysis.labels.label_imports import read_table, write_import
    from analysis.labels.models import Ballot, VoiceClip, Vote
    from analysis.labels.raters import raters
    from tests.factories import UserFactory

    took: dict[str, float] = {}

    def timed(name: str, work: Callable[[], T]) -> T:
        started = time.perf_counter()
        found = work()
        took[name] = time.perf_counter() - started
        return found

    chief = UserFactory(email="chief@example.com", is_staff=True)
    clips = VoiceClip.objects.count()
    took["clips"], took["ballots"] = float(clips), float(Ballot.objects.count())
    took["votes"] = float(Vote.objects.count())
    timed("consensus of all clips", lambda: consensus(None))
    timed("agreement with intervals", agreement)
    timed("every rater's figures", raters)
    timed("disputed: counted", lambda: disputed().count())
    timed("disputed: first page", lambda: list(disputed()[:20]))
    timed("export, a row for each clip", lambda: b"".join(exported(Options())))
    timed("export, a row for each ballot", lambda: b"".join(exported(Options(kind="ballots"))))
    table = _table()
    first = timed("import: read and previewed", lambda: read_table(table, name="all.csv", by=chief))
    took["import: rows"] = float(first.summary["lines"])
    timed("import: written", lambda: write_import(first.pk, by=chief))
    again = timed("import: read once more", lambda: read_table(table, name="all.csv", by=chief))
    took["import: same ballots then"] = float(again.summary["changes"]["same_ballots"])
    print(json.dumps(took))  # noqa: T201 - the answer to the caller, in another process


def make_labelled_clips(clips: int, singers: int) -> None:
    """Clips whose tags are known, a fifth of the singers held out, each labelled by one person."""
    import numpy as np

    from analysis.labels.clip_files import store_clip
    from analysis.labels.models import Ballot, TimbreTag, Vote
    from tests.analysis.registry import known_voices
    from tests.analysis.registry.labelled_voices import voice
    from tests.factories import UserFactory

    TimbreTag.objects.get_or_create(slug="thin", defaults={"name": "Thin", "key": "t", "order": 99})
    tags = {tag.slug: tag for tag in TimbreTag.objects.filter(slug__in=known_voices.TAGS)}
    rater = UserFactory(email="labeller@example.com", role="labeller")
    for number in range(clips):
        singer = number % singers
        rng = np.random.default_rng(number)
        truth = {slug: bool(rng.random() < 0.5) for slug in tags}
        clip = store_clip(
            known_voices.changed(voice(number), truth, rng),
            key=f"thousand {number}",
            singer=f"singer-{singer}",
            is_held_out=singer % 5 == 0,
        )
        ballot = Ballot.objects.create(clip=clip, rater=rater, seconds=4.0)
        Vote.objects.bulk_create(
            Vote(ballot=ballot, tag=tags[slug], answer="yes" if yes else "no")
            for slug, yes in truth.items()
        )


def _table() -> bytes:
    """The seed's table, a row for each clip: file name and columns of 0 and 1."""
    from analysis.labels.models import TimbreTag, VoiceClip

    chance = random.Random(8)
    tags = list(TimbreTag.objects.filter(retired_at__isnull=True).values_list("slug", flat=True))
    rows = [["file", *tags]]
    names = VoiceClip.objects.order_by("pk").values_list("name", flat=True)
    rows += [[name, *(str(chance.randint(0, 1)) for _ in tags)] for name in names]
    return "\n".join(",".join(row) for row in rows).encode()
