"""Near-duplicates: clips that hold the same singing, found by their fingerprints."""

from __future__ import annotations

import uuid

import numpy as np
import numpy.typing as npt

from analysis.labels.models import ClipState, VoiceClip
from analysis.neural.timbre.fingerprint import Fingerprints

# Measured on real voices: docs/labelling.md has the figures on either side of it.
SAME_SINGING = 0.8


class KnownClips:
    """The fingerprints of all clips that others can be duplicates of, in memory for one run."""

    def __init__(self) -> None:
        self._ids: list[uuid.UUID] = []
        self._prints = Fingerprints()
        originals = VoiceClip.objects.exclude(state=ClipState.DUPLICATE)
        for pk, values in originals.values_list("pk", "fingerprint").iterator(chunk_size=1_000):
            if values:
                self.add(pk, values)

    def original_of(self, fingerprint: list[float]) -> uuid.UUID | None:
        """The clip that holds the same singing, or None."""
        found = self._prints.nearest(np.asarray(fingerprint, dtype=np.float32))
        if found is None or found.similarity < SAME_SINGING:
            return None
        return self._ids[found.place]

    def add(self, pk: uuid.UUID, fingerprint: list[float]) -> None:
        """Let clips that come later be duplicates of this one."""
        self._ids.append(pk)
        self._prints.add(np.asarray(fingerprint, dtype=np.float32))


def judge_widowed(known: KnownClips) -> int:
    """Look again at duplicates whose original is gone: the first of them takes its place in the
    pool. Returns how many came into the pool."""
    widowed = VoiceClip.objects.filter(state=ClipState.DUPLICATE, duplicate_of=None)
    promoted = 0
    for clip in widowed.only("pk", "fingerprint").order_by("created_at", "name"):
        original = known.original_of(clip.fingerprint)
        if original is None:
            VoiceClip.objects.filter(pk=clip.pk).update(state=ClipState.POOL)
            known.add(clip.pk, clip.fingerprint)
            promoted += 1
        else:
            VoiceClip.objects.filter(pk=clip.pk).update(duplicate_of=original)
    return promoted


def as_stored(fingerprint: npt.NDArray[np.float32]) -> list[float]:
    """A fingerprint as its column keeps it."""
    return [round(float(value), 2) for value in fingerprint]
