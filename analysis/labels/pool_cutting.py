"""From a recording to the clips that are worth being judged, with what is known about each."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.models import Report, VocalTake
from analysis.sound import decode
from analysis.stem_files import local_file
from analysis.voice_services import voice_and_rest
from catalog.models import Revision

if TYPE_CHECKING:
    from analysis.sound.voice.clips import Clips

CUTTING_VERSION = "1"
MOST_PER_TRACK = 16
MOST_PER_TAKE = 120

SILENT = "It is silent."
NO_SINGING = "No singing was found."
FAINT = "The voice is too faint beside the music."


@dataclass(frozen=True)
class Candidate:
    """A clip that was cut: ``key`` names its stretch of that content for ever."""

    key: str
    start_s: float
    end_s: float
    samples: npt.NDArray[np.float32]
    fingerprint: list[float]
    facts: dict[str, Any]
    id: uuid.UUID = field(default_factory=uuid.uuid4)


@dataclass(frozen=True)
class Cut:
    """The clips of a recording, one by one, and why there are none if there are none."""

    count: int
    reason: str
    candidates: Iterator[Candidate]


def cut_revision(revision: Revision, stems: Report, *, check: Callable[[], None]) -> Cut:
    """Cut the vocal stem of a version; what is too faint beside the other stems is left out.

    Raises FileNotFoundError if the storage has lost a stem.
    """
    from analysis.sound.voice.clips import cut

    voice, rest, rate = voice_and_rest(revision, stems)
    check()
    clips = cut(voice, rate, accompaniment=rest, most=MOST_PER_TRACK)
    owner = f"artist {revision.artist_id} {revision.content_sha256}"
    return _of(clips, owner, is_silent=not voice.any(), check=check)


def cut_take(take: VocalTake, *, max_duration_s: float, check: Callable[[], None]) -> Cut:
    """Cut a dry recording of a voice. Raises FileNotFoundError, UndecodableAudio."""
    from analysis.sound.voice.clips import cut

    with local_file(take.file) as path:
        voice, rate = _mono(path, max_duration_s, check)
    clips = cut(voice, rate, most=MOST_PER_TAKE)
    return _of(clips, f"take {take.content_sha256}", is_silent=not voice.any(), check=check)


def _of(clips: Clips, owner: str, *, is_silent: bool, check: Callable[[], None]) -> Cut:
    reason = ""
    if not clips.kept:
        reason = SILENT if is_silent else FAINT if clips.faint else NO_SINGING
    return Cut(len(clips.kept), reason, _candidates(clips, owner, check))


def _candidates(clips: Clips, owner: str, check: Callable[[], None]) -> Iterator[Candidate]:
    from analysis.labels.duplicates import as_stored
    from analysis.neural.timbre.fingerprint import fingerprint

    for clip in clips.kept:
        check()
        start_s, end_s = clip.phrase.start_s, clip.phrase.end_s
        over = clip.over_accompaniment_db
        yield Candidate(
            key=f"{owner} {start_s:.3f} {end_s:.3f} {CUTTING_VERSION}",
            start_s=start_s,
            end_s=end_s,
            samples=clip.samples,
            fingerprint=as_stored(fingerprint(clip.samples)),
            facts={
                "voiced_share": round(clip.phrase.voiced_share, 3),
                "clipped_percent": round(clip.clipped_percent, 3),
                "over_accompaniment_db": None if over is None else round(over, 2),
            },
        )


def _mono(
    path: Path, max_duration_s: float, check: Callable[[], None]
) -> tuple[npt.NDArray[np.float32], int]:
    with decode.stream(path, max_duration_s=max_duration_s) as blocks:
        parts = []
        for block in blocks:
            check()
            parts.append(block.mean(axis=0))
        return np.concatenate(parts).astype(np.float32, copy=False), blocks.info.sample_rate
