"""Songs whose stems are there, and runs of the pool in the hands of a worker."""

from __future__ import annotations

import uuid

import numpy as np

from analysis import background
from analysis.background import WorkState
from analysis.labels.models import PoolRun
from catalog.models import Artist, Revision
from tests.analysis.labels.conftest import voice
from tests.factories import RevisionFactory, TrackFactory
from tests.voices import RATE, stems_report


class Quiet:
    """A heart that neither beats nor stops the work."""

    def progress(self, fraction: float, message: str) -> None: ...

    def check(self) -> None: ...


def sung_stem(seed: int, *, level: float = 1.0) -> np.ndarray:
    """Two phrases of 3.2 s with a pause of a second between them: (2, n) at 44.1 kHz."""
    pause = np.zeros(RATE, dtype=np.float32)
    mono = np.concatenate(
        [voice(seed, 3.2, rate=RATE), pause, voice(seed + 1000, 3.2, rate=RATE), pause]
    )
    return np.stack([mono, mono]) * np.float32(level)


def with_stems(artist: Artist, seed: int = 1, *, level: float = 1.0, **fields) -> Revision:
    """A version of an allowed track whose stems are there."""
    track = fields.pop("track", None) or TrackFactory(artist=artist, may_train=True)
    revision = RevisionFactory(track=track, **fields)
    vocals = sung_stem(seed, level=level)
    other = 0.02 * np.random.default_rng(seed).standard_normal(vocals.shape).astype(np.float32)
    stems_report(revision, {"vocals": vocals, "other": other})
    return revision


def claimed(run: PoolRun | None = None) -> PoolRun:
    """A run in the hands of a worker."""
    run = run or PoolRun.objects.create()
    ticket = uuid.uuid4()
    PoolRun.objects.filter(pk=run.pk).update(ticket=ticket, state=WorkState.QUEUED)
    found = background.claim(PoolRun, run.pk, ticket)
    assert found is not None
    return found
