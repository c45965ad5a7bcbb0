"""A clip together with changed versions of it, as the network sees them, cached on disk."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from analysis.neural.timbre.mfcc import mfcc
from analysis.sound.decode import UndecodableAudio
from analysis.sound.voice import clipping
from analysis.sound.voice import clips as clip_cutting
from analysis.sound.voice.measures import NAMES, RATE_HZ, measure
from analysis.sound.voice.pitch import track
from analysis.training.timbre.changes import Change
from analysis.training.timbre.families import HELD_OUT, NEUTRAL, TRAINING
from analysis.training.timbre.remeasuring import after
from analysis.training.timbre.voices import Voice

log = logging.getLogger(__name__)

# Raised whenever the same recordings would give other groups.
VERSION = 3
CLIPS_PER_VOICE = 2
_TRAINING_CLIP_DB = -12.0  # over the accompaniment: cleaner than what the product accepts
_LEAST_VOICED = 0.5
_SECOND_FAMILIES = 5
_SPEEDS = (0.84, 1.19)
UNCHANGED = "unchanged"

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Group:
    """Row 0 is the base, the others are changes of it. ``coefficients`` (rows, 40, frames) float16,
    ``measures`` (rows, len(NAMES)) with NaN for None. ``is_original`` says that the base is the
    recording itself, ``is_reference`` that its voice is one that others are compared with."""

    singer: str
    clip: str
    is_original: bool
    is_reference: bool
    labels: dict[str, float]
    changes: tuple[str, ...]
    coefficients: npt.NDArray[np.float16]
    measures: npt.NDArray[np.float32]


def build(voices: Sequence[Voice], *, cache: Path, seed: int, held_out: bool) -> list[Group]:
    """Groups of all clips of all voices, built or read from the cache; unreadable files are named
    in the log and passed over.

    ``held_out``: only the unchanged clip with the changes of :data:`families.HELD_OUT`.
    """
    cache.mkdir(parents=True, exist_ok=True)
    found: list[Group] = []
    for number, voice in enumerate(voices, start=1):
        key = f"{VERSION} {seed} {held_out} {voice.path.resolve()} {voice.path.stat().st_size}"
        name = hashlib.sha256(key.encode()).hexdigest()[:16]
        path = cache / f"{name}.npz"
        if not path.exists():
            try:
                made = list(_made(voice, name=name, seed=seed, held_out=held_out))
            except (UndecodableAudio, OSError) as error:
                log.warning("%s is passed over: %s", voice.path, error)
                continue
            _store(path, made)
            log.info("%d of %d: %s, %d groups", number, len(voices), voice.path.name, len(made))
        found += _stored(path, voice)
    return found


def _made(voice: Voice, *, name: str, seed: int, held_out: bool) -> Iterator[dict[str, object]]:
    sound, rate, rest = voice.read()
    rng = np.random.default_rng([seed, int(name, 16) & 0xFFFFFFFF])
    cut = clip_cutting.cut(sound, rate, accompaniment=rest)
    good = [
        clip
        for clip in cut.kept
        if clip.phrase.voiced_share >= _LEAST_VOICED
        and (clip.over_accompaniment_db is None or clip.over_accompaniment_db >= _TRAINING_CLIP_DB)
    ]
    for index in np.linspace(0, len(good) - 1, min(len(good), CLIPS_PER_VOICE)).round().astype(int):
        phrase = good[index].phrase
        part = sound[round(phrase.start_s * rate) : round(phrase.end_s * rate)]
        label = f"{voice.singer} {phrase.start_s:.2f}"
        if held_out:
            yield _group(part, rate, rng, HELD_OUT, clip=label, original=True)
            continue
        breath, clip = TRAINING[0], TRAINING[2]
        yield _group(
            part, rate, rng, (*TRAINING, breath, clip, *NEUTRAL), clip=label, original=True
        )
        yield _group(
            _another_voice(part, rate, rng),
            rate,
            rng,
            [TRAINING[i] for i in rng.choice(len(TRAINING), _SECOND_FAMILIES, replace=False)],
            clip=label,
            original=False,
        )


def _another_voice(sound: Float, rate: int, rng: np.random.Generator) -> Float:
    """Higher or lower, smaller or larger, and perhaps changed otherwise, too."""
    speed = float(np.exp(rng.uniform(*np.log(_SPEEDS))))
    other = soxr.resample(sound, rate * speed, rate).astype(np.float32)
    if rng.random() < 0.7:
        families = (*TRAINING, *NEUTRAL)
        other = families[rng.integers(len(families))](other, rate, rng)
    return other


def _group(
    base: Float,
    rate: int,
    rng: np.random.Generator,
    changes: Iterable[Change],
    *,
    clip: str,
    original: bool,
) -> dict[str, object]:
    at_rate = soxr.resample(base, rate, RATE_HZ).astype(np.float32)
    pitch = track(at_rate, RATE_HZ)
    plain = measure(at_rate, pitch=pitch, clipped_percent=clipping.share_percent(base)).as_dict()
    names, coefficients, rows = [UNCHANGED], [mfcc(at_rate).numpy()], [_row(plain)]
    for change in changes:
        own = change(base, rate, rng)
        at_rate = soxr.resample(own, rate, RATE_HZ).astype(np.float32)
        names.append(change.name)
        coefficients.append(mfcc(at_rate).numpy())
        rows.append(_row(after(change.family, at_rate, own=own, base=plain, pitch=pitch)))
    frames = min(part.shape[1] for part in coefficients)
    return {
        "clip": clip,
        "original": original,
        "changes": names,
        "coefficients": np.stack([part[:, :frames] for part in coefficients]).astype(np.float16),
        "measures": np.array(rows, dtype=np.float32),
    }


def _row(measures: Mapping[str, float | None]) -> list[float]:
    return [np.nan if (value := measures[name]) is None else value for name in NAMES]


def _store(path: Path, made: list[dict[str, object]]) -> None:
    arrays = {
        f"{i}.{key}": np.asarray(value) for i, g in enumerate(made) for key, value in g.items()
    }
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    unfinished.replace(path)


def _stored(path: Path, voice: Voice) -> list[Group]:
    with np.load(path, allow_pickle=False) as arrays:
        count = sum(1 for name in arrays.files if name.endswith(".clip"))
        return [
            Group(
                singer=voice.singer,
                clip=str(arrays[f"{i}.clip"]),
                is_original=bool(arrays[f"{i}.original"]),
                is_reference=voice.is_reference,
                labels=voice.labels,
                changes=tuple(str(name) for name in arrays[f"{i}.changes"]),
                coefficients=arrays[f"{i}.coefficients"],
                measures=arrays[f"{i}.measures"],
            )
            for i in range(count)
        ]
