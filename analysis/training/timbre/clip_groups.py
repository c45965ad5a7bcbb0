"""Labelled clips as the network sees them, with changed versions, each clip cached by its content.

Making the versions is what costs time (a fifth of a second a clip), so they are kept: the next
training finds them, whatever the labels say by then. The clips are 3 to 5 s long and are not cut
again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.neural.timbre.mfcc import mfcc
from analysis.sound.decode import UndecodableAudio
from analysis.sound.voice.measures import RATE_HZ, at_measuring_rate
from analysis.training.timbre.changes import Change
from analysis.training.timbre.clip_cache import path_of
from analysis.training.timbre.families import NEUTRAL, TRAINING
from analysis.training.timbre.groups import UNCHANGED
from analysis.training.timbre.labelled import LabelledClip

log = logging.getLogger(__name__)

_DIRECTED = 4
_SHORTEST_S = 1.0

Float = npt.NDArray[np.float32]
Read = Callable[[LabelledClip], tuple[Float, int]]
"""Mono sound (n,) of a clip and its rate. Raises UndecodableAudio, OSError."""


@dataclass(frozen=True)
class Versions:
    """A clip's versions: ``changes`` names them, and the first is the clip itself."""

    changes: tuple[str, ...]
    path: Path

    def coefficients(self) -> npt.NDArray[np.float16]:
        """(versions, 40, frames), read from the disk as far as they are used: a thousand clips are
        half a gigabyte."""
        return np.load(self.path, mmap_mode="r", allow_pickle=False)


def build(
    clips: Sequence[LabelledClip],
    *,
    read: Read,
    cache: Path,
    told: Callable[[int], object],
    changed: bool = True,
) -> dict[str, Versions]:
    """The versions of clips by ``clip``, built or read from the cache. Unreadable ones are named in
    the log and missing in the answer. ``told`` is called before each with how many are done.

    Without ``changed`` only the clip itself is needed, and nothing else is built.
    """
    cache.mkdir(parents=True, exist_ok=True)
    found: dict[str, Versions] = {}
    for number, clip in enumerate(clips):
        told(number)
        changes = _changes(clip.clip) if changed else ()
        versions = Versions(
            (UNCHANGED, *(change.name for change in changes)),
            path_of(cache, clip.clip, changed=changed),
        )
        if not _is_there(versions):
            try:
                sound, rate = read(clip)
                made = _made(sound, rate, changes, clip=clip.clip)
            except (UndecodableAudio, OSError, ValueError) as error:
                log.warning("%s is passed over: %s", clip.name, error)
                continue
            unfinished = versions.path.with_suffix(".part")
            with unfinished.open("wb") as file:
                np.save(file, made, allow_pickle=False)
            unfinished.replace(versions.path)
        found[clip.clip] = versions
    return found


def _changes(clip: str) -> list[Change]:
    """Every neutral change, and some of those with a direction, drawn from the clip's own hash."""
    drawn = np.random.default_rng(int(clip[:16], 16)).permutation(len(TRAINING))[:_DIRECTED]
    return [*NEUTRAL, *(TRAINING[index] for index in sorted(drawn))]


def _made(
    sound: Float, rate: int, changes: Sequence[Change], *, clip: str
) -> npt.NDArray[np.float16]:
    at_rate = at_measuring_rate(sound, rate)
    if at_rate.size < _SHORTEST_S * RATE_HZ:
        raise ValueError(f"the clip lasts {at_rate.size / RATE_HZ:.1f} s, which is too short")
    if not np.isfinite(at_rate).all() or not np.any(at_rate):
        raise ValueError("the clip is silent, or holds values that are no numbers")
    rng = np.random.default_rng(int(clip[16:32], 16))
    sounds = [at_rate, *(change(at_rate, RATE_HZ, rng) for change in changes)]
    rows = [mfcc(sound).numpy() for sound in sounds]
    frames = min(row.shape[1] for row in rows)
    return np.stack([row[:, :frames] for row in rows]).astype(np.float16)


def _is_there(versions: Versions) -> bool:
    try:
        return versions.coefficients().shape[0] == len(versions.changes)
    except FileNotFoundError:
        return False
    except (OSError, ValueError, EOFError) as error:
        log.warning("%s cannot be read and is made again: %s", versions.path, error)
        return False
